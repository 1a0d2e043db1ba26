import { expect } from "chai";
import { describe, it } from "mocha";
import { TestCluster, type TestNode } from "./_test_utils.ts";

/** Its process is stopped: the kernel takes what comes, and nobody reads it. Its pings are still answered for a while. */
function freeze(node: TestNode): () => void {
  node.replicator.handleFrame = () => [];
  return () => Reflect.deleteProperty(node.replicator, "handleFrame");
}

describe("a node that joins (rule 12)", () => {
  for (let seed = 1; seed <= 8; seed += 1) {
    it(`turns from a source that says nothing to another one, seed ${seed}`, () => {
      const cluster = new TestCluster({ nodes: 3, seed, stallMs: 5000 });
      const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
      for (let i = 0; i < 50; i += 1) cluster.put(b, `key ${i}`, "value");
      cluster.run(2000);
      freeze(a);
      const joining = cluster.add({ hasSeeds: true });
      for (const other of [a, b, c]) {
        cluster.meet(joining, other);
        cluster.meet(other, joining);
        cluster.run(50); // it has asked the first one before it knows of the others
      }
      const startedAt = cluster.now;
      expect(cluster.run(60_000, () => joining.replicator.ready)).to.equal(true);
      expect(cluster.now - startedAt).to.be.below(8000);
      expect(joining.map.size).to.equal(50);
    });
  }

  it("asks now and then, not without a pause, where all refuse", () => {
    const cluster = new TestCluster({ nodes: 3 });
    const sources = [...cluster.nodes];
    const joining = cluster.add({ hasSeeds: true });
    cluster.connected = (x, y) => x !== joining.id && y !== joining.id;
    for (const other of sources) cluster.meet(joining, other);
    cluster.run(10_000);
    expect(joining.replicator.metrics.exchangesOpened).to.be.within(10, 100);
  });

  it("asks the same one again if there is no other", () => {
    const cluster = new TestCluster({ nodes: 1, stallMs: 5000 });
    const [a] = cluster.nodes as [TestNode];
    cluster.put(a, "key", "value");
    const thaw = freeze(a);
    const joining = cluster.add({ hasSeeds: true });
    cluster.meet(joining, a);
    cluster.meet(a, joining);
    cluster.run(12_000);
    expect(joining.replicator.ready).to.equal(false);
    thaw();
    expect(cluster.run(10_000, () => joining.replicator.ready)).to.equal(true);
    expect(joining.map.size).to.equal(1);
  });
});
