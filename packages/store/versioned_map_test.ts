import type { Change, MergeResult, Refusal } from "./map_options.ts";
import { InputRangeError, InputTypeError } from "./errors.ts";
import { MAX_STAMP, STAMPS_PER_MS } from "./limits.ts";
import { stampOf } from "./version.ts";
import { NOW, STAMP, bytesOf, hexOf, textOf } from "./_test_utils.ts";
import { MemoryEngine } from "./memory_engine.ts";
import { VersionedMap } from "./versioned_map.ts";
import { expect } from "chai";

const HOUR = 3_600_000;

function newMap(node = "a"): VersionedMap {
  return new VersionedMap({ node });
}

describe("VersionedMap", () => {
  describe("put(), get(), has() and delete()", () => {
    it("gives back what was put", () => {
      const map = newMap();
      const entry = map.put("user1", bytesOf("Jack"), { now: NOW, contentType: "text/plain" });
      expect(entry).to.deep.equal({
        key: "user1",
        value: bytesOf("Jack"),
        version: { time: STAMP, node: "a" },
        contentType: "text/plain",
      });
      expect(map.get("user1", { now: NOW })).to.deep.equal(entry);
      expect(map.has("user1", { now: NOW })).to.equal(true);
      expect(map.get("user2", { now: NOW })).to.equal(undefined);
      expect(map.size).to.equal(1);
      expect(map.counter).to.equal(1);
    });

    it("takes a copy of the bytes, whoever owns them", () => {
      const map = newMap();
      for (const length of [4, 5000]) {
        const pooled = Buffer.alloc(length, 1);
        map.put("k", pooled, { now: NOW });
        const plain = new Uint8Array(length).fill(1);
        map.put("l", plain, { now: NOW });
        pooled.fill(9);
        plain.fill(9);
        expect(map.get("k", { now: NOW })?.value).to.deep.equal(new Uint8Array(length).fill(1));
        expect(map.get("l", { now: NOW })?.value).to.deep.equal(new Uint8Array(length).fill(1));
      }
    });

    it("takes names that objects inherit, slashes, emoji, a key of 1,024 bytes, an empty value", () => {
      const map = newMap();
      const keys = [
        "__proto__",
        "constructor",
        "toString",
        "a/b//c/",
        "\u{1f600}".repeat(256),
        "\0",
      ];
      for (const key of keys) map.put(key, bytesOf(key), { now: NOW });
      for (const key of keys) expect(textOf(map.get(key, { now: NOW })?.value)).to.equal(key);
      map.put("empty", new Uint8Array(), { now: NOW });
      expect(map.get("empty", { now: NOW })?.value).to.deep.equal(new Uint8Array());
      expect(map.size).to.equal(keys.length + 1);
    });

    it("deletes by a tombstone, whether the key is there or not", () => {
      const map = newMap();
      map.put("k", bytesOf("x"), { now: NOW });
      const tombstone = map.delete("k", { now: NOW });
      expect(tombstone).to.deep.equal({
        key: "k",
        value: new Uint8Array(),
        version: { time: STAMP + 1, node: "a" },
        deleted: true,
      });
      expect(map.get("k", { now: NOW })).to.equal(undefined);
      expect(map.peek("k")).to.deep.equal(tombstone);
      map.delete("never", { now: NOW });
      expect(map.size).to.equal(0);
      expect(map.statistics().tombstones).to.equal(2);
      expect(map.counter).to.equal(3);
    });

    it("needs no `now` when it has a clock", () => {
      const map = new VersionedMap({ node: "a", clock: () => NOW });
      map.put("k", bytesOf("x"), { ttlMs: 1 });
      expect(map.has("k")).to.equal(true);
      expect(map.get("k", { now: NOW + 1 })).to.equal(undefined);
      expect(map.delete("k").version.time).to.equal(STAMP + 1);
    });
  });

  describe("a TTL", () => {
    it("makes the entry absent at its end, before anybody calls expire()", () => {
      const map = newMap();
      const entry = map.put("k", bytesOf("x"), { now: NOW, ttlMs: 1000 });
      expect(entry.expiresAt).to.equal(NOW + 1000);
      expect(map.get("k", { now: NOW + 999 })).to.deep.equal(entry);
      expect(map.get("k", { now: NOW + 1000 })).to.equal(undefined);
      expect(map.has("k", { now: NOW + 1000 })).to.equal(false);
      expect(map.entries({ now: NOW + 1000 })).to.deep.equal([]);
    });

    it("says what expired since the last call, and when to call next", () => {
      const map = newMap();
      map.put("b", bytesOf("x"), { now: NOW, ttlMs: 20 });
      map.put("a", bytesOf("x"), { now: NOW, ttlMs: 10 });
      map.put("c", bytesOf("x"), { now: NOW, ttlMs: 30 });
      map.put("d", bytesOf("x"), { now: NOW });
      expect(map.nextExpiry).to.equal(NOW + 10);
      expect(map.expire({ now: NOW + 9 })).to.deep.equal([]);
      const expired = map.expire({ now: NOW + 20 });
      expect(expired.map((entry) => [entry.key, textOf(entry.value)])).to.deep.equal([
        ["a", "x"],
        ["b", "x"],
      ]);
      expect(map.expire({ now: NOW + 20 })).to.deep.equal([]);
      expect(map.nextExpiry).to.equal(NOW + 30);
      expect(map.size).to.equal(2);
      map.put("c", bytesOf("y"), { now: NOW });
      expect(map.nextExpiry).to.equal(undefined);
    });

    it("drops value and type and keeps version, expiry and hash (rule 10)", () => {
      const map = newMap();
      const { version, hash, expiresAt } = map.put("k", bytesOf("x"), {
        now: NOW,
        ttlMs: 1,
        contentType: "text/plain",
      });
      const before = map.digest();
      map.expire({ now: NOW + 1 });
      const left = map.peek("k");
      expect(left).to.deep.equal({ key: "k", value: new Uint8Array(), version, expiresAt });
      expect(left?.hash).to.deep.equal(hash);
      expect(map.digest()).to.deep.equal(before);
      expect(map.statistics()).to.include({ live: 0, expired: 1, valueBytes: 0 });
      // and it comes back neither on another replica nor when its clock is behind
      const other = newMap("b");
      expect(other.merge([left ?? expect.fail()], { now: NOW })).to.deep.equal(["applied"]);
      expect(other.get("k", { now: NOW })).to.equal(undefined);
      expect(other.digest()).to.deep.equal(before);
    });

    it("expires in slices when told", () => {
      const map = newMap();
      for (let i = 0; i < 10; i += 1) map.put(`k${i}`, bytesOf("x"), { now: NOW, ttlMs: 1 });
      expect(map.expire({ now: NOW + 1, limit: 4 })).to.have.length(4);
      expect(map.expire({ now: NOW + 1, limit: 4 })).to.have.length(4);
      expect(map.expire({ now: NOW + 1, limit: 4 })).to.have.length(2);
    });
  });

  describe("merge()", () => {
    it("answers applied, superseded or refused for each entry", () => {
      const a = newMap("a");
      const b = newMap("b");
      const old = a.put("k", bytesOf("1"), { now: NOW });
      const entry = a.put("k", bytesOf("2"), { now: NOW });
      const early = a.put("l", bytesOf("3"), { now: NOW + 501 });
      const expected: MergeResult[] = ["applied", "superseded", "superseded", "refused"];
      expect(b.merge([entry, entry, old, early], { now: NOW })).to.deep.equal(expected);
      expect(textOf(b.get("k", { now: NOW })?.value)).to.equal("2");
      expect(b.counter).to.equal(1);
      expect(b.statistics()).to.include({ applied: 1, superseded: 2, refused: 1 });
    });

    it("copies bytes that lie in a frame", () => {
      const map = newMap();
      const frame = Buffer.alloc(64, 7);
      const entry = { key: "k", value: frame.subarray(3, 9), version: { time: STAMP, node: "b" } };
      map.merge([entry], { now: NOW });
      frame.fill(0);
      expect([...(map.get("k", { now: NOW })?.value ?? [])]).to.deep.equal([7, 7, 7, 7, 7, 7]);
    });

    it("lifts the clock, so that a later local write wins", () => {
      const a = newMap("a");
      const b = newMap("b");
      b.merge([a.put("k", bytesOf("a"), { now: NOW + 400 })], { now: NOW });
      const later = b.put("k", bytesOf("b"), { now: NOW });
      expect(a.merge([later], { now: NOW })).to.deep.equal(["applied"]);
    });

    it("refuses a stamp beyond the drift, counts its maker, and keeps its clock (rule 8)", () => {
      const map = newMap();
      const version = { time: stampOf(NOW + 501), node: "ahead" };
      const refusals: Refusal[] = [];
      const onRefused = (refusal: Refusal): unknown => refusals.push(refusal);
      const entry = { key: "k", value: bytesOf("x"), version };
      expect(map.merge([entry], { now: NOW, onRefused })).to.deep.equal(["refused"]);
      expect(refusals).to.deep.equal([{ index: 0, entry, reason: "drift", aheadMs: 501 }]);
      expect(map.statistics().refusedByNode).to.deep.equal({ ahead: 1 });
      expect(map.peek("k")).to.deep.equal(undefined);
      expect(map.put("l", bytesOf("x"), { now: NOW }).version.time).to.equal(STAMP);
      // trusted time is the later of wall time and the median of the members
      const trusted = { now: NOW, trustedNow: NOW + 1 };
      expect(map.merge([entry], trusted)).to.deep.equal(["applied"]);
    });

    it("bounds the names that refusals are counted under", () => {
      const map = newMap();
      const entries = Array.from({ length: 100 }, (_, i) => ({
        key: "k",
        value: bytesOf("x"),
        version: { time: stampOf(NOW + HOUR), node: `n${i}` },
      }));
      map.merge(entries, { now: NOW });
      const { refusedByNode } = map.statistics();
      expect(Object.keys(refusedByNode)).to.have.length(65);
      expect(refusedByNode["*"]).to.equal(36);
    });

    it("never refuses a stamp of its own, and says that it runs on a copy (rules 7 and 19)", () => {
      const map = newMap("a");
      const own = {
        key: "k",
        value: bytesOf("x"),
        version: { time: stampOf(NOW + HOUR), node: "a" },
      };
      const copies: unknown[] = [];
      const onCopy = (entry: unknown): unknown => copies.push(entry);
      expect(map.merge([own], { now: NOW, onCopy })).to.deep.equal(["applied"]);
      expect(copies).to.deep.equal([own]);
      expect(map.merge([own], { now: NOW, onCopy })).to.deep.equal(["superseded"]);
      expect(copies).to.have.length(1);
      expect(map.put("l", bytesOf("y"), { now: NOW }).version.time).to.be.above(own.version.time);
    });

    it("refuses an entry whose hash is not that of its content", () => {
      const a = newMap("a");
      const entry = a.put("k", bytesOf("x"), { now: NOW });
      const { key, version, hash = new Uint8Array(8) } = entry;
      const forged = { key, version, hash, value: bytesOf("y") };
      const refusals: Refusal[] = [];
      const b = newMap("b");
      const onRefused = (refusal: Refusal): unknown => refusals.push(refusal);
      expect(b.merge([forged], { now: NOW, onRefused })).to.deep.equal(["refused"]);
      expect(refusals[0]?.reason).to.equal("hash");
      expect(b.merge([{ ...forged, value: bytesOf("x") }], { now: NOW })).to.deep.equal([
        "applied",
      ]);
      // a value that was dropped before it could have expired was not dropped by us
      const wrong = { key: "l", version, value: new Uint8Array(), hash, expiresAt: NOW + HOUR };
      expect(b.merge([wrong], { now: NOW })).to.deep.equal(["refused"]);
    });

    it("drops a rumor at or below the horizon for a key that it does not hold (rule 1)", () => {
      const map = newMap();
      map.put("held", bytesOf("x"), { now: NOW });
      map.reap(stampOf(NOW + 5));
      const rumor = (key: string, time: number): MergeResult[] =>
        map.merge([{ key, value: bytesOf("y"), version: { time, node: "b" } }], {
          now: NOW,
          rumor: true,
        });
      expect(rumor("gone", stampOf(NOW + 5))).to.deep.equal(["refused"]);
      expect(rumor("gone", stampOf(NOW + 5) + 1)).to.deep.equal(["applied"]);
      expect(rumor("held", stampOf(NOW + 5))).to.deep.equal(["applied"]);
      const exchanged = { key: "other", value: bytesOf("y"), version: { time: STAMP, node: "b" } };
      expect(map.merge([exchanged], { now: NOW })).to.deep.equal(["applied"]);
    });

    it("drops the value of an entry that has expired on its way", () => {
      const a = newMap("a");
      const b = newMap("b");
      const entry = a.put("k", bytesOf("x"), { now: NOW, ttlMs: 5 });
      expect(b.merge([entry], { now: NOW + 5 })).to.deep.equal(["applied"]);
      expect(b.peek("k")?.value).to.deep.equal(new Uint8Array());
      expect(b.digest()).to.deep.equal(a.digest());
    });

    it("keeps a value that has expired by a clock that is not believed (rule 8)", () => {
      const map = newMap("a");
      const other = newMap("b");
      const entry = other.put("k", bytesOf("x"), { now: NOW, ttlMs: 10 });
      const ahead = { now: NOW + HOUR };
      expect(map.merge([entry], { ...ahead, expiryNow: NOW + 9 })).to.deep.equal(["applied"]);
      expect(map.get("k", ahead)).to.equal(undefined);
      expect(textOf(map.get("k", { now: NOW + 9 })?.value ?? bytesOf(""))).to.equal("x");
      map.expire({ now: NOW + 10 });
      expect(map.statistics()).to.include({ live: 0, expired: 1 });
    });

    it("keeps unknown fields, and passes them on", () => {
      const extra = bytesOf("future");
      const entry = { key: "k", value: bytesOf("x"), version: { time: STAMP, node: "b" }, extra };
      const a = newMap("a");
      a.merge([entry], { now: NOW });
      expect(a.peek("k")?.extra).to.deep.equal(extra);
      const b = newMap("b");
      b.merge([{ ...entry, extra: bytesOf("other") }], { now: NOW });
      expect(b.digest()).to.not.deep.equal(a.digest());
    });

    it("stores what the layers above promise with the entries (rule 9)", () => {
      const map = newMap();
      const entry = { key: "k", value: bytesOf("x"), version: { time: STAMP, node: "b" } };
      map.merge([entry], { now: NOW, meta: { heard: bytesOf("b: 1"), gone: undefined } });
      expect(textOf(map.getMeta("heard"))).to.equal("b: 1");
      map.setMeta("heard", undefined);
      expect(map.getMeta("heard")).to.equal(undefined);
    });

    it("takes any iterable, with the same key several times, and thousands at once", () => {
      const a = newMap("a");
      const b = newMap("b");
      const all = Array.from({ length: 9000 }, (_, i) =>
        a.put(`k${i % 5000}`, bytesOf(`${i}`), { now: NOW }),
      );
      const results = b.merge(new Set(all), { now: NOW + HOUR });
      expect(new Set(results)).to.deep.equal(new Set(["applied"]));
      expect(b.counter).to.equal(9000);
      expect(b.digest()).to.deep.equal(a.digest());
    });
  });

  describe("entries()", () => {
    it("lists prefixes and ranges in byte order, page by page", () => {
      const map = newMap();
      const keys = ["b", "a/2", "\u{1f600}", "a/1", "\uffee", "a"];
      for (const key of keys) map.put(key, bytesOf("x"), { now: NOW });
      map.delete("b", { now: NOW });
      const list = (options: object): string[] =>
        map.entries({ now: NOW, ...options }).map((entry) => entry.key);
      expect(list({})).to.deep.equal(["a", "a/1", "a/2", "\uffee", "\u{1f600}"]);
      expect(list({ prefix: "a/" })).to.deep.equal(["a/1", "a/2"]);
      expect(list({ limit: 2 })).to.deep.equal(["a", "a/1"]);
      expect(list({ after: "a/1", limit: 2 })).to.deep.equal(["a/2", "\uffee"]);
      expect(list({ from: "a/1", before: "\uffee" })).to.deep.equal(["a/1", "a/2"]);
      expect(list({ limit: 0 })).to.deep.equal([]);
      expect(list({ all: true })).to.have.length(6);
    });

    it("fills a page although most of what lies there was deleted", () => {
      const map = newMap();
      for (let i = 0; i < 3000; i += 1) map.put(`k${i}`, bytesOf("x"), { now: NOW });
      for (let i = 0; i < 2990; i += 1) map.delete(`k${i}`, { now: NOW });
      expect(map.entries({ now: NOW, limit: 8 })).to.have.length(8);
      expect(map.entries({ now: NOW })).to.have.length(10);
    });

    it("stays right while keys come and go between listings", () => {
      const map = newMap();
      const live = new Set<string>();
      for (let round = 0; round < 30; round += 1) {
        for (let i = 0; i < 60; i += 1) {
          const key = `k${(round * 37 + i * 101) % 500}`;
          if (i % 3 === 0) {
            map.delete(key, { now: NOW + round });
            live.delete(key);
          } else {
            map.put(key, bytesOf("x"), { now: NOW + round });
            live.add(key);
          }
        }
        if (round % 4 === 3) map.reap(stampOf(NOW + round));
        const keys = map.entries({ now: NOW }).map((entry) => entry.key);
        expect(keys).to.deep.equal([...live].sort());
      }
    });
  });

  describe("changesSince()", () => {
    const keys = (changes: Change[]): string[] =>
      changes.map((change) => (change.type === "reset" ? change.reason : change.key));

    it("lists the last change of each key after a counter", () => {
      const map = newMap();
      map.put("a", bytesOf("1"), { now: NOW });
      map.put("b", bytesOf("1"), { now: NOW });
      map.put("a", bytesOf("2"), { now: NOW });
      map.delete("c", { now: NOW });
      expect(map.changesSince(0).map((change) => [change.type, change.counter])).to.deep.equal([
        ["put", 2],
        ["put", 3],
        ["delete", 4],
      ]);
      expect(keys(map.changesSince(0))).to.deep.equal(["b", "a", "c"]);
      expect(keys(map.changesSince(0, { limit: 1 }))).to.deep.equal(["b"]);
      expect(keys(map.changesSince(3))).to.deep.equal(["c"]);
      expect(map.changesSince(4)).to.deep.equal([]);
    });

    it("says reset when the log does not reach back, or the counter is another map's", () => {
      const map = newMap();
      map.put("a", bytesOf("1"), { now: NOW });
      map.delete("a", { now: NOW });
      map.put("b", bytesOf("1"), { now: NOW });
      map.reap(stampOf(NOW + 1));
      expect(map.changesSince(1)).to.deep.equal([
        { type: "reset", reason: "log-truncated", counter: 3 },
      ]);
      expect(keys(map.changesSince(2))).to.deep.equal(["b"]);
      expect(keys(map.changesSince(9))).to.deep.equal(["log-truncated"]);
    });
  });

  describe("reap() and forget()", () => {
    it("forgets tombstones and expired entries at or below the horizon, and no others (rule 1)", () => {
      const map = newMap();
      map.put("live", bytesOf("x"), { now: NOW });
      map.put("ttl", bytesOf("x"), { now: NOW, ttlMs: 10 });
      map.put("later", bytesOf("x"), { now: NOW, ttlMs: 1000 });
      map.delete("old", { now: NOW });
      map.delete("new", { now: NOW + 100 });
      expect(map.reap(stampOf(NOW + 50))).to.equal(3); // one stripped, two forgotten
      expect(map.entries({ all: true }).map((entry) => entry.key)).to.deep.equal([
        "later",
        "live",
        "new",
      ]);
      expect(map.horizon).to.equal(stampOf(NOW + 50));
      expect(map.statistics()).to.include({ live: 2, tombstones: 1, expired: 0 });
    });

    it("keeps a tombstone that has an expiry until the horizon has passed that too (rule 1)", () => {
      const map = newMap();
      const { version } = map.delete("k", { now: NOW });
      const value = bytesOf("");
      const retained = { key: "k", value, version, deleted: true, expiresAt: NOW + 100 };
      expect(map.merge([retained], { now: NOW + 200 })).to.deep.equal(["applied"]);
      expect(map.merge([{ key: "k", value, version, deleted: true }], { now: NOW })).to.deep.equal([
        "superseded",
      ]);
      map.expire({ now: NOW + 200 });
      map.reap(stampOf(NOW + 50));
      expect(map.peek("k")).to.deep.equal(retained);
      expect(map.get("k", { now: NOW })).to.equal(undefined);
      expect(map.statistics()).to.include({ tombstones: 1, expired: 0 });
      map.reap(stampOf(NOW + 100));
      expect(map.peek("k")).to.equal(undefined);
      expect(hexOf(map.digest())).to.equal("0000000000000000");
    });

    it("only raises the horizon, and works in slices", () => {
      const map = newMap();
      for (let i = 0; i < 2500; i += 1) map.delete(`k${i}`, { now: NOW });
      expect(map.reap(stampOf(NOW + 5), 1000)).to.equal(1000);
      expect(map.reap(stampOf(NOW), 1000)).to.equal(1000);
      expect(map.horizon).to.equal(stampOf(NOW + 5));
      expect(map.reap(stampOf(NOW + 5), 1000)).to.equal(500);
      expect(hexOf(map.digest())).to.equal("0000000000000000");
    });

    it("takes out exactly the versions that are named, without a tombstone", () => {
      const map = newMap();
      const a = map.put("a", bytesOf("1"), { now: NOW });
      const b = map.put("b", bytesOf("1"), { now: NOW });
      map.put("b", bytesOf("2"), { now: NOW });
      expect(map.forget([a, b, { key: "c", version: a.version }])).to.deep.equal([a]);
      expect(map.peek("a")).to.equal(undefined);
      expect(textOf(map.peek("b")?.value)).to.equal("2");
      expect(map.changesSince(0)[0]?.type).to.equal("reset");
    });
  });

  describe("restamp()", () => {
    it("rewrites what lies ahead in its old order, and sets the clock back (rule 8)", () => {
      const map = newMap("a");
      const future = NOW + 10 * 365 * 24 * HOUR;
      map.put("now", bytesOf("x"), { now: NOW });
      map.put("first", bytesOf("x"), { now: future });
      map.put("second", bytesOf("x"), { now: future, ttlMs: 1000 });
      map.delete("third", { now: future });
      const rewritten = map.restamp({ now: NOW + 1, trustedNow: NOW + 2 });
      expect(rewritten.map((entry) => entry.key)).to.deep.equal(["first", "second", "third"]);
      const times = rewritten.map((entry) => entry.version.time);
      expect(times).to.deep.equal([...times].sort((x, y) => x - y));
      expect(times[0]).to.equal(stampOf(NOW + 2) + 1);
      expect(map.peek("now")?.version.time).to.equal(STAMP);
      expect(map.put("next", bytesOf("x"), { now: NOW + 3 }).version.time).to.equal(
        stampOf(NOW + 3),
      );
      // another replica takes them, and both agree
      const other = newMap("b");
      other.merge(map.entries({ all: true }), { now: NOW + 3 });
      expect(other.digest()).to.deep.equal(map.digest());
      expect(map.restamp({ now: NOW + 3 })).to.deep.equal([]);
    });

    it("sets a horizon back that the wrong clock gave, to an hour ago, and leaves any other (rules 1, 8)", () => {
      const map = newMap("a");
      map.reap(stampOf(NOW - 2 * HOUR));
      map.put("k", bytesOf("x"), { now: NOW + 1000 * HOUR });
      map.restamp({ now: NOW });
      expect(map.horizon).to.equal(stampOf(NOW - 2 * HOUR));
      map.put("k", bytesOf("x"), { now: NOW + 1000 * HOUR });
      map.reap(stampOf(NOW + 999 * HOUR));
      map.restamp({ now: NOW });
      expect(map.horizon).to.equal(stampOf(NOW - HOUR));
      map.delete("k", { now: NOW });
      expect(map.reap(0)).to.equal(0);
      expect(map.peek("k")).to.include({ deleted: true });
    });

    it("makes a delete of what the wrong clock took for expired: another replica takes it", () => {
      const map = newMap("a");
      map.put("gone", bytesOf("x"), { now: NOW + HOUR, ttlMs: 1000 });
      map.expire({ now: NOW + HOUR + 2000 });
      expect(map.peek("gone")?.value).to.have.length(0);
      const [gone] = map.restamp({ now: NOW, trustedNow: NOW });
      expect(gone).to.include({ key: "gone", deleted: true });
      expect(map.statistics()).to.include({ tombstones: 1, expired: 0, live: 0 });
      const other = newMap("b");
      expect(other.merge(map.entries({ all: true }), { now: NOW })).to.deep.equal(["applied"]);
      expect(other.digest()).to.deep.equal(map.digest());
    });
  });

  describe("clock()", () => {
    it("is below every later stamp, and not below any earlier one", () => {
      const map = newMap();
      const before = map.put("a", bytesOf("x"), { now: NOW }).version.time;
      const reading = map.clock({ now: NOW });
      expect(reading).to.be.at.least(before);
      expect(map.put("b", bytesOf("x"), { now: NOW }).version.time).to.be.above(reading);
      map.advanceClock(STAMP + 7 * STAMPS_PER_MS);
      expect(map.put("c", bytesOf("x"), { now: NOW }).version.time).to.be.above(
        STAMP + 7 * STAMPS_PER_MS,
      );
    });
  });

  describe("over an engine that was used before", () => {
    it("has everything, and goes on counting", () => {
      const engine = new MemoryEngine();
      const before = new VersionedMap({ node: "a", engine });
      before.put("a", bytesOf("x"), { now: NOW, ttlMs: 10 });
      before.put("b", bytesOf("x"), { now: NOW });
      before.delete("b", { now: NOW });
      const map = new VersionedMap({ node: "a", engine });
      expect(map.digest()).to.deep.equal(before.digest());
      expect(map.counter).to.equal(3);
      expect(map.size).to.equal(1);
      expect(map.put("c", bytesOf("x"), { now: 0 }).version.time).to.equal(STAMP + 3);
    });
  });

  describe("close()", () => {
    it("ends the map: every call says so", async () => {
      const map = newMap();
      map.put("a", bytesOf("x"), { now: NOW });
      await map.close();
      await map.close();
      expect(() => map.get("a", { now: NOW })).to.throw("was closed");
      expect(() => map.put("a", bytesOf("x"), { now: NOW })).to.throw("was closed");
      expect(() => map.merge([], { now: NOW })).to.throw("was closed");
    });
  });

  describe("bad input", () => {
    const good = { key: "k", value: bytesOf("x"), version: { time: STAMP, node: "b" } };
    const cases: [string, (map: VersionedMap) => unknown, string, RegExp][] = [
      ["an empty key", (m) => m.put("", good.value, { now: NOW }), "invalid-key", /empty/],
      [
        "a key of 1,025 bytes",
        (m) => m.put("x".repeat(1025), good.value, { now: NOW }),
        "key-too-large",
        /more than 1024 bytes/,
      ],
      [
        "a key of 1,026 bytes in 513 letters",
        (m) => m.put("\u00e9".repeat(513), good.value, { now: NOW }),
        "key-too-large",
        /more than 1024/,
      ],
      [
        "a lone surrogate",
        (m) => m.put("a\ud800b", good.value, { now: NOW }),
        "invalid-key",
        /lone surrogate/,
      ],
      [
        "a key that is no string",
        (m) => m.put(7 as unknown as string, good.value, { now: NOW }),
        "invalid-key",
        /it is no string/,
      ],
      ["a bad key in get", (m) => m.get("", { now: NOW }), "invalid-key", /empty/],
      [
        "a bad key in delete",
        (m) => m.delete("\udc00", { now: NOW }),
        "invalid-key",
        /lone surrogate/,
      ],
      [
        "a value that is no bytes",
        (m) => m.put("k", "text" as unknown as Uint8Array, { now: NOW }),
        "invalid-argument",
        /Invalid value/,
      ],
      [
        "a value over the limit",
        (m) => m.put("k", new Uint8Array(101), { now: NOW }),
        "value-too-large",
        /101 bytes, at most 100/,
      ],
      [
        "a negative TTL",
        (m) => m.put("k", good.value, { now: NOW, ttlMs: -1 }),
        "invalid-argument",
        /Invalid ttlMs: -1/,
      ],
      [
        "a TTL of 0",
        (m) => m.put("k", good.value, { now: NOW, ttlMs: 0 }),
        "invalid-argument",
        /ttlMs/,
      ],
      [
        "an absurd TTL",
        (m) => m.put("k", good.value, { now: NOW, ttlMs: 1e15 }),
        "invalid-argument",
        /100 years/,
      ],
      [
        "an endless TTL",
        (m) => m.put("k", good.value, { now: NOW, ttlMs: Infinity }),
        "invalid-argument",
        /ttlMs/,
      ],
      [
        "a NaN TTL",
        (m) => m.put("k", good.value, { now: NOW, ttlMs: NaN }),
        "invalid-argument",
        /ttlMs/,
      ],
      ["no now", (m) => m.put("k", good.value), "invalid-argument", /Invalid now: undefined/],
      [
        "an option of put that there is not",
        (m) => m.put("k", good.value, { now: NOW, tttl: 5 } as { now: number }),
        "invalid-argument",
        /option: "tttl", wanted a string like .*ttlMs/,
      ],
      [
        "a NaN now",
        (m) => m.put("k", good.value, { now: NaN }),
        "invalid-argument",
        /Invalid now: NaN/,
      ],
      ["a NaN now in get", (m) => m.get("k", { now: NaN }), "invalid-argument", /now/],
      ["a NaN now in merge", (m) => m.merge([good], { now: NaN }), "invalid-argument", /now/],
      [
        "a NaN trusted time",
        (m) => m.merge([good], { now: NOW, trustedNow: NaN }),
        "invalid-argument",
        /trustedNow/,
      ],
      ["a negative now", (m) => m.delete("k", { now: -1 }), "invalid-argument", /now/],
      [
        "an empty content type",
        (m) => m.put("k", good.value, { now: NOW, contentType: "" }),
        "invalid-argument",
        /contentType/,
      ],
      [
        "a long content type",
        (m) => m.put("k", good.value, { now: NOW, contentType: "x".repeat(256) }),
        "invalid-argument",
        /255/,
      ],
      [
        "a line break in a content type",
        (m) => m.put("k", good.value, { now: NOW, contentType: "a\r\nb" }),
        "invalid-argument",
        /contentType/,
      ],
      ["a negative horizon", (m) => m.reap(-1), "invalid-argument", /horizon/],
      ["a NaN horizon", (m) => m.reap(NaN), "invalid-argument", /horizon/],
      ["a negative limit", (m) => m.entries({ now: NOW, limit: -1 }), "invalid-argument", /limit/],
      [
        "a prefix that is no text",
        (m) => m.entries({ now: NOW, prefix: 1 as unknown as string }),
        "invalid-argument",
        /prefix/,
      ],
      [
        "a NaN time of expiry in merge",
        (m) => m.merge([good], { now: NOW, expiryNow: NaN }),
        "invalid-argument",
        /expiryNow: NaN/,
      ],
      [
        "a named value that is no bytes",
        (m) => m.merge([good], { now: NOW, meta: { heard: 7 as unknown as Uint8Array } }),
        "invalid-argument",
        /meta heard: 7/,
      ],
      ["a NaN now in expire", (m) => m.expire({ now: NaN }), "invalid-argument", /now: NaN/],
      ["a NaN now in clock", (m) => m.clock({ now: NaN }), "invalid-argument", /now: NaN/],
      [
        "a NaN now of a named value",
        (m) => m.setMeta("a", good.value, { now: NaN }),
        "invalid-argument",
        /now: NaN/,
      ],
      [
        "a name that is no text",
        (m) => m.setMeta(7 as unknown as string, good.value),
        "invalid-argument",
        /name: 7/,
      ],
      [
        "a named value that is text",
        (m) => m.setMeta("a", "text" as unknown as Uint8Array),
        "invalid-argument",
        /meta a: "text"/,
      ],
      ["an endless clock", (m) => m.advanceClock(Infinity), "invalid-argument", /stamp: Infinity/],
      [
        "a watched prefix that is no text",
        (m) => m.watch({ prefix: 7 as unknown as string }),
        "invalid-argument",
        /prefix: 7/,
      ],
      [
        "a watched key that is no text",
        (m) => m.watch({ key: null as unknown as string }),
        "invalid-argument",
        /key: null/,
      ],
      [
        "something to forget that has no version",
        (m) => m.forget([{ key: "k" } as unknown as typeof good]),
        "invalid-argument",
        /version: undefined/,
      ],
      ["a NaN limit of damaged keys", (m) => m.damaged(NaN), "invalid-argument", /limit: NaN/],
      ["a negative counter", (m) => m.changesSince(-1), "invalid-argument", /counter/],
      ["a NaN counter", (m) => m.changesSince(NaN), "invalid-argument", /counter/],
      [
        "an empty watch buffer",
        (m) => m.watch({ bufferSize: 0 }),
        "invalid-argument",
        /bufferSize/,
      ],
    ];
    const malformed: [string, object, RegExp][] = [
      ["no version", { version: undefined }, /version: undefined/],
      ["a negative time", { version: { time: -1, node: "b" } }, /version\.time: -1/],
      ["a fractional time", { version: { time: 1.5, node: "b" } }, /version\.time/],
      ["a NaN time", { version: { time: NaN, node: "b" } }, /version\.time: NaN/],
      [
        "a time above the safe integers",
        { version: { time: MAX_STAMP, node: "b" } },
        /version\.time/,
      ],
      ["no node", { version: { time: 1, node: "" } }, /Invalid node/],
      ["a node in capitals", { version: { time: 1, node: "B" } }, /Invalid node: "B"/],
      ["a node of 33 characters", { version: { time: 1, node: "b".repeat(33) } }, /Invalid node/],
      ["no value", { value: undefined }, /Invalid value/],
      ["an expiry of 0", { expiresAt: 0 }, /expiresAt/],
      ["a fractional expiry", { expiresAt: 1.5 }, /expiresAt/],
      ["a NaN expiry", { expiresAt: NaN }, /expiresAt: NaN/],
      ["an expiry beyond Date", { expiresAt: 8.64e15 + 1 }, /expiresAt/],
      ["a content type of two lines", { contentType: "a\nb" }, /contentType/],
      ["deleted that is no boolean", { deleted: 1 }, /deleted: 1/],
      ["a tombstone with a value", { deleted: true }, /empty in a tombstone/],
      ["a short hash", { hash: new Uint8Array(7) }, /hash/],
      ["extra that is no bytes", { extra: "x" }, /extra/],
      ["a key that is empty", { key: "" }, /empty/],
    ];

    for (const [name, call, code, message] of cases) {
      it(`is named and changes nothing: ${name}`, () => {
        const map = new VersionedMap({ node: "a", maxValueBytes: 100 });
        expect(() => call(map))
          .to.throw(message)
          .that.satisfies(
            (error: unknown) => error instanceof InputTypeError || error instanceof InputRangeError,
          )
          .with.property("code", code);
        expect(map.counter).to.equal(0);
        expect(map.entries({ all: true })).to.deep.equal([]);
        expect(map.put("k", bytesOf("x"), { now: NOW }).version.time).to.equal(STAMP);
      });
    }

    for (const [name, change, message] of malformed) {
      it(`refuses a whole merge for one malformed entry: ${name}`, () => {
        const map = newMap();
        const entry = { ...good, ...change };
        expect(() => map.merge([{ ...good, key: "fine" }, entry], { now: NOW })).to.throw(message);
        expect(map.counter).to.equal(0);
        expect(map.peek("fine")).to.equal(undefined);
      });
    }

    it("merges what a replica must take, whatever clients may write here, and no more (rule 4)", () => {
      const map = new VersionedMap({ node: "a", maxValueBytes: 10 });
      const value = new Uint8Array(16 * 1024 * 1024);
      const largest = { ...good, value, contentType: "x".repeat(255) };
      expect(map.merge([largest], { now: NOW })).to.deep.equal(["applied"]);
      expect(map.get(good.key, { now: NOW })?.value.length).to.equal(value.length);
      const { counter } = map;
      for (const more of [
        { value: new Uint8Array(value.length + 1) },
        { contentType: "x".repeat(256) },
      ]) {
        const entry = { ...largest, key: "more", ...more };
        expect(() => map.merge([entry], { now: NOW })).to.throw(/Malformed entry for key "more"/);
        expect(map.counter).to.equal(counter);
      }
      expect(() => map.put("k", new Uint8Array(11), { now: NOW }))
        .to.throw("Value too large: 11 bytes, at most 10")
        .with.property("code", "value-too-large");
    });

    it("refuses a merge of something that is no entry", () => {
      const map = newMap();
      for (const nothing of [null, undefined, 7, "entry"]) {
        const entries = [good, nothing] as unknown as (typeof good)[];
        expect(() => map.merge(entries, { now: NOW })).to.throw(InputTypeError, "Invalid entry");
        expect(map.counter).to.equal(0);
      }
    });

    it("refuses options that make no map", () => {
      expect(() => new VersionedMap({ node: "" })).to.throw(TypeError, "Invalid node");
      expect(() => new VersionedMap({ node: "A b" })).to.throw(TypeError, 'Invalid node: "A b"');
      expect(() => new VersionedMap({ node: "a", maxDriftMs: -1 })).to.throw(RangeError);
      expect(() => new VersionedMap({ node: "a", maxDriftMs: NaN })).to.throw(RangeError);
    });
  });
});
