/**
 * What every engine must do: run this suite against a new one, in a file that mocha (or anything with
 * `describe` and `it`) runs.
 *
 * ```js
 * import { describeEngine } from "@dnd/store/engine-contract";
 * import { MemoryEngine } from "@dnd/store";
 *
 * describeEngine("MemoryEngine", { create: async () => new MemoryEngine() });
 * ```
 *
 * @module
 */
import type { Batch, Engine, EntryChange, ScanOptions } from "./engine.ts";
import { expiryIndexTime, reapIndexTime } from "./index_times.ts";
import { DamagedError } from "./engine.ts";
import { makeEntry, stripEntry } from "./_make_entry.ts";
import { type MapState, newMapState } from "./map_state.ts";
import { MemoryEngine } from "./memory_engine.ts";
import { NO_BYTES, StoredEntry } from "./stored_entry.ts";
import assert from "node:assert/strict";
import { compareKeys } from "./compare_keys.ts";
import { stampOf } from "./version.ts";

/** How the suite gets engines. */
export interface EngineRig {
  /** A new, empty engine. */
  create(): Promise<Engine>;

  /** Closes an engine and opens its data again. Absent: the engine is not durable. */
  reopen?(engine: Engine): Promise<Engine>;

  /** Called after each test with its engine, which may be closed already. */
  destroy?(engine: Engine): Promise<void>;

  /** Operations of the random comparison with the memory engine. Default 400. */
  readonly operations?: number;
}

const NOW = 1_800_000_000_000;
const STAMP = stampOf(NOW);

/** Keys whose order by bytes is not that of JavaScript's `<`, and that look alike. */
const KEYS = [
  "a",
  "a/b",
  "a/c",
  "ab",
  "b",
  "~",
  "\u00e9",
  "\u4e2d",
  "\uffee",
  "\u{1f600}",
  "\u{1f600}/x",
  "__proto__",
  "constructor",
  "key with spaces",
  "x".repeat(1024),
];

/** Puts changes into an engine as a map does: keeps the figures and hands over what was before. */
class Writer {
  readonly engine: Engine;
  readonly state: MapState;
  readonly held = new Map<string, StoredEntry>();

  constructor(engine: Engine, state: MapState = newMapState()) {
    this.engine = engine;
    this.state = state;
  }

  static open(engine: Engine): Writer {
    return new Writer(engine, engine.open({ committed: () => {}, failed: () => {} }).state);
  }

  put(key: string, text: string, more: { expiresAt?: number; time?: number } = {}): StoredEntry {
    this.state.counter += 1;
    const { expiresAt, time = STAMP + this.state.counter } = more;
    const value = new TextEncoder().encode(text);
    const fields = { key, value, expiresAt, version: { time, node: "writer" } };
    return this.change(makeEntry(fields, this.state.counter));
  }

  delete(key: string): StoredEntry {
    this.state.counter += 1;
    const version = { time: STAMP + this.state.counter, node: "writer" };
    const fields = { key, value: NO_BYTES, deleted: true, version };
    return this.change(makeEntry(fields, this.state.counter));
  }

  /** A tombstone that is kept until the horizon has passed `expiresAt` too. */
  retain(key: string, expiresAt: number): StoredEntry {
    this.state.counter += 1;
    const version = { time: STAMP + this.state.counter, node: "writer" };
    const fields = { key, value: NO_BYTES, deleted: true, expiresAt, version };
    return this.change(makeEntry(fields, this.state.counter));
  }

  strip(key: string): StoredEntry {
    const entry = this.held.get(key);
    assert.ok(entry !== undefined);
    return this.change(stripEntry(entry));
  }

  change(entry: StoredEntry): StoredEntry {
    const previous = this.held.get(entry.key);
    this.held.set(entry.key, entry);
    this.write({ changes: [{ key: entry.key, entry, previous }] });
    return entry;
  }

  remove(key: string): void {
    const previous = this.held.get(key);
    this.held.delete(key);
    this.write({ changes: [{ key, entry: undefined, previous }] });
  }

  write(batch: Partial<Batch> & { changes: readonly EntryChange[] }): void {
    this.state.clock = STAMP + this.state.counter;
    this.state.live = this.held.size;
    this.engine.write({ ceiling: this.state.clock + 1000, ...batch, state: this.state });
  }
}

