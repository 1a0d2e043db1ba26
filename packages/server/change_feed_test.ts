import assert from "node:assert/strict";
import { VersionedMap } from "@dnd/store";
import { ChangeFeed, type FeedChange } from "./change_feed.ts";
import { startAlone, until } from "./_test_utils.ts";

const bytes = new Uint8Array([1]);

/** A map on a clock that stands where it is told, and its feed. */
class Rig {
  nowMs = 1_800_000_000_000;
  readonly map: VersionedMap;
  readonly feed: ChangeFeed;

  constructor({ maxExpiries, generation = 1 }: { maxExpiries?: number; generation?: number } = {}) {
    this.map = new VersionedMap({ node: "a", clock: () => this.nowMs });
    this.feed = new ChangeFeed(this.map, {
      id: "a",
      generation,
      onError: (error) => assert.fail(String(error)),
      ...(maxExpiries === undefined ? {} : { maxExpiries }),
    });
  }

  put(key: string, ttlMs?: number): string {
    this.map.put(key, bytes, ttlMs === undefined ? {} : { ttlMs });
    this.feed.poke();
    return this.feed.idOf(this.map.counter);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.feed.expired(this.map.expire());
  }

  /** Everything that a reader gets who comes back with an id. */
  resume(after: string): readonly string[] {
    const start = this.feed.startAfter(after);
    if (start.reset !== undefined) return [`reset: ${start.reset}`];
    const { changes } = this.feed.expiredFrom(start.expiries, start.counter);
    const told = (change: FeedChange): string => `${change.type} ${change.key}`;
    return [...changes, ...this.feed.page(start.counter).changes].map(told);
  }
}

describe("ChangeFeed", () => {
  it("tells who comes back what has expired meanwhile, once, and with the changes since", () => {
    const rig = new Rig();
    rig.put("early", 10);
    rig.pass(10);
    rig.put("a", 997);
    const seen = rig.put("b", 998);
    rig.put("c", 999);
    const last = rig.put("d");
    assert.deepEqual(rig.resume(seen), ["put c", "put d"]);
    rig.pass(1_000);
    assert.deepEqual(rig.resume(seen), ["expire a", "expire b", "expire c", "put d"]);
    assert.deepEqual(rig.resume(last), ["expire a", "expire b", "expire c"]);
    const later = rig.put("e");
    assert.deepEqual(rig.resume(later), []);
  });

  it("does not tell of what was written again since", () => {
    const rig = new Rig();
    rig.put("a", 1_000);
    const seen = rig.put("b", 1_000);
    rig.pass(1_000);
    rig.put("a");
    rig.map.delete("b");
    assert.deepEqual(rig.resume(seen), ["put a", "delete b"]);
  });

  it("says reset to who comes back from before what it remembers", () => {
    const rig = new Rig({ maxExpiries: 2 });
    const first = rig.put("0", 10);
    rig.pass(10);
    const seen = rig.put("1", 10);
    rig.pass(10);
    rig.put("2", 10);
    rig.pass(10);
    assert.deepEqual(rig.resume(seen), ["expire 1", "expire 2"]);
    assert.deepEqual(rig.resume(first), ["reset: more has expired since than is remembered"]);
  });

  it("says exactly why it cannot continue behind an id", () => {
    const rig = new Rig({ generation: 3 });
    rig.put("a");
    const last = rig.put("b");
    assert.equal(last, "a.3.2");
    const unknown = "the id is none that a node gives";
    const future = "the id has not been given yet";
    const earlier = "the id is from before the node's last start";
    const other = "the id is of another node";
    for (const [id, reason] of [
      ["b.3.2", other],
      ["ab.1.9999", other],
      [`${"f".repeat(32)}.1.1`, other],
      ["a.2.1", earlier],
      ["a.1.9999", earlier],
      ["a.3.3", future],
      ["a.3.9999999999999999", future],
      ["a.4.1", future],
      ["nonsense", unknown],
      ["", unknown],
      ["a.3", unknown],
      ["a.3.", unknown],
      ["a.3.x", unknown],
      ["a.3.-1", unknown],
      ["a.3.01", unknown],
      ["a.0.1", unknown],
      ["a.3.1.1", unknown],
      [" a.3.1", unknown],
      ["A.3.1", unknown],
      [`${"f".repeat(33)}.1.1`, unknown],
    ] as const) {
      assert.deepEqual(rig.resume(id), [`reset: ${reason}`], id);
    }
    assert.deepEqual(rig.resume("a.3.0"), ["put a", "put b"]);
    assert.deepEqual(rig.resume(last), []);
  });

  it("says when the change log does not reach back", () => {
    const rig = new Rig();
    const first = rig.put("a");
    rig.map.delete("a");
    rig.put("b");
    // A delete that is forgotten leaves the log, so from before it nothing can be told completely.
    rig.pass(1_000);
    rig.map.reap(rig.map.entries({ prefix: "b" })[0]?.version.time ?? 0);
    assert.deepEqual(rig.resume(first), ["reset: the change log does not reach back so far"]);
  });
});

describe("a watch of a node", () => {
  it("hears of a write in the same turn, and of those that are made while it is told of others", async () => {
    const { node } = await startAlone();
    try {
      const watch = node.watch();
      const rounds = 50;
      const writing = node.put("0", 0);
      for (let n = 0; n < rounds; n += 1) {
        const { value } = await watch.next();
        assert.ok(value?.type === "put" && value.key === String(n), JSON.stringify(value));
        // Each lands a few turns of the microtask queue later than the one before.
        for (let turn = 0; turn < n % 8; turn += 1) await Promise.resolve();
        await node.put(String(n + 1), n);
      }
      await writing;
      await watch.close();
    } finally {
      await node.close();
    }
  });
});

describe("a watch that comes back", () => {
  it("hears of what expired while it was away, over HTTP and in the library", async () => {
    const { node, url } = await startAlone();
    try {
      const key = "ttl/short";
      const watch = node.watch({ prefix: "ttl/" });
      await node.put(key, 1, { ttlMs: 100 });
      const { value: put } = await watch.next();
      await watch.close();
      assert.equal(put?.type, "put");
      await until("it has expired", async () => (await node.get(key)) === undefined);
      // Reading as absent comes first; the feed tells of it at its next look.
      const other = node.watch({ prefix: "ttl/", after: put.id ?? "" });
      assert.equal((await other.next()).value?.type, "expire");
      await other.close();

      const again = node.watch({ prefix: "ttl/", after: put.id ?? "" });
      const { value: expired } = await again.next();
      assert.deepEqual([expired?.type, expired?.id], ["expire", put.id]);
      await again.close();

      const controller = new AbortController();
      const response = await fetch(`${url}/watch?prefix=ttl/`, {
        headers: { "last-event-id": put.id ?? "" },
        signal: controller.signal,
      });
      let text = "";
      for await (const chunk of response.body ?? []) {
        text += Buffer.from(chunk as Uint8Array).toString();
        if (text.includes("event: expire")) break;
      }
      controller.abort();
      assert.match(text, /event: expire\nid: \S+\ndata: \{"key":"ttl\/short"/);
    } finally {
      await node.close();
    }
  });
});
