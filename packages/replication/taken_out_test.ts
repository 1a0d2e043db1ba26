import { expect } from "chai";
import { describe, it } from "mocha";
import { type Entry, VersionedMap } from "@dnd/store";
import { MemberTable } from "./member_table.ts";
import { TestCluster, type TestNode } from "./_test_utils.ts";

const TIMES = { graceMs: 300, horizonStepMs: 50, promiseIntervalMs: 100, maxDriftMs: 10 };

/** Nothing by itself: every rumor is lost, nobody pings, and no exchange is due. */
const QUIET = { ...TIMES, loss: 1, pingMs: 1e9, periodicMs: 1e9 };

function exchange(cluster: TestCluster, a: TestNode, b: TestNode): void {
  const ended = a.eventsOf("exchanged").length;
  cluster.apply(a, a.replicator.exchangeWith(b.id, cluster.wall(a)));
  cluster.run(50, () => a.eventsOf("exchanged").length > ended);
  expect(a.eventsOf("exchanged").at(-1)?.complete).to.equal(true);
}

/** What the member records of gossip carry: where `of` is, and up to where it has seen. */
function hear(
  cluster: TestCluster,
  node: TestNode,
  of: TestNode,
  state: "alive" | "left",
  departed = 0,
): void {
  const { generation, replicator } = of;
  const news = { id: of.id, state, generation, departed, seen: replicator.seen };
  cluster.apply(node, node.replicator.handleMember(news, cluster.wall(node)));
}

/**
 * The departure clause: c deletes, tells b alone in the exchange with which it leaves, and a hears of
 * nothing but that c is gone.
 *
 * @returns whether the key is back on a node, and whether the delete was ever forgotten
 */
function departure(): { undone: boolean; forgotten: boolean } {
  const cluster = new TestCluster({ nodes: 3, ...QUIET });
  const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
  cluster.put(a, "k", "v");
  for (const [x, y] of [
    [a, b],
    [b, c],
    [a, c],
  ] as const) {
    exchange(cluster, x, y);
  }
  cluster.delete(c, "k");
  cluster.run(200);
  exchange(cluster, a, b); // a has heard b up to here, and b nothing of the delete
  cluster.run(200);
  cluster.apply(c, c.replicator.leave(cluster.wall(c)));
  // It may leave by way of b alone.
  cluster.connected = (x, y) => x !== a.id && y !== a.id;
  cluster.run(2000, () => c.eventsOf("left").length > 0);
  expect(b.map.peek("k")?.deleted).to.equal(true);
  expect(a.map.peek("k")?.deleted).to.equal(undefined);
  const departed = c.eventsOf("left")[0]?.departed;
  c.up = false;
  for (let i = 0; i < 20; i += 1) {
    for (const node of [a, b]) hear(cluster, node, c, "left", departed);
    hear(cluster, a, b, "alive");
    hear(cluster, b, a, "alive");
    cluster.run(100);
  }
  const early = b.map.peek("k") === undefined;
  cluster.connected = () => true;
  exchange(cluster, a, b);
  const live = [a, b].some(({ map }) => map.get("k", { now: cluster.now }) !== undefined);
  for (let i = 0; i < 20; i += 1) {
    exchange(cluster, a, b);
    cluster.run(100);
  }
  const late = [a, b].every(({ map }) => map.peek("k") === undefined);
  return { undone: live, forgotten: early || late };
}

/** The late-rumor clause: a rumor of a value that arrives when its delete has been forgotten. */
function lateRumor(): { undone: boolean; forgotten: boolean } {
  const cluster = new TestCluster({ nodes: 2, ...TIMES, pingMs: 50 });
  const [a, b] = [cluster.node(0), cluster.node(1)];
  const late: Entry = cluster.put(a, "k", "v");
  cluster.run(10);
  cluster.delete(a, "k");
  const forgotten = cluster.run(10_000, () =>
    cluster.nodes.every(({ map }) => map.peek("k") === undefined),
  );
  cluster.apply(b, b.replicator.handleUpdate(a.id, { entries: [late] }, cluster.now));
  cluster.run(5000);
  const undone = cluster.nodes.some(({ map }) => map.get("k", { now: cluster.now }) !== undefined);
  return { undone, forgotten };
}

/** Runs with a method replaced. */
function without<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  by: T[K],
  run: () => void,
): void {
  const held = prototype[name];
  prototype[name] = by;
  try {
    run();
  } finally {
    prototype[name] = held;
  }
}

// Each clause of rule 1 alone: the scenario holds with it, and undoes the delete without it.
describe("rule 1, one clause at a time", () => {
  it("counts a member that left until the rest of seen has passed its departure", () => {
    expect(departure()).to.deep.equal({ undone: false, forgotten: true });
  });

  it("undoes a delete if whoever left does not count any more", () => {
    const advance: MemberTable["advance"] = Reflect.get(MemberTable.prototype, "advance");
    const withoutClause: MemberTable["advance"] = function (this: MemberTable, clock) {
      const gone = [...this.records].filter(([, { state }]) => state !== "in");
      for (const [id] of gone) this.remove(id);
      advance.call(this, clock);
      for (const [id, record] of gone) this.merge(id, record);
    };
    without(MemberTable.prototype, "advance", withoutClause, () => {
      expect(departure()).to.deep.equal({ undone: true, forgotten: true });
    });
  });

  it("drops a rumor at or below the horizon for a key that is not held", () => {
    expect(lateRumor()).to.deep.equal({ undone: false, forgotten: true });
  });

  it("undoes a delete if late rumors are taken as they come", () => {
    const merge: VersionedMap["merge"] = Reflect.get(VersionedMap.prototype, "merge");
    const withoutClause: VersionedMap["merge"] = function (this: VersionedMap, entries, options) {
      return merge.call(this, entries, { ...options, rumor: false });
    };
    without(VersionedMap.prototype, "merge", withoutClause, () => {
      expect(lateRumor()).to.deep.equal({ undone: true, forgotten: true });
    });
  });
});