/** What an engine shows of an entry: everything that a map may ask of it. */
function show(entry: StoredEntry | undefined): unknown {
  if (entry === undefined) return undefined;
  const { keyHash, hashHigh, hashLow, fingerprintHigh, fingerprintLow, counter, stripped } = entry;
  return {
    ...entry,
    value: [...entry.value],
    version: { ...entry.version },
    ...{ keyHash, hashHigh, hashLow, fingerprintHigh, fingerprintLow, counter, stripped },
  };
}

function showAll(entries: Iterable<StoredEntry>): unknown[] {
  return [...entries].map(show);
}

function keysOf(entries: Iterable<{ readonly key: string }>): string[] {
  return [...entries].map((entry) => entry.key);
}

/** Declares the suite for one engine. */
export function describeEngine(name: string, rig: EngineRig): void {
  describe(`${name} as an engine`, () => {
    let engine: Engine;
    let writer: Writer;

    beforeEach(async () => {
      engine = await rig.create();
      writer = Writer.open(engine);
    });

    afterEach(async () => {
      await engine.close();
      await rig.destroy?.(engine);
    });

    it("opens empty", async () => {
      const fresh = await rig.create();
      const { state, ceiling, leafSums } = fresh.open({ committed: () => {}, failed: () => {} });
      assert.deepEqual(state, newMapState());
      assert.equal(ceiling, 0);
      assert.equal(leafSums.length, 65536);
      assert.ok(leafSums.every((sum) => sum === 0));
      assert.equal(fresh.get("a"), undefined);
      assert.equal(fresh.firstDue("expiry"), undefined);
      await fresh.close();
      await rig.destroy?.(fresh);
    });

    it("gives back what was put, before and after its commit", async () => {
      const entry = writer.put("a", "one", { expiresAt: NOW + 5 });
      assert.deepEqual(show(engine.get("a")), show(entry));
      await engine.committed();
      assert.deepEqual(show(engine.get("a")), show(entry));
      assert.equal(engine.committedCounter, 1);
      assert.equal(engine.get("b"), undefined);
    });

    it("keeps every field of an entry", async () => {
      writer.state.counter = 1;
      const fields = {
        key: "f",
        value: new Uint8Array([0, 255, 128]),
        contentType: "application/json",
        expiresAt: NOW + 1,
        extra: new Uint8Array([9, 8, 7]),
        version: { time: STAMP, node: "0123456789abcdef0123456789abcdef" },
      };
      const entry = makeEntry(fields, 1);
      writer.change(entry);
      await engine.committed();
      assert.deepEqual(show(engine.get("f")), show(entry));
      writer.strip("f");
      await engine.committed();
      assert.deepEqual(show(engine.get("f")), show(stripEntry(entry)));
    });

    it("replaces an entry in all its indexes", async () => {
      for (const commit of [false, true]) {
        writer.put("r", "one", { expiresAt: NOW + 5 });
        if (commit) await engine.committed();
        const entry = writer.put("r", "two");
        if (commit) await engine.committed();
        assert.deepEqual(showAll(engine.changes(0, 10)), [show(entry)]);
        assert.deepEqual(engine.due("expiry", Infinity, 10), []);
        assert.equal(engine.firstDue("expiry"), undefined);
        const at = entry.keyHash >>> 0;
        assert.deepEqual(
          [...engine.heads(at, at + 1)].map((head) => head.version),
          [entry.version],
        );
      }
    });

    it("scans in the order of UTF-8 bytes, with prefix, bounds, cursor and limit", async () => {
      const sorted = [...KEYS].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      for (const key of KEYS) writer.put(key, key);
      writer.delete("b");
      for (const commit of [false, true]) {
        if (commit) await engine.committed();
        const scan = (options: Partial<ScanOptions>): string[] =>
          keysOf(engine.scan({ limit: 100, ...options }));
        assert.deepEqual(scan({}), sorted);
        assert.deepEqual(scan({ limit: 3 }), sorted.slice(0, 3));
        for (const key of KEYS) {
          const at = sorted.indexOf(key);
          assert.deepEqual(scan({ from: key }), sorted.slice(at));
          assert.deepEqual(scan({ after: key }), sorted.slice(at + 1));
          assert.deepEqual(scan({ before: key }), sorted.slice(0, at));
        }
        assert.deepEqual(scan({ prefix: "a/" }), ["a/b", "a/c"]);
        assert.deepEqual(scan({ prefix: "a/", after: "a/b" }), ["a/c"]);
        assert.deepEqual(scan({ prefix: "a/", after: "A" }), ["a/b", "a/c"]);
        assert.deepEqual(scan({ prefix: "a/", from: "a/c", before: "a/d" }), ["a/c"]);
        assert.deepEqual(scan({ prefix: "\u{1f600}" }), ["\u{1f600}", "\u{1f600}/x"]);
        assert.deepEqual(scan({ prefix: "nothing" }), []);
      }
    });

    it("lists changes by rising counter", async () => {
      for (const key of ["a", "b", "c", "a", "d", "b"]) writer.put(key, "x");
      for (const commit of [false, true]) {
        if (commit) await engine.committed();
        assert.deepEqual(keysOf(engine.changes(0, 100)), ["c", "a", "d", "b"]);
        assert.deepEqual(keysOf(engine.changes(3, 100)), ["a", "d", "b"]);
        assert.deepEqual(keysOf(engine.changes(3, 2)), ["a", "d"]);
        assert.deepEqual(keysOf(engine.changes(6, 100)), []);
      }
    });

    it("lists the heads of a leaf and of a part of it", async () => {
      for (let i = 0; i < 300; i += 1) writer.put(`key${i}`, "x");
      for (const commit of [false, true]) {
        if (commit) await engine.committed();
        const all: string[] = [];
        for (let leaf = 0; leaf < 32768; leaf += 1024) {
          const width = 2 ** 17;
          for (let at = leaf; at < leaf + 1024; at += 1) {
            all.push(...keysOf(engine.heads(at * width, (at + 1) * width)));
          }
        }
        assert.deepEqual(all.sort(), [...writer.held.keys()].sort());
        for (const entry of writer.held.values()) {
          const at = entry.keyHash >>> 0;
          const heads = [...engine.heads(at, at + 1)].filter((head) => head.key === entry.key);
          assert.equal(heads.length, 1);
          const [head] = heads;
          assert.equal(head?.fingerprintHigh, entry.fingerprintHigh);
          assert.equal(head?.fingerprintLow, entry.fingerprintLow);
          assert.equal(head?.hashHigh, entry.hashHigh);
          assert.equal(head?.hashLow, entry.hashLow);
          assert.equal(head?.keyHash, entry.keyHash);
          assert.deepEqual({ ...head?.version }, { ...entry.version });
          assert.deepEqual([...engine.heads(at + 1, at + 1)], []);
        }
      }
    });

    it("finds what expires and what may be reaped, the earliest first", async () => {
      writer.put("late", "x", { expiresAt: NOW + 30 });
      writer.put("early", "x", { expiresAt: NOW + 10 });
      writer.put("never", "x");
      writer.put("middle", "x", { expiresAt: NOW + 20 });
      const tombstone = writer.delete("deleted");
      for (const commit of [false, true]) {
        if (commit) await engine.committed();
        assert.equal(engine.firstDue("expiry"), NOW + 10);
        assert.deepEqual(keysOf(engine.due("expiry", NOW + 20, 10)), ["early", "middle"]);
        assert.deepEqual(keysOf(engine.due("expiry", NOW + 20, 1)), ["early"]);
        assert.deepEqual(keysOf(engine.due("expiry", NOW + 9, 10)), []);
        assert.equal(engine.firstDue("reap"), tombstone.version.time);
        assert.deepEqual(keysOf(engine.due("reap", STAMP, 10)), []);
        assert.deepEqual(keysOf(engine.due("reap", tombstone.version.time, 10)), ["deleted"]);
      }
      const stripped = writer.strip("early");
      for (const commit of [false, true]) {
        if (commit) await engine.committed();
        assert.equal(engine.firstDue("expiry"), NOW + 20);
        assert.equal(expiryIndexTime(stripped), undefined);
        assert.deepEqual(keysOf(engine.due("reap", Infinity, 10)), ["deleted", "early"]);
        assert.equal(reapIndexTime(stripped), stampOf(NOW + 10));
        assert.deepEqual(show(engine.get("early")), show(stripped));
      }
    });

    it("keeps a tombstone with an expiry in the index until that is passed too (rule 1)", async () => {
      const retained = writer.retain("retained", NOW + 30);
      const plain = writer.delete("plain");
      for (const commit of [false, true]) {
        if (commit) await engine.committed();
        assert.equal(engine.firstDue("expiry"), undefined);
        assert.equal(reapIndexTime(retained), stampOf(NOW + 30));
        assert.deepEqual(keysOf(engine.due("reap", plain.version.time, 10)), ["plain"]);
        assert.deepEqual(keysOf(engine.due("reap", stampOf(NOW + 30) - 1, 10)), ["plain"]);
        assert.deepEqual(keysOf(engine.due("reap", stampOf(NOW + 30), 10)), ["plain", "retained"]);
        assert.deepEqual(show(engine.get("retained")), show(retained));
      }
    });

    it("forgets a removed key everywhere, and takes it again", async () => {
      for (const commit of [false, true]) {
        const { keyHash } = writer.delete("gone");
        if (commit) await engine.committed();
        writer.remove("gone");
        if (commit) await engine.committed();
        const at = keyHash >>> 0;
        assert.equal(engine.get("gone"), undefined);
        assert.deepEqual(keysOf(engine.scan({ limit: 10 })), []);
        assert.deepEqual(keysOf(engine.changes(0, 10)), []);
        assert.deepEqual(keysOf(engine.heads(at, at + 1)), []);
        assert.deepEqual(keysOf(engine.due("reap", Infinity, 10)), []);
        const entry = writer.put("gone", "back");
        assert.deepEqual(show(engine.get("gone")), show(entry));
        assert.deepEqual(keysOf(engine.scan({ limit: 10 })), ["gone"]);
        assert.deepEqual(keysOf(engine.heads(at, at + 1)), ["gone"]);
        writer.remove("gone");
      }
    });

    it("never reads a damaged key as absent", async () => {
      const head = writer.put("hurt", "x");
      writer.held.delete("hurt");
      writer.put("whole", "x");
      for (const damagedHead of [head, undefined]) {
        writer.write({
          changes: [
            { key: "hurt", entry: undefined, previous: undefined, damaged: true, damagedHead },
          ],
        });
        for (const commit of [false, true]) {
          if (commit) await engine.committed();
          assert.throws(
            () => engine.get("hurt"),
            (error) => error instanceof DamagedError && error.marked && error.key === "hurt",
          );
          assert.deepEqual(engine.damaged(10), ["hurt"]);
          assert.equal(engine.statistics().damaged, 1);
          assert.deepEqual(keysOf(engine.scan({ limit: 10 })), ["whole"]);
          assert.deepEqual(keysOf(engine.changes(0, 10)), ["whole"]);
          const at = head.keyHash >>> 0;
          assert.deepEqual(keysOf(engine.heads(at, at + 1)), []);
        }
      }
      const mended = writer.put("hurt", "again");
      for (const commit of [false, true]) {
        if (commit) await engine.committed();
        assert.deepEqual(show(engine.get("hurt")), show(mended));
        assert.deepEqual(engine.damaged(10), []);
      }
    });

    it("keeps named values", async () => {
      const bytes = new Uint8Array([1, 2, 3]);
      writer.write({ changes: [], meta: new Map([["heard", bytes]]) });
      bytes[0] = 9;
      writer.write({ changes: [], meta: new Map([["zone", new Uint8Array()]]) });
      for (const commit of [false, true]) {
        if (commit) await engine.committed();
        assert.deepEqual([...(engine.meta("heard") ?? [])], [1, 2, 3]);
        assert.deepEqual([...(engine.meta("zone") ?? [9])], []);
        assert.equal(engine.meta("nothing"), undefined);
        assert.deepEqual(engine.metaNames(), ["heard", "zone"]);
      }
      writer.write({ changes: [], meta: new Map([["heard", undefined]]) });
      for (const commit of [false, true]) {
        if (commit) await engine.committed();
        assert.equal(engine.meta("heard"), undefined);
        assert.deepEqual(engine.metaNames(), ["zone"]);
      }
    });

    it("refuses everything once it is closed, and closes twice", async () => {
      writer.put("a", "x");
      await engine.close();
      await engine.close();
      const closed = { name: "StorageError", code: "closed" };
      assert.throws(() => engine.get("a"), closed);
      assert.throws(() => engine.get(""), closed); // what a watch asks when it begins
      assert.throws(() => engine.scan({ limit: 1 }), closed);
      assert.throws(() => engine.admit(1), closed);
      assert.throws(() => writer.put("b", "x"), closed);
    });

    it("answers like the memory engine, whatever is done to both", async () => {
      await compareWithMemory(engine, rig);
    });

    if (rig.reopen === undefined) return;
    const reopen = rig.reopen.bind(rig);

    it("has everything committed after it was opened again", async () => {
      for (const key of KEYS) writer.put(key, key);
      writer.put("ttl", "x", { expiresAt: NOW + 10 });
      writer.delete("b");
      writer.put("gone", "x");
      writer.remove("gone");
      writer.write({ changes: [], meta: new Map([["heard", new Uint8Array([1])]]) });
      const { state } = writer;
      await engine.committed();
      engine = await reopen(engine);
      const opened = engine.open({ committed: () => {}, failed: () => {} });
      assert.deepEqual(opened.state, { ...state });
      assert.ok(opened.ceiling >= state.clock + 1000);
      assert.deepEqual(opened.leafSums, sumsOf(writer.held.values()));
      assert.deepEqual([...(engine.meta("heard") ?? [])], [1]);
      const sorted = [...writer.held.values()].sort((a, b) => compareKeys(a.key, b.key));
      assert.deepEqual(showAll(engine.scan({ limit: 100 })), sorted.map(show));
      assert.deepEqual(keysOf(engine.due("reap", Infinity, 10)), ["b"]);
      assert.equal(engine.firstDue("expiry"), NOW + 10);
      assert.equal(engine.committedCounter, state.counter);
    });

    it("commits what was written when it closes", async () => {
      const entry = writer.put("a", "x");
      engine = await reopen(engine);
      engine.open({ committed: () => {}, failed: () => {} });
      assert.deepEqual(show(engine.get("a")), show(entry));
    });

    it("stores corrections of leaf sums", async () => {
      const entry = writer.put("a", "x");
      writer.write({ changes: [], corrections: [{ leaf: 7, high: 1, low: -2 }] });
      engine = await reopen(engine);
      const { leafSums } = engine.open({ committed: () => {}, failed: () => {} });
      const expected = sumsOf([entry]);
      expected[14] = (expected[14] ?? 0) ^ 1;
      expected[15] = (expected[15] ?? 0) ^ -2;
      assert.deepEqual(leafSums, expected);
    });

    it("lifts its ceiling durably, at once and with commits, and lowers it when told", async () => {
      engine.raiseCeiling(STAMP + 77);
      assert.ok(engine.ceiling >= STAMP + 77);
      writer.write({ changes: [], ceiling: 5 });
      await engine.committed();
      engine = await reopen(engine);
      assert.ok(engine.open({ committed: () => {}, failed: () => {} }).ceiling >= STAMP + 77);
      writer = new Writer(engine, writer.state);
      writer.write({ changes: [], ceiling: STAMP + 999 });
      await engine.committed();
      assert.equal(engine.ceiling, STAMP + 999);
      writer.write({ changes: [], ceiling: STAMP + 55, lowerCeiling: true });
      await engine.committed();
      assert.equal(engine.ceiling, STAMP + 55);
      engine = await reopen(engine);
      assert.equal(engine.open({ committed: () => {}, failed: () => {} }).ceiling, STAMP + 55);
    });

    it("marks damaged keys durably", async () => {
      const damagedHead = writer.put("hurt", "x");
      writer.write({
        changes: [
          { key: "hurt", entry: undefined, previous: undefined, damaged: true, damagedHead },
        ],
      });
      engine = await reopen(engine);
      const { leafSums } = engine.open({ committed: () => {}, failed: () => {} });
      assert.deepEqual(leafSums, sumsOf([]));
      assert.deepEqual(engine.damaged(10), ["hurt"]);
      assert.throws(() => engine.get("hurt"), DamagedError);
    });

    it("tells its listener what is committed", async () => {
      engine = await reopen(engine);
      const heard: number[] = [];
      const listener = { committed: (counter: number) => heard.push(counter), failed: () => {} };
      const { state } = engine.open(listener);
      writer = new Writer(engine, state);
      writer.put("a", "x");
      writer.put("b", "x");
      assert.deepEqual(heard, []);
      await engine.committed();
      assert.equal(heard.at(-1), state.counter);
    });
  });
}

