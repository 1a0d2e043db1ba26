// What the map costs beside a bare `Map`, each a ratio within one run: rounds of both alternate, and the
// median of the rounds' ratios counts, so that a busy machine slows both.
//
//     npx nx run store:bench                    1,000,000 keys, values of 100 bytes
//     npx nx run store:bench -- 200000 32       other numbers
import type { Entry } from "./entry.ts";
import { VersionedMap } from "./versioned_map.ts";
import { hashOf } from "./content_hash.ts";
import process from "node:process";
import { runInNewContext } from "node:vm";
import { setFlagsFromString } from "node:v8";
import { stampOf } from "./version.ts";

const ROUNDS = 5;
const VALUE_BYTES = Number(process.argv[3] ?? 100);
const UPDATE = 1000;
const NOW = 1_800_000_000_000;
const NODE = "0123456789abcdef0123456789abcdef";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Key number `i`, in an order that is not that of the numbers; one flat string, as decoding gives. */
function key(i: number): string {
  return Buffer.from(`user:${(i * 7919) % 99_999_989}`).toString("latin1");
}

function value(i: number): Uint8Array {
  const bytes = new Uint8Array(VALUE_BYTES).fill(i & 255);
  bytes[0] = i >>> 8;
  return bytes;
}

function seconds(run: () => void): number {
  collect();
  const start = process.hrtime.bigint();
  run();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function median(numbers: number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? NaN;
}

/** Bytes that something takes, heap and buffers together. */
function bytesOf<T>(make: () => T): number {
  collect();
  const before = process.memoryUsage();
  const made = make();
  collect();
  const after = process.memoryUsage();
  if (made === undefined) throw new TypeError("Cannot measure nothing");
  return after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers;
}

function show(name: string, bare: number, ours: number, goal: string): void {
  const rate = (perSecond: number): string => Math.round(perSecond).toLocaleString("en");
  const ratio = (ours / bare).toFixed(2);
  process.stdout.write(`| ${name} | ${rate(bare)} | ${rate(ours)} | ${ratio} | ${goal} |\n`);
}

function compare(
  count: number,
  bare: () => void,
  ours: () => void,
): { bare: number; ours: number } {
  const pairs = Array.from({ length: ROUNDS }, () => ({
    bare: count / seconds(bare),
    ours: count / seconds(ours),
  }));
  const ratio = median(pairs.map((pair) => pair.ours / pair.bare));
  const typical = median(pairs.map((pair) => pair.bare));
  return { bare: typical, ours: typical * ratio };
}

const count = Number(process.argv[2] ?? 1_000_000);
const keys = Array.from({ length: count }, (_, i) => key(i));
const values = Array.from({ length: 1000 }, (_, i) => value(i));
const valueOf = (i: number): Uint8Array => values[i % 1000] ?? value(i);

process.stdout.write(`${count} keys, values of ${VALUE_BYTES} bytes, Node ${process.version}\n\n`);
process.stdout.write("| operation | bare Map, 1/s | VersionedMap, 1/s | ratio | goal |\n");
process.stdout.write("|---|---|---|---|---|\n");

let bareMap = new Map<string, Uint8Array>();
let map = new VersionedMap({ node: NODE });

const put = compare(
  count,
  () => {
    bareMap = new Map();
    for (let i = 0; i < count; i += 1) bareMap.set(keys[i] ?? "", valueOf(i));
  },
  () => {
    map = new VersionedMap({ node: NODE });
    for (let i = 0; i < count; i += 1) map.put(keys[i] ?? "", valueOf(i), { now: NOW });
  },
);
show("put, new keys", put.bare, put.ours, "0.25");

let sum = 0;
const get = compare(
  count,
  () => {
    for (let i = 0; i < count; i += 1) sum += bareMap.get(keys[i] ?? "")?.length ?? 0;
  },
  () => {
    for (let i = 0; i < count; i += 1) {
      sum += map.get(keys[i] ?? "", { now: NOW })?.value.length ?? 0;
    }
  },
);
show("get", get.bare, get.ours, "0.5");

// Written out, so that all have one hidden class, as those of a decoder have: V8 makes one for each object
// that is spread and then added to.
const entries: Entry[] = keys.map((each, i) => {
  const version = { time: stampOf(NOW) + i, node: NODE };
  const hash = hashOf({ key: each, value: valueOf(i), version });
  return { key: each, value: valueOf(i), version, hash };
});
const updates = Array.from({ length: Math.ceil(count / UPDATE) }, (_, i) =>
  entries.slice(i * UPDATE, (i + 1) * UPDATE),
);
const merge = compare(
  count,
  () => {
    bareMap = new Map();
    for (const update of updates) for (const entry of update) bareMap.set(entry.key, entry.value);
  },
  () => {
    map = new VersionedMap({ node: "b" });
    for (const update of updates) map.merge(update, { now: NOW + 400 });
  },
);
show(`merge, updates of ${UPDATE}`, merge.bare, merge.ours, "0.17 (500,000 beside 3,000,000)");

const page = seconds(() => {
  sum += map.entries({ now: NOW, limit: 100 }).length;
});
const nextPage = seconds(() => {
  for (let i = 0; i < 1000; i += 1) {
    sum += map.entries({ now: NOW, limit: 100, after: keys[(i * 997) % count] ?? "" }).length;
  }
});

const perKey = (bytes: number): string => (bytes / count).toFixed(0);
const bareBytes = bytesOf(() => {
  const strings = new Map<string, string>();
  for (let i = 0; i < count; i += 1) strings.set(key(i), `${i}`.padEnd(VALUE_BYTES, "."));
  return strings;
});
const ourBytes = bytesOf(() => {
  const measured = new VersionedMap({ node: NODE });
  for (let i = 0; i < count; i += 1) measured.put(key(i), valueOf(i), { now: NOW });
  return measured;
});

process.stdout.write(`
first listing of 100 of ${count} keys (sorts them): ${(page * 1000).toFixed(0)} ms
each further listing of 100 keys: ${(nextPage * 1000).toFixed(0)} us

| memory | bytes a key |
|---|---|
| bare Map of the same strings | ${perKey(bareBytes)} |
| VersionedMap | ${perKey(ourBytes)} |
`);
if (sum === 0) throw new RangeError("Nothing was read");
