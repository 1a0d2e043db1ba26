import {
  MemoryEngine,
  VersionedMap,
  type Entry,
  type Head,
  type StoredEntry,
  compareKeys,
  stampOf,
} from "@dnd/store";
import { hashKey, lastHash } from "@dnd/store/engine";
import { expect } from "chai";
import fc from "fast-check";
import { cpSync, rmSync } from "node:fs";
import { freshFolder } from "./_test_utils.ts";
import { openMap } from "./open_map.ts";

// The same operations on a map in memory and on one on disk, which is closed and opened in between: after
// each of them everything that a map can be asked says the same.

const START_MS = 1_800_000_000_000;
const NODE = "0123456789abcdef0123456789abcdef";
const OTHER = "b";

interface Pair {
  folder: string;

  /** How many changes lie in the journal of the one on disk before they are moved. */
  readonly journalChanges: number;
  memory: VersionedMap;
  disk: VersionedMap;
  now: number;

  /** Writes of another node, to be merged into both. */
  readonly other: VersionedMap;
}

type Operation = (pair: Pair) => void | Promise<void>;

const keys = [
  "a",
  "b",
  "ab",
  "a/1",
  "a/2",
  "\u{1f600}",
  "\uffee",
  "é",
  "__proto__",
  "z".repeat(1024),
];
const key = fc.constantFrom(...keys);
const bytes = fc.uint8Array({ maxLength: 40 });
const ttlMs = fc.option(fc.integer({ min: 1, max: 5_000 }), { nil: undefined });
const contentType = fc.constantFrom(undefined, "text/plain", "application/json");

function both(pair: Pair, change: (map: VersionedMap) => unknown): void {
  expect(change(pair.disk)).to.deep.equal(change(pair.memory));
}

const put: fc.Arbitrary<Operation> = fc
  .tuple(key, bytes, ttlMs, contentType, fc.integer({ min: 0, max: 3 }))
  .map(([k, value, ttl, type, big]) => {
    const content = big === 0 ? new Uint8Array(5_000).fill(value.length) : value;
    return (pair) => {
      const options = {
        now: pair.now,
        ...(ttl === undefined ? {} : { ttlMs: ttl }),
        ...(type === undefined ? {} : { contentType: type }),
      };
      both(pair, (map) => map.put(k, content, options));
    };
  });

const remove: fc.Arbitrary<Operation> = key.map((k) => (pair) => {
  both(pair, (map) => map.delete(k, { now: pair.now }));
});

const mergeOther: fc.Arbitrary<Operation> = fc
  .array(fc.tuple(key, bytes, fc.boolean(), ttlMs), { minLength: 1, maxLength: 8 })
  .map((writes) => (pair) => {
    const entries = writes.map(([k, value, isDelete, ttl]): Entry => {
      const options = { now: pair.now, ...(ttl === undefined ? {} : { ttlMs: ttl }) };
      return isDelete ? pair.other.delete(k, options) : pair.other.put(k, value, options);
    });
    both(pair, (map) => map.merge(entries, { now: pair.now, meta: { heard: entries[0]?.value } }));
  });

const later: fc.Arbitrary<Operation> = fc.integer({ min: 1, max: 4_000 }).map((ms) => (pair) => {
  pair.now += ms;
});

const expire: fc.Arbitrary<Operation> = fc.integer({ min: 1, max: 5 }).map((limit) => (pair) => {
  both(pair, (map) => map.expire({ now: pair.now, limit }));
});

const reap: fc.Arbitrary<Operation> = fc.integer({ min: 0, max: 6_000 }).map((ago) => (pair) => {
  both(pair, (map) => map.reap(stampOf(pair.now - ago), 4));
});

const setMeta: fc.Arbitrary<Operation> = fc
  .tuple(fc.constantFrom("members", "seen"), fc.option(bytes, { nil: undefined }))
  .map(([name, value]) => (pair) => {
    both(pair, (map) => {
      map.setMeta(name, value);
    });
  });

const commit: fc.Arbitrary<Operation> = fc.constant((pair) => pair.disk.committed());

const restart: fc.Arbitrary<Operation> = fc.constant(async (pair) => {
  await pair.disk.close();
  pair.disk = await openMap({
    folder: pair.folder,
    journalChanges: pair.journalChanges,
    node: NODE,
  });
  const { engine } = pair.memory;
  pair.memory = new VersionedMap({ node: NODE, engine });
  pair.now += 1_000; // past the ceiling, above which the one on disk starts (rule 7)
});

