import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { bytesOf, TestCluster, type TestNode } from "./_test_utils.ts";

const KEYS = 600;

/** A node that holds much, and one that joins it and holds nothing. */
function joining(options: ConstructorParameters<typeof TestCluster>[0] = {}): {
  cluster: TestCluster;
  full: TestNode;
  empty: TestNode;
} {
  const cluster = new TestCluster({ nodes: 1, loss: 1, ...options });
  const full = cluster.node(0);
  for (let i = 0; i < KEYS; i += 1) cluster.put(full, `key ${i}`, "x".repeat(300));
  for (let i = 0; i < 20; i += 1) cluster.delete(full, `key ${i * 7}`);
  const empty = cluster.add({ hasSeeds: true });
  return { cluster, full, empty };
}

function meet(cluster: TestCluster, a: TestNode, b: TestNode): void {
  cluster.meet(a, b);
  cluster.meet(b, a);
}

function typesFrom(cluster: TestCluster, node: TestNode): string[] {
  return cluster.frames.filter(({ from }) => from === node.id).map(({ type }) => type);
}

function received(node: TestNode): number {
  return node.eventsOf("exchanged").reduce((sum, event) => sum + event.received, 0);
}

describe("the first copy (rule 12)", () => {
  it("comes in the order of keys by one question, deletes too, before the digests are compared", () => {
    const { cluster, full, empty } = joining({ frameBytes: 16 * 1024 });
    const order: string[] = [];
    const merge = empty.map.merge.bind(empty.map);
    empty.map.merge = (entries, options) => {
      const list = [...entries];
      order.push(...list.map(({ key }) => key));
      return merge(list, options);
    };
    cluster.put(full, "large", new Uint8Array(700_000));
    meet(cluster, empty, full);
    expect(cluster.run(20_000, () => empty.replicator.ready)).to.equal(true);
    expect(cluster.converged()).to.equal(true);
    expect(order).to.deep.equal(full.map.entries({ all: true }).map(({ key }) => key));
    expect(empty.map.statistics().tombstones).to.equal(20);
    const asked = typesFrom(cluster, empty);
    expect(asked.filter((type) => type === "copyWant")).to.have.lengthOf(1);
    expect(asked).to.not.include("leafWant").and.to.not.include("leafSums");
    expect(received(empty)).to.equal(KEYS + 1);
  });

  it("goes on after the last key that came, whoever serves it then", () => {
    const { cluster, full, empty } = joining({
      sessionBytes: 40_000,
      frameBytes: 10_000,
      frameMs: 2,
    });
    meet(cluster, empty, full);
    cluster.run(20_000, () => empty.eventsOf("exchanged").length > 0);
    expect(empty.eventsOf("exchanged")[0]).to.deep.include({ complete: false, code: "bytes" });
    expect(cluster.run(60_000, () => empty.replicator.ready)).to.equal(true);
    expect(cluster.converged()).to.equal(true);
    cluster.run(10);
    expect(empty.eventsOf("exchanged").length).to.be.greaterThan(2);
    expect(typesFrom(cluster, empty)).to.not.include("leafSums");
    expect(received(empty)).to.be.within(KEYS, KEYS + 50);
  });

  it("goes on after a restart where it was kept", () => {
    const { cluster, full, empty } = joining({ sessionBytes: 2_000_000 });
    for (let i = 0; i < 40; i += 1) cluster.put(full, `large ${i}`, new Uint8Array(500_000));
    meet(cluster, empty, full);
    cluster.run(60_000, () => empty.map.statistics().valueBytes > 12_000_000);
    const bytes = empty.map.statistics().valueBytes;
    expect(empty.replicator.ready).to.equal(false);
    cluster.kill(empty);
    cluster.run(1000);
    cluster.frames.length = 0;
    const before = cluster.wire.frameBytes;
    cluster.restart(empty);
    expect(cluster.run(60_000, () => empty.replicator.ready)).to.equal(true);
    expect(cluster.converged()).to.equal(true);
    expect(cluster.frames.some(({ type }) => type === "copyWant")).to.equal(true);
    // 8 MiB are copied again at most.
    expect(cluster.wire.frameBytes - before).to.be.below(20_200_000 - bytes + 10_000_000);
    expect(empty.map.getMeta("replication-copied")).to.equal(undefined);
  });

  it("is left out by a node that holds something, and with a peer that does not know of it", () => {
    const own = joining();
    for (let i = 0; i < 200; i += 1) own.cluster.put(own.empty, `own ${i}`, "1");
    meet(own.cluster, own.empty, own.full);
    expect(own.cluster.run(20_000, () => own.cluster.converged())).to.equal(true);
    expect(typesFrom(own.cluster, own.empty)).to.not.include("copyWant");

    const old = joining();
    old.cluster.change = (frame) =>
      frame.type === "exchangeOpen" ? { ...frame, copies: false } : frame;
    meet(old.cluster, old.empty, old.full);
    expect(old.cluster.run(20_000, () => old.empty.replicator.ready)).to.equal(true);
    expect(old.cluster.converged()).to.equal(true);
    expect(typesFrom(old.cluster, old.empty)).to.include("leafWant").and.to.not.include("copyWant");
  });

  it("is served once at a time", () => {
    const { cluster, full, empty } = joining();
    const { stream } = full.replicator.acceptStream(empty.id, "exchange", cluster.now);
    const open = { heard: [], seen: 0, horizon: 0, clock: 0, reason: "join", counter: 0, keys: 0 };
    const frames = [
      { type: "memberPage", members: [], last: true },
      {
        type: "exchangeOpen",
        ...open,
        ready: false,
        bytes: 0,
        below: 0,
        copies: true,
        anchored: true,
      },
      { type: "copyWant", sequence: 1, after: "" },
      { type: "copyWant", sequence: 2, after: "" },
    ] as const;
    for (const frame of frames) {
      expect(full.replicator.metrics.misbehaved).to.equal(0);
      full.replicator.handleFrame(stream, frame, cluster.now);
    }
    expect(full.replicator.metrics.misbehaved).to.equal(1);
  });

  it("ends with the same on both sides, whatever is written meanwhile and however often it is cut", () => {
    const write = fc.record({
      node: fc.integer({ min: 0, max: 1 }),
      key: fc.integer({ min: 0, max: 700 }),
      deleted: fc.boolean(),
      waitMs: fc.integer({ min: 0, max: 4 }),
    });
    fc.assert(
      fc.property(
        fc.array(write, { maxLength: 60 }),
        fc.integer({ min: 20_000, max: 400_000 }),
        fc.integer(),
        (writes, sessionBytes, seed) => {
          const { cluster, full, empty } = joining({
            seed,
            sessionBytes,
            frameBytes: 10_000,
            frameMs: 1,
          });
          meet(cluster, empty, full);
          for (const { node, key, deleted, waitMs } of writes) {
            cluster.run(waitMs);
            const at = node === 0 ? full : empty;
            if (deleted) cluster.delete(at, `key ${key}`);
            else cluster.put(at, `key ${key}`, bytesOf(`${node}`));
          }
          expect(cluster.run(120_000, () => cluster.converged())).to.equal(true);
          expect(cluster.run(60_000, () => empty.replicator.ready)).to.equal(true);
          const [a, b] = cluster.nodes.map((node) => node.map.entries({ all: true }));
          expect(a).to.deep.equal(b);
        },
      ),
      { numRuns: 15 },
    );
  });
});
