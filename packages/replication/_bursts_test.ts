import { expect } from "chai";
import { describe, it } from "mocha";
import { bytesOf, TestCluster } from "./_test_utils.ts";

/** Writes many keys in one turn. */
function burst(cluster: TestCluster, count: number): void {
  const node = cluster.node(0);
  const entries = Array.from({ length: count }, (_, i) =>
    node.map.put(`key ${i}`, bytesOf("x".repeat(100)), { now: cluster.now }),
  );
  cluster.apply(node, node.replicator.handleWrite(entries, cluster.now));
  cluster.apply(node, node.replicator.flush(cluster.now));
}

describe("more writes in one turn than the outbox holds", () => {
  it("reach the others at once, over the streams, and none is left to an exchange", () => {
    const cluster = new TestCluster({ outboxEntries: 100, loss: 1 });
    burst(cluster, 3000);
    expect(cluster.run(100, () => cluster.converged())).to.equal(true);
    const [a, b] = [cluster.node(0).replicator, cluster.node(1).replicator];
    expect(a.metrics.outboxDropped).to.equal(0);
    expect(a.metrics.bulkEntries).to.equal(6000);
    expect(b.metrics.exchangeEntriesReceived).to.equal(0);
    expect(b.metrics.rumorEntries).to.equal(0); // not passed on
  });

  it("are not listed by an exchange either while they are on their way, however long that takes", () => {
    const cluster = new TestCluster({ nodes: 2, frameMs: 1000, periodicMs: 1e9 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    burst(cluster, 30_000);
    expect(cluster.run(5000, () => cluster.converged())).to.equal(false);
    expect(a.replicator.metrics.exchangesOpened).to.be.greaterThan(0);
    expect(cluster.run(5000, () => cluster.converged())).to.equal(true);
    cluster.run(20_000);
    expect(a.replicator.metrics.exchangesComplete).to.be.greaterThan(0);
    expect(b.replicator.metrics.exchangeEntriesReceived).to.equal(0);
    // And what was written, but went to nobody, is found when the burst has arrived.
    a.map.put("untold", bytesOf("x"), { now: cluster.now });
    expect(cluster.run(20_000, () => cluster.converged())).to.equal(true);
    cluster.run(10_000);
    expect(b.replicator.metrics.exchangeEntriesReceived).to.equal(1);
  });

  it("wait while the others' disks are slow, and are not lost", () => {
    const cluster = new TestCluster({ commitMs: 200, frameMs: 1, pingMs: 1e9 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    for (let i = 0; i < 12; i += 1) {
      const entries = Array.from({ length: 1000 }, (_, j) =>
        a.map.put(`key ${i} ${j}`, new Uint8Array(900), { now: cluster.now }),
      );
      cluster.apply(a, a.replicator.handleWrite(entries, cluster.now));
      cluster.apply(a, a.replicator.flush(cluster.now));
    }
    cluster.run(150);
    expect(b.map.size).to.be.within(8000, 9500); // 8 MiB wait for their commit
    expect(cluster.run(2000, () => cluster.converged())).to.equal(true);
    expect(b.replicator.metrics.exchangeEntriesReceived).to.equal(0);
  });

  it("are exchanged at once where a stream was cut (rule 11): no ping has to tell", () => {
    const cluster = new TestCluster({ pingMs: 1e9, frameMs: 1, loss: 1 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    burst(cluster, 12_000);
    cluster.run(2);
    cluster.connected = (x, y) => x !== b.id && y !== b.id;
    cluster.cutStreams();
    cluster.connected = () => true;
    const cutAt = cluster.now;
    expect(cluster.converged()).to.equal(false);
    expect(cluster.run(1000, () => cluster.converged())).to.equal(true);
    expect(cluster.now - cutAt).to.be.below(500);
    cluster.run(50);
    const exchanged = a.eventsOf("exchanged").map(({ reason, peer }) => [reason, peer]);
    expect(exchanged).to.deep.equal([["dropped", b.id]]);
  });

  it("are exchanged at once by a pair that had nothing to tell for long", () => {
    const cluster = new TestCluster({ loss: 1, frameMs: 1, periodicMs: 5000 });
    const b = cluster.node(1);
    cluster.run(120_000); // the pace of the pairs is 30 s now
    burst(cluster, 12_000);
    cluster.run(2);
    cluster.connected = (x, y) => x !== b.id && y !== b.id;
    cluster.cutStreams();
    cluster.connected = () => true;
    expect(cluster.converged()).to.equal(false);
    expect(cluster.run(1500, () => cluster.converged())).to.equal(true);
  });
});

describe("the push stream of a member that was out of reach", () => {
  it("is cut: a connection that was interrupted takes writes, and gives them out a minute later", () => {
    const cluster = new TestCluster({ nodes: 2, pingMs: 200 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    cluster.put(a, "before", "v");
    cluster.run(100);
    cluster.put(a, "streamed", "v");
    cluster.run(100);
    expect(a.replicator.metrics.bulkPushes).to.be.greaterThan(0);
    cluster.connected = () => false;
    cluster.put(a, "lost", "v");
    cluster.run(5000);
    cluster.meet(a, b, "dead");
    cluster.meet(b, a, "dead");
    cluster.run(30_000);
    cluster.connected = () => true;
    cluster.meet(a, b);
    cluster.meet(b, a);
    expect(cluster.run(2000, () => cluster.converged())).to.equal(true);
    cluster.run(10_000);
    // From then on each write is there in milliseconds again, and by no exchange.
    const { exchangeEntriesReceived } = b.replicator.metrics;
    for (let i = 0; i < 10; i += 1) {
      cluster.put(a, `after ${i}`, "v");
      expect(
        cluster.run(10, () => cluster.converged()),
        `write ${i}`,
      ).to.equal(true);
      cluster.run(500);
    }
    expect(b.replicator.metrics.exchangeEntriesReceived).to.equal(exchangeEntriesReceived);
  });

  it("tells who waits for a confirmation that none will come (rule 18)", () => {
    const cluster = new TestCluster({ nodes: 3 });
    const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
    cluster.connected = (x, y) => ![x, y].includes(b.id);
    const entry = cluster.put(a, "k", "v");
    const { effects } = a.replicator.follow(entry, { needed: 2, timeoutMs: 60_000 }, cluster.now);
    cluster.apply(a, effects);
    cluster.meet(a, b, "dead");
    cluster.run(1000);
    expect(a.eventsOf("receipt")[0]).to.include({ ok: true, acked: 2 });
    expect(c.map.peek("k")).to.not.equal(undefined);
  });
});
