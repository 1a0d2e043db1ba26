import { expect } from "chai";
import { MemoryEngine, StorageError } from "@dnd/store";
import { describe, it } from "mocha";
import { TestCluster } from "./_test_utils.ts";

/** An engine that takes nothing more while its disk is full. */
class SmallEngine extends MemoryEngine {
  isFull = false;

  override admit(bytes?: number): void {
    super.admit();
    if (this.isFull && bytes !== undefined)
      throw new StorageError("storage-full", "Cannot write: the disk is full");
  }
}

describe("a replica whose disk is full (rule 17)", () => {
  it("goes on when there is room: no session hangs, promises are kept later, and it holds everything", function () {
    this.timeout(20_000);
    for (let seed = 1; seed <= 4; seed += 1) {
      const cluster = new TestCluster({ nodes: 2, seed, loss: 0.5 });
      const engine = new SmallEngine();
      const small = cluster.add({ engine, hasSeeds: true });
      for (const node of cluster.nodes.slice(0, 2)) {
        cluster.meet(small, node);
        cluster.meet(node, small);
      }
      expect(cluster.run(20_000, () => small.replicator.ready)).to.equal(true);
      engine.isFull = true;
      for (let i = 0; i < 40; i += 1) {
        cluster.put(cluster.node(i % 2), `key ${i % 30}`, `value ${i}`);
        if (i % 7 === 0) cluster.delete(cluster.node(0), `key ${i}`);
        cluster.run(1000 * cluster.prng());
      }
      cluster.run(40_000);
      expect(cluster.converged(), `seed ${seed}: it is full`).to.equal(false);
      engine.isFull = false;
      expect(
        cluster.run(60_000, () => cluster.converged()),
        `seed ${seed}`,
      ).to.equal(true);
      const promises = (): string => new TextDecoder().decode(small.map.getMeta("replication"));
      const before = promises();
      cluster.run(30_000);
      expect(promises(), `seed ${seed}: promises`).to.not.equal(before);
    }
  });

  it("drops what waited for its time, and gets it again by an exchange", () => {
    const cluster = new TestCluster({ nodes: 1 });
    const engine = new SmallEngine();
    const small = cluster.add({ engine, hasSeeds: true });
    const [other = small] = cluster.nodes;
    cluster.meet(small, other);
    cluster.meet(other, small);
    expect(cluster.run(20_000, () => small.replicator.ready)).to.equal(true);
    other.offsetMs = 4000; // beyond the drift bound, and early enough to wait
    cluster.put(other, "early", "1");
    cluster.run(1000);
    expect(small.replicator.metrics.waitingEntries).to.equal(1);
    engine.isFull = true;
    cluster.run(6000);
    expect(small.replicator.metrics.waitingDropped).to.equal(1);
    other.offsetMs = 0;
    engine.isFull = false;
    expect(cluster.run(60_000, () => cluster.converged())).to.equal(true);
  });
});