/** What a crash leaves: the files as they are, opened by somebody else. */
const crash: fc.Arbitrary<Operation> = fc.constant(async (pair) => {
  await pair.disk.committed();
  const folder = freshFolder();
  cpSync(pair.folder, folder, { recursive: true });
  await pair.disk.close();
  rmSync(pair.folder, { recursive: true, force: true });
  pair.folder = folder;
  pair.disk = await openMap({ folder, journalChanges: pair.journalChanges, node: NODE });
  const { engine } = pair.memory;
  pair.memory = new VersionedMap({ node: NODE, engine });
  pair.now += 1_000;
});

const operation = fc.oneof(
  { weight: 5, arbitrary: put },
  { weight: 2, arbitrary: remove },
  { weight: 3, arbitrary: mergeOther },
  { weight: 3, arbitrary: later },
  { weight: 2, arbitrary: expire },
  { weight: 2, arbitrary: reap },
  { weight: 1, arbitrary: setMeta },
  { weight: 2, arbitrary: commit },
  { weight: 1, arbitrary: restart },
  { weight: 1, arbitrary: crash },
);

/** An engine may give more than a head. */
function headFields(head: Head): unknown {
  const { key, version, keyHash, hashHigh, hashLow, fingerprintHigh, fingerprintLow } = head;
  return [key, version, keyHash, hashHigh, hashLow, fingerprintHigh, fingerprintLow];
}

/** What an entry does not show when it is compared. */
function allFields(entry: StoredEntry | undefined): unknown {
  return entry && [entry, headFields(entry), entry.counter, entry.stripped];
}

/** Entries with equal times come in any order. */
function byKey(entries: readonly StoredEntry[]): StoredEntry[] {
  return entries.toSorted((a, b) => compareKeys(a.key, b.key));
}

function compare({ memory, disk, now }: Pair): void {
  const same = (ask: (map: VersionedMap) => unknown): void => {
    expect(ask(disk)).to.deep.equal(ask(memory));
  };
  same((map) => map.digest());
  for (const k of keys) same((map) => [map.get(k, { now }), allFields(map.peek(k))]);
  same((map) => map.entries({ all: true, now }));
  same((map) => map.entries({ prefix: "a", now }));
  same((map) => map.entries({ after: "a", limit: 2, now }));
  same((map) => map.entries({ from: "a/1", before: "b", now }));
  same((map) => ({ ...map.statistics(), clock: 0 })); // after a restart it begins at the ceiling
  same((map) => map.nextExpiry);
  same((map) => map.engine.firstDue("reap"));
  same((map) => byKey(map.engine.due("expiry", now + 1_000, 100)));
  same((map) => byKey(map.engine.due("reap", stampOf(now), 100)));
  same((map) => map.engine.changes(0, 100));
  same((map) => map.engine.changes(Math.floor(map.counter / 2), 3));
  same((map) => [map.engine.metaNames(), map.getMeta("members"), map.getMeta("heard")]);
  same((map) => map.digestChildren(0, 0));
  same((map) => map.horizon);
  for (const k of keys) {
    hashKey(k);
    const leaf = (lastHash[0] ?? 0) >>> 17;
    same((map) => map.digestEntries(3, leaf).map(headFields));
    same((map) => map.digestChildren(3, leaf));
  }
  expect(disk.statistics().correctedLeaves).to.equal(0);
}

describe("the engines in memory and on disk", () => {
  it("say the same whatever is done to them, before and after commits and restarts", async function () {
    this.timeout(300_000);
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { minLength: 1, maxLength: 40 }),
        fc.constantFrom(1, 3, 10, 2048),
        async (operations, journalChanges) => {
          const folder = freshFolder();
          const pair: Pair = {
            folder,
            journalChanges,
            memory: new VersionedMap({ node: NODE, engine: new MemoryEngine() }),
            disk: await openMap({ folder, journalChanges, node: NODE }),
            now: START_MS,
            other: new VersionedMap({ node: OTHER }),
          };
          try {
            for (const operate of operations) {
              await operate(pair);
              compare(pair);
            }
            await restartAndCompare(pair);
          } finally {
            await pair.disk.close();
            rmSync(pair.folder, { recursive: true, force: true });
          }
        },
      ),
      { numRuns: process.env.DND_FULL === "1" ? 1_000 : 25 },
    );
  });
});

async function restartAndCompare(pair: Pair): Promise<void> {
  await pair.disk.close();
  pair.disk = await openMap({
    folder: pair.folder,
    journalChanges: pair.journalChanges,
    node: NODE,
  });
  pair.memory = new VersionedMap({ node: NODE, engine: pair.memory.engine });
  compare(pair);
}
