import { expect } from "chai";
import { describe, it } from "mocha";
import { TestCluster, type TestNode } from "./_test_utils.ts";

const TIMES = {
  ...{ pingMs: 200, periodicMs: 2000, aloneMs: 1000 },
  ...{ graceMs: 300, horizonStepMs: 50, promiseIntervalMs: 100 },
};

function meet(cluster: TestCluster, ...nodes: readonly TestNode[]): void {
  for (const a of nodes) for (const b of nodes) if (a !== b) cluster.meet(a, b);
}

function answered(cluster: TestCluster, node: TestNode): void {
  cluster.apply(node, node.replicator.handleSeedsAnswered(cluster.wall(node)));
}

/** Two new nodes that found each other while a seed of the first is silent; a key is written and deleted. */
function pair(cluster: TestCluster, how: { together: boolean }): readonly [TestNode, TestNode] {
  const strangers = new Set(cluster.nodes.map(({ id }) => id));
  cluster.connected = (x, y) => strangers.has(x) === strangers.has(y);
  const first = cluster.add({ hasSeeds: true });
  if (!how.together) cluster.run(3000, () => first.replicator.ready);
  const second = cluster.add({ hasSeeds: true });
  answered(cluster, second); // its only seed is the first
  meet(cluster, first, second);
  const bothReady = (): boolean => first.replicator.ready && second.replicator.ready;
  expect(cluster.run(5000, bothReady)).to.equal(true);
  cluster.put(first, "key", "1");
  cluster.run(100);
  cluster.delete(second, "key");
  cluster.run(10_000);
  return [first, second];
}

describe("nodes that found each other while a seed is silent (rules 1 and 12)", () => {
  for (const together of [true, false]) {
    const how = together ? "none of them was ready" : "one had been ready alone";
    it(`forget no delete, and say why: ${how}`, () => {
      const cluster = new TestCluster({ nodes: 1, ...TIMES });
      const [first, second] = pair(cluster, { together });
      for (const { map, replicator } of [first, second]) {
        expect(map.statistics().tombstones).to.equal(1);
        expect(map.horizon).to.equal(0);
        expect(replicator.seen).to.equal(0);
        expect(replicator.status().alone).to.equal(false);
        expect(replicator.status().heldBackBy).to.include({
          member: first.id,
          reason: "no-contact",
        });
      }
    });

    it(`nor after a restart of both: ${how}`, () => {
      const cluster = new TestCluster({ nodes: 1, ...TIMES });
      const nodes = pair(cluster, { together });
      for (const node of nodes) cluster.kill(node);
      for (const node of nodes) cluster.restart(node);
      answered(cluster, nodes[1]);
      cluster.run(10_000);
      for (const { map } of nodes) expect(map.statistics().tombstones).to.equal(1);
    });

    it(`forget it once the seed has answered, a node as new as they are: ${how}`, () => {
      const cluster = new TestCluster({ nodes: 1, ...TIMES });
      const [first, second] = pair(cluster, { together });
      const third = cluster.add({ hasSeeds: true });
      answered(cluster, third);
      meet(cluster, first, second, third);
      cluster.run(10_000);
      expect(third.replicator.ready).to.equal(true);
      for (const { map } of [first, second, third]) {
        expect(map.statistics().tombstones).to.equal(1); // that the first waits for a seed, the third knows as well
      }
      answered(cluster, first);
      cluster.run(10_000);
      for (const { map, replicator } of [first, second, third]) {
        expect(map.statistics().tombstones).to.equal(0);
        expect(map.horizon).to.be.above(0);
        expect(replicator.status().heldBackBy?.reason).not.to.equal("no-contact");
      }
    });

    it(`undo no delete when they meet the cluster of that seed: ${how}`, () => {
      const cluster = new TestCluster({ nodes: 2, ...TIMES });
      const [a, b] = [cluster.node(0), cluster.node(1)];
      cluster.put(a, "key", "0");
      cluster.run(5000);
      const [first, second] = pair(cluster, { together });
      cluster.connected = () => true;
      meet(cluster, a, b, first, second);
      cluster.run(20_000);
      expect(cluster.converged()).to.equal(true);
      for (const { map } of cluster.nodes) {
        expect(map.has("key", { now: cluster.now })).to.equal(false);
        expect(map.horizon).to.be.above(0);
      }
    });
  }

  it("are held to it when seeds are named later, to one that is alone", () => {
    const cluster = new TestCluster({ nodes: 1, ...TIMES });
    const alone = cluster.node(0);
    cluster.run(3000);
    const { horizon } = alone.map;
    expect(horizon).to.be.above(0);
    cluster.apply(alone, alone.replicator.handleSeeds(true, cluster.now));
    cluster.put(alone, "key", "1");
    cluster.delete(alone, "key");
    cluster.run(10_000);
    expect(alone.map.statistics().tombstones).to.equal(1);
    answered(cluster, alone);
    cluster.run(10_000);
    expect(alone.map.statistics().tombstones).to.equal(0);
  });
});