/** Random operations on an engine and on the memory engine: every answer is compared. */
async function compareWithMemory(engine: Engine, rig: EngineRig): Promise<void> {
  const random = generator(20260101);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  let subject = engine;
  const memory = Writer.open(new MemoryEngine());
  const { state, held } = memory;
  for (let i = 0; i < (rig.operations ?? 400); i += 1) {
    const key = random() < 0.5 ? pick(KEYS) : `k${Math.floor(random() * 50)}`;
    const choice = random();
    const before = held.get(key);
    let change: EntryChange | undefined;
    if (choice < 0.45) {
      const expiresAt = random() < 0.4 ? NOW + Math.floor(random() * 50) : undefined;
      const entry = memory.put(key, `value ${i}`, expiresAt === undefined ? {} : { expiresAt });
      change = { key, entry, previous: before };
    } else if (choice < 0.6) {
      change = { key, entry: memory.delete(key), previous: before };
    } else if (choice < 0.7 && before?.expiresAt !== undefined && !before.stripped) {
      change = { key, entry: memory.strip(key), previous: before };
    } else if (choice < 0.8 && before !== undefined) {
      memory.remove(key);
      change = { key, entry: undefined, previous: before };
    }
    if (change !== undefined) {
      // an entry belongs to one engine: the other one gets its own, and its own `previous`
      const { entry } = change;
      const changes = [
        { key, entry: entry && copyOf(entry), previous: change.previous && subject.get(key) },
      ];
      subject.write({ changes, state, ceiling: state.clock + 1000 });
    }
    if (random() < 0.1) await subject.committed();
    if (random() < 0.02 && rig.reopen !== undefined) {
      subject = await rig.reopen(subject);
      const opened = subject.open({ committed: () => {}, failed: () => {} });
      assert.deepEqual(opened.state, { ...state });
      assert.deepEqual(opened.leafSums, sumsOf(held.values()));
    }
    compareReads(subject, memory.engine, { key: pick(KEYS), random });
  }
  await subject.close();
}

