import { expect } from "chai";
import { describe, it } from "mocha";
import { TestCluster } from "./_test_utils.ts";

describe("Replicator", () => {
  it("brings a write to every member at once", () => {
    const cluster = new TestCluster({ nodes: 3 });
    cluster.put(cluster.node(0), "user1", "Jack");
    cluster.run(5);
    for (const node of cluster.nodes) {
      expect(node.map.get("user1", { now: cluster.now })?.value, node.id).to.deep.equal(
        new TextEncoder().encode("Jack"),
      );
    }
  });

  it("heals lost rumors by an exchange", () => {
    const cluster = new TestCluster({ nodes: 3, loss: 1 });
    for (let i = 0; i < 100; i += 1) cluster.put(cluster.node(0), `key${i}`, `value ${i}`);
    expect(cluster.run(20_000, () => cluster.converged())).to.equal(true);
    expect(cluster.node(1).map.size).to.equal(100);
  });

  it("makes a joining node ready by a copy", () => {
    const cluster = new TestCluster({ nodes: 2 });
    for (let i = 0; i < 1500; i += 1) cluster.put(cluster.node(0), `key${i}`, `value ${i}`);
    cluster.run(100);
    const joining = cluster.add({ hasSeeds: true });
    expect(joining.replicator.ready).to.equal(false);
    for (const other of cluster.nodes.slice(0, 2)) {
      cluster.meet(joining, other);
      cluster.meet(other, joining);
    }
    expect(cluster.run(5000, () => joining.replicator.ready)).to.equal(true);
    expect(joining.map.size).to.equal(1500);
    expect(joining.eventsOf("progress").at(-1)?.percent).to.equal(100);
    cluster.run(2000); // one copy is enough: the other member is not asked for another
    const opened = joining.eventsOf("exchanged").filter(({ role }) => role === "opened");
    expect(opened.map(({ reason }) => reason)).to.deep.equal(["join"]);
  });
});
