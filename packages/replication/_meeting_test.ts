import { expect } from "chai";
import { describe, it } from "mocha";
import { TestCluster } from "./_test_utils.ts";

/**
 * Two nodes whose horizon is held back by a third that is dead for long, and a new one that found nobody, is
 * ready alone (rule 12) and meets them later.
 */
function meetLater(hasSeeds: boolean): TestCluster {
  const cluster = new TestCluster({
    ...{ nodes: 3, pingMs: 200, periodicMs: 2000, aloneMs: 1000 },
    ...{ graceMs: 300, horizonStepMs: 50, promiseIntervalMs: 100 },
  });
  const [a, b, dead] = [cluster.node(0), cluster.node(1), cluster.node(2)];
  cluster.run(1000);
  cluster.kill(dead);
  for (let i = 0; i < 50; i += 1) cluster.put(a, `key ${i}`, "of the cluster");
  cluster.run(500);

  cluster.connected = (x, y) => (x === a.id || x === b.id) === (y === a.id || y === b.id);
  const alone = cluster.add({ hasSeeds });
  cluster.run(1500, () => alone.replicator.ready);
  cluster.put(alone, "taken alone", "1");
  cluster.run(5000);
  expect(alone.replicator.status().alone).to.equal(true);

  cluster.connected = () => true;
  for (const other of [a, b]) {
    cluster.meet(alone, other);
    cluster.meet(other, alone);
  }
  const holds = (): boolean => a.map.size === 51 && cluster.converged();
  cluster.run(20_000, holds);
  return cluster;
}

describe("a node that was ready alone has seen nothing of the cluster that it meets (rules 1 and 12)", () => {
  for (const hasSeeds of [true, false]) {
    it(`and takes no member for one that missed its deletes, ${hasSeeds ? "with silent seeds" : "without seeds"}`, () => {
      const cluster = meetLater(hasSeeds);
      expect(cluster.nodes.flatMap(({ aside }) => aside.map(({ key }) => key))).to.deep.equal([]);
      const up = cluster.nodes.filter((node) => node.up);
      for (const { map } of up) expect(map.size).to.equal(51);
      for (const { replicator } of up) expect(replicator.status().alone).to.equal(false);
    });
  }
});

describe("a node that is alone with silent seeds", () => {
  it("forgets no delete, after a restart too: others may hold what it deleted (rule 1)", () => {
    const cluster = new TestCluster({
      ...{ nodes: 1, pingMs: 200, periodicMs: 2000, aloneMs: 1000 },
      ...{ graceMs: 300, horizonStepMs: 50, promiseIntervalMs: 100 },
    });
    cluster.connected = () => false;
    const alone = cluster.add({ hasSeeds: true });
    cluster.run(3000, () => alone.replicator.ready);
    cluster.put(alone, "key", "1");
    cluster.delete(alone, "key");
    for (let restarts = 0; restarts < 2; restarts += 1) {
      cluster.run(3000);
      expect(alone.map.horizon).to.equal(0);
      expect(alone.map.statistics().tombstones).to.equal(1);
      cluster.kill(alone);
      cluster.restart(alone);
    }
  });

  it("says so: that it is this node, and why (rule 10); and no more once somebody has answered", () => {
    const cluster = new TestCluster({
      ...{ nodes: 1, pingMs: 2000, periodicMs: 20_000, aloneMs: 1000 },
      ...{ graceMs: 20_000, horizonStepMs: 1000, promiseIntervalMs: 5000 },
    });
    cluster.connected = () => false;
    const alone = cluster.add({ hasSeeds: true });
    const by = { member: alone.id, reason: "no-contact" };
    cluster.run(50_000);
    expect(alone.replicator.status().heldBackBy).to.include(by);
    expect(alone.eventsOf("held-back")).to.deep.equal([]);
    cluster.run(3_600_000);
    const told = alone.eventsOf("held-back");
    expect(told).to.have.length(1); // the next one comes after a day
    expect(told[0]).to.include(by);

    const other = cluster.node(0);
    expect(other.replicator.status().heldBackBy).to.equal(undefined); // ready alone without seeds
    cluster.connected = () => true;
    cluster.meet(alone, other);
    cluster.meet(other, alone);
    cluster.run(120_000);
    expect(alone.replicator.status().heldBackBy).to.equal(undefined);
    expect(alone.map.horizon).to.be.above(0);
  });
});