function copyOf(entry: StoredEntry): StoredEntry {
  return new StoredEntry({ ...entry }, { ...entry.marks });
}

function compareReads(
  subject: Engine,
  memory: Engine,
  { key, random }: { key: string; random: () => number },
): void {
  const limit = 1 + Math.floor(random() * 20);
  const after = Math.floor(random() * 200);
  const upTo = NOW + Math.floor(random() * 60);
  const scan = pickScan(key, random);
  assert.deepEqual(show(subject.get(key)), show(memory.get(key)));
  assert.deepEqual(
    showAll(subject.scan({ ...scan, limit })),
    showAll(memory.scan({ ...scan, limit })),
  );
  assert.deepEqual(showAll(subject.changes(after, limit)), showAll(memory.changes(after, limit)));
  assert.equal(subject.firstDue("expiry"), memory.firstDue("expiry"));
  assert.equal(subject.firstDue("reap"), memory.firstDue("reap"));
  const due = (engine: Engine): string[] => keysOf(engine.due("expiry", upTo, 1000)).sort();
  assert.deepEqual(due(subject), due(memory));
  const low = Math.floor(random() * 32768) * 2 ** 17;
  const heads = (engine: Engine): string[] => keysOf(engine.heads(low, low + 2 ** 17)).sort();
  assert.deepEqual(heads(subject), heads(memory));
}

function pickScan(key: string, random: () => number): Omit<ScanOptions, "limit"> {
  const choice = random();
  if (choice < 0.25) return { prefix: key.slice(0, 1) };
  if (choice < 0.5) return { after: key };
  if (choice < 0.75) return { from: key };
  return { before: key };
}

function sumsOf(entries: Iterable<StoredEntry>): Int32Array {
  const sums = new Int32Array(65536);
  for (const { keyHash, fingerprintHigh, fingerprintLow } of entries) {
    const at = 2 * (keyHash >>> 17);
    sums[at] = (sums[at] ?? 0) ^ fingerprintHigh;
    sums[at + 1] = (sums[at + 1] ?? 0) ^ fingerprintLow;
  }
  return sums;
}

/** mulberry32: the same numbers in every run. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
