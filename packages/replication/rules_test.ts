import { expect } from "chai";
import { describe, it } from "mocha";
import { compareVersions, MemoryEngine, stampOf, VersionedMap } from "@dnd/store";
import { TIME_ORIGIN_MS } from "@dnd/store/engine";
import { SUMMARY_DROPPED } from "@dnd/protocol";
import { Replicator } from "./replicator.ts";
import { bytesOf, idOf, START_MS, TestCluster, type TestNode } from "./_test_utils.ts";

const HOUR = 3_600_000;

function value(cluster: TestCluster, node: TestNode, key: string): string | undefined {
  const bytes = node.map.get(key, { now: cluster.wall(node) })?.value;
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

describe("rule 1: forgetting deletes", () => {
  it("forgets a tombstone on every node once everybody has it and the grace is over", () => {
    const cluster = new TestCluster({ nodes: 3, pingMs: 20_000 });
    cluster.put(cluster.node(0), "k", "v");
    cluster.run(1000);
    cluster.delete(cluster.node(1), "k");
    cluster.run(HOUR / 2);
    for (const node of cluster.nodes) expect(node.map.peek("k")?.deleted).to.equal(true);
    cluster.run(HOUR);
    for (const node of cluster.nodes) {
      expect(node.map.peek("k"), node.id).to.equal(undefined);
      expect(node.map.horizon).to.be.greaterThan(stampOf(START_MS));
    }
    expect(cluster.converged()).to.equal(true);
  });

  it("forgets nothing while a dead member has not seen it, and names that member (rule 10)", () => {
    const cluster = new TestCluster({ nodes: 3, pingMs: 120_000, periodicMs: 600_000 });
    const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
    cluster.put(a, "k", "v");
    cluster.run(1000);
    cluster.kill(c);
    cluster.delete(a, "k");
    cluster.run(28 * HOUR);
    expect(a.map.peek("k")?.deleted).to.equal(true);
    expect(a.replicator.status().heldBackBy?.member).to.equal(c.id);
    expect(b.eventsOf("held-back")[0]?.member).to.equal(c.id);
    cluster.restart(c);
    cluster.run(2 * HOUR);
    for (const node of cluster.nodes) expect(node.map.peek("k")).to.equal(undefined);
  });

  it("takes the peer's state below the horizon it missed, and sets aside what it alone held", () => {
    const cluster = new TestCluster({ nodes: 3, pingMs: 20_000, periodicMs: 300_000 });
    const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
    cluster.put(a, "deleted", "v");
    cluster.run(1000);
    // c is cut off; it takes writes that nobody hears of, and is forgotten.
    cluster.connected = (x, y) => x !== c.id && y !== c.id;
    cluster.cutStreams();
    cluster.put(c, "alone", "old");
    // What has expired is no loss: it is not set aside.
    const now = cluster.wall(c);
    cluster.wrote(c, c.map.put("expired", bytesOf("old"), { now, ttlMs: 2.5 * HOUR }));
    const departed = a.replicator.departureStamp(cluster.wall(a));
    for (const node of [a, b]) {
      const { id, generation } = c;
      cluster.apply(
        node,
        node.replicator.handleMember({ id, state: "forgotten", generation, departed }, cluster.now),
      );
    }
    cluster.delete(a, "deleted");
    cluster.run(3 * HOUR);
    expect(a.map.peek("deleted")).to.equal(undefined);
    cluster.put(c, "recent", "new");
    c.map.expire({ now: cluster.wall(c) });
    cluster.connected = () => true;
    cluster.canSetAside = false;
    cluster.meet(c, a);
    cluster.meet(c, b);
    cluster.run(HOUR / 6);
    // What cannot be written anywhere does not leave the map, and the exchange is not complete.
    expect(c.aside).to.deep.equal([]);
    expect(c.map.peek("alone")).not.to.equal(undefined);
    expect(c.replicator.ready).to.equal(false);
    const ended = c.eventsOf("exchanged").filter(({ code }) => code === "storage");
    expect(ended.length).to.be.within(2, 150); // ten minutes
    cluster.canSetAside = true;
    cluster.run(HOUR / 2);
    expect(c.aside.map(({ key }) => key).sort()).to.deep.equal(["alone", "deleted"]);
    expect(c.replicator.metrics.setAside).to.equal(2);
    for (const node of cluster.nodes) {
      expect(value(cluster, node, "deleted"), node.id).to.equal(undefined);
      expect(value(cluster, node, "alone"), node.id).to.equal(undefined);
      expect(value(cluster, node, "recent"), node.id).to.equal("new");
    }
    // Rule 3: it came back with a higher generation, through an exchange.
    expect(c.generation).to.equal(2);
    expect(c.eventsOf("not-ready")[0]?.reason).to.equal("forgotten");
    expect(c.replicator.ready).to.equal(true);
  });

  it("keeps what is newer than a version that the peer still holds, below the horizon too", () => {
    const cluster = new TestCluster({ nodes: 3, pingMs: 20_000, periodicMs: 300_000 });
    const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
    for (const key of ["deleted there", "written there", "deleted there, written later"]) {
      cluster.put(a, key, "v");
    }
    cluster.run(1000);
    cluster.connected = (x, y) => x !== c.id && y !== c.id;
    cluster.cutStreams();
    cluster.delete(c, "deleted there");
    cluster.put(c, "written there", "newer");
    cluster.delete(c, "deleted there, written later");
    const departed = a.replicator.departureStamp(cluster.wall(a));
    for (const node of [a, b]) {
      const { id, generation } = c;
      cluster.apply(
        node,
        node.replicator.handleMember({ id, state: "forgotten", generation, departed }, cluster.now),
      );
    }
    cluster.run(3 * HOUR);
    cluster.put(b, "deleted there, written later", "later");
    // b is away when c is admitted by a: it hears of the delete by way of others, or not in time.
    cluster.connected = (x, y) => x !== b.id && y !== b.id;
    cluster.cutStreams();
    cluster.meet(c, a);
    cluster.run(HOUR / 2);
    expect(c.replicator.ready).to.equal(true);
    expect(c.map.horizon).to.be.greaterThan(departed);
    cluster.connected = () => true;
    cluster.meet(c, b);
    cluster.run(3 * HOUR);
    expect(c.aside).to.deep.equal([]);
    expect(c.replicator.metrics.retained).to.be.greaterThan(0);
    for (const node of cluster.nodes) {
      expect(value(cluster, node, "deleted there"), node.id).to.equal(undefined);
      expect(value(cluster, node, "written there"), node.id).to.equal("newer");
      expect(value(cluster, node, "deleted there, written later"), node.id).to.equal("later");
      expect(node.map.peek("deleted there"), "is forgotten in the end").to.equal(undefined);
    }
  });

  it("forgets no delete of a node that nobody counted yet, before everybody has heard of it", () => {
    const cluster = new TestCluster({ nodes: 2, pingMs: 5000, aloneMs: 10 * HOUR });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    cluster.put(a, "k", "v");
    cluster.run(1000);
    const c = cluster.add({ hasSeeds: true });
    cluster.delete(c, "k");
    cluster.run(59 * 60_000);
    cluster.connected = (x, y) => x !== b.id && y !== b.id;
    cluster.cutStreams();
    cluster.meet(c, a);
    cluster.meet(a, c);
    cluster.run(HOUR / 2);
    expect(c.replicator.ready).to.equal(true);
    expect(value(cluster, a, "k")).to.equal(undefined);
    expect(a.map.horizon).to.be.greaterThan(stampOf(START_MS + 60_000));
    cluster.connected = () => true;
    cluster.meet(b, c);
    cluster.run(HOUR / 2);
    for (const node of cluster.nodes)
      expect(value(cluster, node, "k"), node.id).to.equal(undefined);
    cluster.run(2 * HOUR);
    for (const node of cluster.nodes) expect(node.map.peek("k"), node.id).to.equal(undefined);
  });

  it("drops a rumor at or below the horizon for a key that is not held", () => {
    const cluster = new TestCluster({ nodes: 2, pingMs: 5000 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    const late = cluster.put(a, "k", "v");
    cluster.run(10);
    cluster.delete(a, "k");
    cluster.run(2 * HOUR);
    expect(b.map.peek("k")).to.equal(undefined);
    cluster.apply(b, b.replicator.handleUpdate(a.id, { entries: [late] }, cluster.now));
    expect(b.map.peek("k")).to.equal(undefined);
    expect(b.replicator.metrics.rumorsBelowHorizon).to.equal(1);
  });

  it("proves nothing by an exchange in the middle of which deletes were forgotten", () => {
    const cluster = new TestCluster({ nodes: 3, loss: 1, latencyMs: 20, pingMs: 1e9 });
    const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
    cluster.put(c, "k", "v");
    cluster.run(100);
    cluster.kill(c);
    const departed = a.replicator.departureStamp(cluster.wall(a));
    for (const node of [a, b]) {
      const { id, generation } = c;
      const news = { id, state: "forgotten", generation, departed } as const;
      cluster.apply(node, node.replicator.handleMember(news, cluster.now));
    }
    const deleted = cluster.delete(a, "k");
    cluster.run(100);
    cluster.restart(c); // with a higher generation: nobody tells it that it was forgotten
    const opened = cluster.frames.length;
    cluster.apply(c, c.replicator.exchangeWith(a.id, cluster.wall(c)));
    cluster.run(5000, () =>
      cluster.frames
        .slice(opened)
        .some(({ from, type }) => from === a.id && type === "exchangeOpen"),
    );
    a.map.reap(deleted.version.time, 100); // as by a ping of somebody who has proof
    cluster.run(5000, () => c.eventsOf("exchanged").length > 0);
    expect(c.eventsOf("exchanged").at(-1)).to.include({ complete: false, code: "horizon" });
    cluster.apply(c, c.replicator.exchangeWith(a.id, cluster.wall(c)));
    cluster.run(60_000);
    expect(c.aside.map(({ key }) => key)).to.deep.equal(["k"]);
    for (const node of [a, c]) expect(value(cluster, node, "k"), node.id).to.equal(undefined);
  });

  it("treats an entry that had to wait for its time (rule 8) as the late rumor that it is", () => {
    const times = { graceMs: 200, horizonStepMs: 50, promiseIntervalMs: 100, pingMs: 100 };
    const cluster = new TestCluster({ nodes: 2, ...times });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    b.offsetMs = -5000;
    cluster.put(a, "k", "v");
    cluster.run(50);
    expect(b.replicator.metrics.waitingEntries).to.equal(1);
    b.offsetMs = 0; // its clock is right now, and what waits will wait for longer than it should
    cluster.delete(b, "k");
    const forgotten = (): boolean => cluster.nodes.every((n) => n.map.peek("k") === undefined);
    expect(cluster.run(4000, forgotten)).to.equal(true);
    expect(b.replicator.metrics.waitingEntries).to.equal(1);
    cluster.run(6000);
    expect(b.replicator.metrics.waitingEntries).to.equal(0);
    expect(b.replicator.metrics.rumorsBelowHorizon).to.be.greaterThan(0);
    for (const node of cluster.nodes)
      expect(value(cluster, node, "k"), node.id).to.equal(undefined);
  });

  it("leaves only after a full exchange with a ready member, and says when", () => {
    const cluster = new TestCluster({ nodes: 3, loss: 1 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    cluster.put(a, "k", "only here");
    cluster.apply(a, a.replicator.leave(cluster.now));
    cluster.run(1000, () => a.eventsOf("left").length > 0);
    expect(a.eventsOf("left")[0]?.departed).to.be.greaterThan(a.map.peek("k")?.version.time ?? 0);
    const others = [b, cluster.node(2)].filter((node) => value(cluster, node, "k") !== undefined);
    expect(others.length).to.be.greaterThan(0);
    expect(a.replicator.ready).to.equal(false);
  });

  it("does not leave when it knows nobody to leave to", () => {
    const cluster = new TestCluster({ nodes: 1 });
    const a = cluster.node(0);
    cluster.apply(a, a.replicator.leave(cluster.now));
    expect(a.eventsOf("left")).to.have.length(0);
    expect(a.eventsOf("leave-failed")).to.have.length(1);
    expect(a.replicator.ready).to.equal(true);
  });

  it("does not leave when nobody can take over", () => {
    const cluster = new TestCluster({ nodes: 2 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    cluster.kill(b);
    cluster.apply(a, a.replicator.leave(cluster.now));
    expect(a.eventsOf("leave-failed")).to.have.length(1);
    expect(a.replicator.ready).to.equal(true);
  });
});

describe("rule 4: big entries", () => {
  it("go to the others at once over the stream", () => {
    const cluster = new TestCluster({ nodes: 3 });
    const large = new Uint8Array(300_000).fill(7);
    cluster.put(cluster.node(0), "large", large);
    cluster.run(100);
    for (const node of cluster.nodes) {
      expect(node.map.get("large", { now: cluster.now })?.value).to.deep.equal(large);
    }
  });
});

describe("rule 8: skew", () => {
  it("lets a stamp that is a little early wait for its time", () => {
    const cluster = new TestCluster({ nodes: 3 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    a.offsetMs = 3000;
    cluster.put(a, "early", "v");
    cluster.run(50);
    expect(value(cluster, b, "early")).to.equal(undefined);
    expect(b.replicator.metrics.waitingEntries).to.equal(1);
    cluster.run(3500);
    expect(value(cluster, b, "early")).to.equal("v");
    expect(b.replicator.metrics.skewRefused).to.equal(0);
  });

  it("refuses what is far ahead, counts it under its writer, and the key stays writable", () => {
    const cluster = new TestCluster({ nodes: 3 });
    const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
    a.offsetMs = 10 * 365 * 24 * HOUR;
    cluster.put(a, "k", "from the future");
    cluster.run(5000);
    expect(value(cluster, b, "k")).to.equal(undefined);
    expect(Object.keys(b.replicator.status().skewedNodes)).to.deep.equal([a.id]);
    cluster.put(b, "k", "now");
    cluster.run(100);
    expect(value(cluster, c, "k")).to.equal("now");
    // It is told so, and is not ready.
    expect(a.replicator.ready).to.equal(false);
    expect(a.eventsOf("skewed").at(-1)?.skewed).to.equal(true);
    expect(b.replicator.ready).to.equal(true);
  });

  it("gets out of it by itself when the clock is right: what it took gets new stamps, in order", () => {
    const cluster = new TestCluster({ nodes: 3 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    a.offsetMs = 24 * HOUR;
    cluster.put(a, "first", "1");
    cluster.put(a, "second", "2");
    cluster.run(5000);
    a.offsetMs = 0;
    expect(cluster.run(60_000, () => cluster.converged() && a.replicator.ready)).to.equal(true);
    expect(value(cluster, b, "first")).to.equal("1");
    expect(a.eventsOf("restamped")[0]?.entries).to.equal(2);
    const [first, second] = ["first", "second"].map((key) => b.map.peek(key)?.version);
    if (first === undefined || second === undefined) throw new Error("not there");
    expect(compareVersions(first, second)).to.be.below(0);
    expect(second.time).to.be.below(stampOf(cluster.now + 1000));
  });

  it("keeps the horizon of a clock that was years ahead to itself: deletes go on (rule 1)", () => {
    const cluster = new TestCluster({ nodes: 3, pingMs: 5_000 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    cluster.put(a, "k", "v");
    cluster.run(2 * HOUR);
    const alone = cluster.add({ hasSeeds: false, offsetMs: 10 * 365 * 24 * HOUR });
    cluster.put(alone, "alone", "v");
    cluster.run(5 * 60_000);
    const wrong = alone.map.horizon;
    expect(wrong).to.be.greaterThan(stampOf(cluster.now + HOUR));
    cluster.kill(alone);
    alone.offsetMs = 0;
    cluster.restart(alone);
    cluster.run(60_000);
    expect(cluster.converged()).to.equal(true);
    for (const { map } of cluster.nodes) {
      expect(map.horizon).to.be.at.most(stampOf(cluster.now - HOUR));
      expect(map.peek("alone")).to.not.equal(undefined);
    }
    // Nobody believes such a horizon either.
    cluster.change = (frame) =>
      frame.type === "exchangeOpen" ? { ...frame, horizon: wrong } : frame;
    cluster.apply(a, a.replicator.exchangeWith(b.id, cluster.now));
    cluster.run(1000);
    expect(b.eventsOf("exchanged").at(-1)).to.include({ complete: false, code: "refused" });
    expect(b.replicator.metrics.misbehaved).to.equal(0); // it may be about to learn that its clock was wrong
    cluster.change = (frame) => frame;
    cluster.delete(a, "k");
    cluster.run(60_000);
    for (const { map } of cluster.nodes) expect(map.peek("k")?.deleted).to.equal(true);
  });

  it("two nodes that disagree both report, and both go on", () => {
    const cluster = new TestCluster({ nodes: 2 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    a.offsetMs = HOUR;
    cluster.run(5000);
    expect(a.eventsOf("clock-disagreement").length).to.be.greaterThan(0);
    expect(b.eventsOf("clock-disagreement").length).to.be.greaterThan(0);
    expect([a.replicator.ready, b.replicator.ready]).to.deep.equal([true, true]);
  });
});

describe("rule 9: promises are about committed entries", () => {
  it("confirms and promises nothing before the commit", () => {
    const cluster = new TestCluster({ nodes: 2, commitMs: 100 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    cluster.run(30_000);
    const entry = cluster.put(a, "k", "v");
    const { receipt, effects } = a.replicator.follow(
      entry,
      { needed: 2, timeoutMs: 1000 },
      cluster.now,
    );
    cluster.apply(a, effects);
    cluster.run(50);
    expect(value(cluster, b, "k")).to.equal("v");
    expect(a.eventsOf("receipt")).to.deep.equal([]);
    expect(b.replicator.summary(cluster.now).seen).to.be.below(entry.version.time);
    cluster.run(100);
    expect(a.eventsOf("receipt")).to.deep.equal([
      { type: "receipt", receipt, acked: 2, needed: 2, superseded: false, ok: true },
    ]);
  });

  it("nothing any more after the storage failed (rule 17)", () => {
    const cluster = new TestCluster({ nodes: 2 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    cluster.apply(b, b.replicator.handleStorageFailed(cluster.now));
    const entry = cluster.put(a, "k", "v");
    cluster.apply(
      a,
      a.replicator.follow(entry, { needed: 2, timeoutMs: 500 }, cluster.now).effects,
    );
    cluster.run(2000);
    expect(a.eventsOf("receipt")[0]).to.deep.include({ ok: false, acked: 1 });
    expect(b.map.peek("k")).to.equal(undefined);
  });
});

describe("rule 11: when to exchange", () => {
  it("says that rumors were dropped, and is exchanged with at once", () => {
    const cluster = new TestCluster({ nodes: 2, outboxBytes: 200 });
    const [a] = cluster.nodes as [TestNode, TestNode];
    const entries = Array.from({ length: 30 }, (_, i) =>
      a.map.put(`key ${i}`, bytesOf("v".repeat(i < 10 ? 1 : 200)), { now: cluster.now }),
    );
    cluster.apply(a, a.replicator.handleWrite(entries, cluster.now));
    cluster.apply(a, a.replicator.flush(cluster.now));
    expect(a.replicator.metrics.outboxDropped).to.equal(20);
    expect(a.replicator.summary(cluster.now).flags & SUMMARY_DROPPED).to.equal(SUMMARY_DROPPED);
    expect(cluster.run(1500, () => cluster.converged())).to.equal(true);
    cluster.run(1500);
    expect(a.replicator.summary(cluster.now).flags & SUMMARY_DROPPED).to.equal(0);
  });

  it("exchanges soon with a member that is back: a split heals in a second, not in five (law 6)", () => {
    const cluster = new TestCluster({ nodes: 5, pingMs: 1000, periodicMs: 1e9 });
    const away = new Set(cluster.nodes.slice(3).map(({ id }) => id));
    const sides = (x: string, y: string): boolean => away.has(x) === away.has(y);
    const meet = (state: "alive" | "dead"): void => {
      for (const x of cluster.nodes) {
        for (const y of cluster.nodes) if (!sides(x.id, y.id)) cluster.meet(x, y, state);
      }
    };
    for (let round = 0; round < 3; round += 1) {
      cluster.connected = sides;
      cluster.cutStreams();
      meet("dead");
      for (const [i, node] of cluster.nodes.entries()) cluster.put(node, `${round} ${i}`, "v");
      cluster.run(60_000);
      expect(cluster.converged()).to.equal(false);
      cluster.connected = () => true;
      meet("alive");
      expect(cluster.run(1500, () => cluster.converged())).to.equal(true);
      cluster.run(20_000);
    }
    // One at a time, and not with everybody: what the first ones brought need not be fetched again.
    const opened = cluster.nodes.map(({ replicator }) => replicator.metrics.exchangesOpened);
    for (const count of opened) expect(count).to.be.at.most(3 * 3 + 3);
  });

  it("opens nothing under a steady load either: a peer that follows shows what we had a moment ago", () => {
    const cluster = new TestCluster({ latencyMs: 120, rumorMs: () => 120, periodicMs: 1e9 });
    const writer = cluster.node(0);
    const opened = cluster.nodes.map(({ replicator }) => replicator.metrics.exchangesOpened);
    for (let i = 0; i < 2000; i += 1) {
      cluster.put(writer, `key ${i % 50}`, `${i}`);
      cluster.run(10);
    }
    for (const [i, { replicator }] of cluster.nodes.entries()) {
      expect(replicator.metrics.exchangesOpened).to.equal(opened[i]);
      expect(replicator.metrics.digestsFollowing).to.be.greaterThan(10);
    }
  });

  it("finds what is missing under a steady load, and a lost rumor in a quiet cluster soon", () => {
    for (const load of [true, false]) {
      const cluster = new TestCluster({ nodes: 2, periodicMs: 1e9 });
      const [writer, other] = [cluster.node(0), cluster.node(1)];
      writer.map.put("lost", bytesOf("1"), { now: cluster.now }); // told to nobody
      const start = cluster.now;
      for (let i = 0; other.map.peek("lost") === undefined && i < 2000; i += 1) {
        if (load) cluster.put(writer, `key ${i % 50}`, `${i}`);
        cluster.run(10);
      }
      expect(cluster.now - start).to.be.below(7000);
    }
  });

  it("moves no version whose successor is on its way", () => {
    const cluster = new TestCluster({ nodes: 2, loss: 1, periodicMs: 1e9 });
    const [opener, writer] = [cluster.node(0), cluster.node(1)];
    for (let i = 0; i < 20; i += 1) cluster.put(writer, `key ${i}`, "old");
    expect(cluster.run(20_000, () => cluster.converged())).to.equal(true);
    const { exchangeEntriesSent: sent } = opener.replicator.metrics;
    const complete = opener.replicator.metrics.exchangesComplete;
    for (let i = 0; i < 1000; i += 1) {
      cluster.put(writer, `key ${i % 20}`, `new ${i}`); // each one young, and none arrives
      cluster.run(20);
    }
    expect(opener.replicator.metrics.exchangesComplete).to.be.greaterThan(complete);
    expect(opener.replicator.metrics.exchangeEntriesSent).to.equal(sent);
    expect(cluster.run(60_000, () => cluster.converged())).to.equal(true);
  });

  it("opens nothing for differences of a moment: rumors are on their way", () => {
    const cluster = new TestCluster({ nodes: 3, latencyMs: 20, pingMs: 100 });
    for (let i = 0; i < 500; i += 1) {
      cluster.put(cluster.node(i % 3), `key ${i % 50}`, `v ${i}`);
      cluster.run(10);
    }
    const reasons = cluster.nodes.flatMap((node) => node.eventsOf("exchanged"));
    expect(reasons.filter(({ sent, received }) => sent + received > 20)).to.deep.equal([]);
    cluster.run(1000);
    expect(cluster.converged()).to.equal(true);
  });
});

describe("rule 12: ready", () => {
  it("is ready alone at once without seeds, after ten seconds with silent ones", () => {
    const alone = new TestCluster({ nodes: 0 });
    expect(alone.add().replicator.ready).to.equal(true);
    const node = alone.add({ hasSeeds: true });
    expect(node.replicator.ready).to.equal(false);
    alone.run(9000);
    expect(node.replicator.ready).to.equal(false);
    alone.run(2500);
    expect(node.replicator.ready).to.equal(true);
    expect(node.eventsOf("ready")[0]?.alone).to.equal(true);
  });

  it("waits the ten seconds of its timers: a wall clock that steps ends no wait", () => {
    const cluster = new TestCluster({ nodes: 0 });
    const node = cluster.add({ hasSeeds: true });
    cluster.run(3000);
    node.offsetMs = 3_600_000; // as when a machine starts with a wrong clock and is told the time
    cluster.run(5000);
    expect(node.replicator.ready).to.equal(false);
    cluster.run(3500);
    expect(node.replicator.ready).to.equal(true);
  });

  it("asks again when the clock was set back by an hour in the meantime (rule 8)", () => {
    const map = new VersionedMap({ node: idOf(1) });
    const node = new Replicator({ map, prng: () => 0.5, generation: 1, hasSeeds: true });
    const opened = (effects: ReturnType<Replicator["start"]>): number | undefined => {
      for (const effect of effects) if (effect.type === "open-stream") return effect.stream;
      return undefined;
    };
    const ahead = START_MS + 3_600_000;
    node.start(ahead);
    node.handleMember({ id: idOf(2), state: "alive", generation: 1, ready: true }, ahead);
    const stream = opened(node.handleTimer("exchange", ahead));
    node.handleStreamClosed(stream ?? -1, ahead);
    expect(opened(node.handleTimer("exchange", START_MS))).to.equal(undefined);
    expect(opened(node.handleTimer("exchange", START_MS + 500))).to.be.a("number");
  });

  it("with every member in reach if none is ready", () => {
    const cluster = new TestCluster({ nodes: 3, together: false, aloneMs: 600_000 });
    const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
    cluster.put(a, "a", "1"); // plain writes are taken
    cluster.put(b, "b", "2");
    for (const x of cluster.nodes) for (const y of cluster.nodes) if (x !== y) cluster.meet(x, y);
    expect(cluster.run(20_000, () => cluster.nodes.every((n) => n.replicator.ready))).to.equal(
      true,
    );
    expect(cluster.run(20_000, () => cluster.converged())).to.equal(true);
    expect(value(cluster, c, "a")).to.equal("1");
  });

  it("is durable with the data", () => {
    const map = new VersionedMap({ node: idOf(1), engine: new MemoryEngine() });
    const make = (generation: number): Replicator =>
      new Replicator({ map, prng: () => 0.5, generation, hasSeeds: true }, { aloneMs: 1000 });
    const first = make(1);
    for (const effect of first.start(START_MS)) {
      if (effect.type === "commit") first.handleCommitted(effect.mark, START_MS);
    }
    expect(first.ready).to.equal(false);
    for (let tenth = 1; tenth <= 10; tenth += 1) {
      first.handleTimer("ready", START_MS + tenth * 100);
    }
    expect(first.ready).to.equal(true);
    const second = make(2);
    second.start(START_MS + 5000);
    expect(second.ready).to.equal(true);
  });

  it("a node that is not ready counts for no w", () => {
    const cluster = new TestCluster({ nodes: 2 });
    expect(cluster.node(0).replicator.writeTargets()).to.equal(2);
    const joining = cluster.add({ hasSeeds: true });
    cluster.meet(cluster.node(0), joining);
    expect(cluster.node(0).replicator.writeTargets()).to.equal(2);
    expect(joining.replicator.writeTargets()).to.equal(0);
    cluster.meet(joining, cluster.node(0));
    cluster.run(3000);
    expect(cluster.node(0).replicator.writeTargets()).to.equal(3);
  });

  it("starts the clock of a joining node above that of the member that admits it (rule 1)", () => {
    const cluster = new TestCluster({ nodes: 1 });
    const a = cluster.node(0);
    a.map.advanceClock(stampOf(cluster.now + 400));
    const joining = cluster.add({ hasSeeds: true });
    cluster.meet(joining, a);
    cluster.run(1000, () => joining.replicator.ready);
    expect(cluster.put(joining, "k", "v").version.time).to.be.greaterThan(
      stampOf(cluster.now + 300),
    );
    expect(TIME_ORIGIN_MS).to.be.below(START_MS);
  });
});

describe("rule 18: followed writes", () => {
  it("resolve when enough members hold the version, durably", () => {
    const cluster = new TestCluster({ nodes: 3, loss: 1 });
    const [a] = cluster.nodes as [TestNode];
    for (const needed of [1, 2, 3]) {
      const entry = cluster.put(a, `k${needed}`, "v");
      cluster.apply(
        a,
        a.replicator.follow(entry, { needed, timeoutMs: 2000 }, cluster.now).effects,
      );
      cluster.run(100);
      expect(a.eventsOf("receipt").at(-1)).to.deep.include({ ok: true, needed });
      const held = cluster.nodes.filter((node) => node.map.peek(`k${needed}`) !== undefined);
      expect(held.length).to.be.at.least(needed);
    }
  });

  it("say so when a newer version won", () => {
    const cluster = new TestCluster({ nodes: 2, loss: 1 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    const entry = a.map.put("k", bytesOf("old"), { now: cluster.now });
    cluster.run(10);
    cluster.put(b, "k", "new");
    cluster.apply(
      a,
      a.replicator.follow(entry, { needed: 2, timeoutMs: 2000 }, cluster.now).effects,
    );
    cluster.run(100);
    expect(a.eventsOf("receipt")[0]).to.deep.include({ ok: true, superseded: true, acked: 2 });
  });

  it("end partially when a member is dead, and the write stays", () => {
    const cluster = new TestCluster({ nodes: 3 });
    const [a, , c] = cluster.nodes as [TestNode, TestNode, TestNode];
    cluster.kill(c);
    expect(a.replicator.writeTargets()).to.equal(3); // dead ones count
    const entry = cluster.put(a, "k", "v");
    cluster.apply(
      a,
      a.replicator.follow(entry, { needed: 3, timeoutMs: 1000 }, cluster.now).effects,
    );
    cluster.run(900);
    expect(a.eventsOf("receipt")).to.deep.equal([]);
    cluster.run(200);
    expect(a.eventsOf("receipt")[0]).to.deep.include({ ok: false, acked: 2, needed: 3 });
  });

  it("bring in another member when one does not answer", () => {
    const cluster = new TestCluster({ nodes: 4, loss: 1 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    cluster.connected = (x, y) => x !== b.id && y !== b.id;
    cluster.cutStreams();
    const entry = cluster.put(a, "k", "v");
    cluster.apply(
      a,
      a.replicator.follow(entry, { needed: 2, timeoutMs: 3000 }, cluster.now).effects,
    );
    cluster.run(1000);
    expect(a.eventsOf("receipt")[0]).to.deep.include({ ok: true, acked: 2 });
  });

  it("are bounded", () => {
    const cluster = new TestCluster({ nodes: 2, receipts: 2 });
    const [a] = cluster.nodes as [TestNode];
    const follow = (): unknown => {
      const entry = cluster.put(a, "k", "v");
      return a.replicator.follow(entry, { needed: 2, timeoutMs: 3000 }, cluster.now);
    };
    follow();
    follow();
    expect(follow).to.throw(RangeError, "2 receipts are open");
  });
});

describe("explain", () => {
  it("shows what each member holds of a key", () => {
    const cluster = new TestCluster({ nodes: 4, loss: 1 });
    const [a, b, c, d] = cluster.nodes as [TestNode, TestNode, TestNode, TestNode];
    const old = cluster.put(b, "k", "old");
    cluster.run(5);
    const entry = cluster.put(a, "k", "newer");
    cluster.kill(d);
    cluster.apply(a, a.replicator.explain("k", cluster.now).effects);
    cluster.run(100);
    const [explained] = a.eventsOf("explained");
    expect(explained?.key).to.equal("k");
    const of = (id: string): unknown => explained?.answers.find((answer) => answer.node === id);
    expect(of(a.id)).to.deep.include({ version: entry.version, size: 5 });
    expect(of(b.id)).to.deep.include({ version: old.version, size: 3 });
    expect(of(c.id)).to.deep.equal({ node: c.id });
    expect(of(d.id)).to.deep.equal({ node: d.id, error: "unreachable" });
  });
});
