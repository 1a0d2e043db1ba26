// Ratios to bare lmdb, each taken in one run: this engine's calls and lmdb's own, in turns, the median of
// several rounds.
//
//     npx nx run store-lmdb:bench                    stores of 100,000 and 1,000,000 keys
//     npx nx run store-lmdb:bench -- 300000          the large one with so many
import { VersionedMap } from "@dnd/store";
import { type RootDatabase, open } from "lmdb";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine } from "./open_engine.ts";

const ROUNDS = 7;
const READ_KEYS = 100_000;
const READS = 50_000;
const WRITERS = 64;
const WRITES_PER_WRITER = 25;
const PUT_ROUNDS = 31;
const MERGED = 1_000;
const MERGES = 60;
const OPEN_KEYS = Number(process.argv[2] ?? 1_000_000);
const GROWTH_KEYS = 100_000;
const GROWTH_WRITES = 200_000;

/** Durable writes before the process ends without closing: the journal is nearly full then. */
const CRASH_WRITES = 15_900;
const VALUE = Buffer.alloc(100, "value ");

const root = mkdtempSync(join(tmpdir(), "dnd-bench-"));

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;
}

function keyOf(i: number): string {
  return `user/${(i * 7919) % 10_000_019}`;
}

/** Bare lmdb, with the flushes that the engine makes. */
function openBare(name: string): RootDatabase<Buffer, string> {
  return open<Buffer, string>({
    path: join(root, `${name}.mdb`),
    encoding: "binary",
    overlappingSync: false,
  });
}

async function openOurs(name: string, journalIdleMs?: number): Promise<VersionedMap> {
  const engine = await openEngine({
    folder: join(root, name),
    ...(journalIdleMs === undefined ? {} : { journalIdleMs }),
  });
  return new VersionedMap({ node: "0123456789abcdef0123456789abcdef", engine, clock: Date.now });
}

function row(what: string, ours: string, bare: string, ratio: string): void {
  process.stdout.write(`| ${what} | ${ours} | ${bare} | ${ratio} |\n`);
}

async function fill(map: VersionedMap, keys: number): Promise<void> {
  for (let i = 0; i < keys; i += 1) {
    map.put(keyOf(i), VALUE);
    if (i % 2_000 === 1_999) await map.committed();
  }
  await map.committed();
}

function timeUs(calls: number, call: (i: number) => unknown): number {
  const start = performance.now();
  for (let i = 0; i < calls; i += 1) call(i);
  return ((performance.now() - start) * 1_000) / calls;
}

async function benchGet(): Promise<void> {
  const map = await openOurs("get");
  const bare = openBare("get-bare");
  await fill(map, READ_KEYS);
  for (let i = 0; i < READ_KEYS; i += 2_000) {
    await bare.batch(() => {
      for (let j = i; j < i + 2_000; j += 1) void bare.put(keyOf(j), VALUE);
    });
  }
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const at = (i: number): string => keyOf((i * 31 + round) % READ_KEYS);
    theirs.push(timeUs(READS, (i) => bare.get(at(i))));
    ours.push(timeUs(READS, (i) => map.get(at(i))));
  }
  const [a, b] = [median(ours), median(theirs)];
  row("get, 100 bytes", `${a.toFixed(2)} µs`, `${b.toFixed(2)} µs`, (b / a).toFixed(2));
  await map.close();
  await bare.close();
}

interface Written {
  /** Writes a second. */
  readonly rate: number;

  /** How long each took, in milliseconds. */
  readonly tookMs: readonly number[];
}

async function writeAll(write: (key: string) => Promise<unknown>, first: number): Promise<Written> {
  const tookMs: number[] = [];
  const start = performance.now();
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let i = 0; i < WRITES_PER_WRITER; i += 1) {
      const began = performance.now();
      await write(keyOf(first + writer * 1_000 + i));
      tookMs.push(performance.now() - began);
    }
  });
  await Promise.all(writers);
  const rate = (WRITERS * WRITES_PER_WRITER) / ((performance.now() - start) / 1_000);
  return { rate, tookMs };
}

function p99(rounds: readonly Written[]): number {
  const all = rounds.flatMap(({ tookMs }) => tookMs).sort((a, b) => a - b);
  return all[Math.floor(all.length * 0.99)] ?? NaN;
}

/** Writes a second over all rounds together: the few slow ones count in it as they do for a user. */
function mean(rounds: readonly Written[]): number {
  const seconds = rounds.reduce((sum, { rate }) => sum + 1 / rate, 0);
  return rounds.length / seconds;
}

/** Rows for the rounds of both: writes a second, and how long the slowest hundredth took. */
async function comparePuts(
  what: string,
  { map, bare }: { map: VersionedMap; bare: RootDatabase<Buffer, string> },
  firstOf: (round: number) => number,
): Promise<void> {
  const ours: Written[] = [];
  const theirs: Written[] = [];
  const put = (key: string): Promise<void> => {
    map.put(key, VALUE);
    return map.committed();
  };
  for (let round = 0; round < PUT_ROUNDS; round += 1) {
    theirs.push(await writeAll((key) => bare.put(key, VALUE), firstOf(round)));
    ours.push(await writeAll(put, firstOf(round)));
  }
  const a = median(ours.map(({ rate }) => rate));
  const b = median(theirs.map(({ rate }) => rate));
  row(what, `${Math.round(a)}/s`, `${Math.round(b)}/s`, (a / b).toFixed(2));
  const [all, bareAll] = [mean(ours), mean(theirs)];
  row(
    `${what}: mean of all rounds`,
    `${Math.round(all)}/s`,
    `${Math.round(bareAll)}/s`,
    (all / bareAll).toFixed(2),
  );
  const [slow, bareSlow] = [p99(ours), p99(theirs)];
  row(
    `${what}: 99 of 100 within`,
    `${slow.toFixed(1)} ms`,
    `${bareSlow.toFixed(1)} ms`,
    (bareSlow / slow).toFixed(2),
  );
}

async function benchPut(): Promise<void> {
  const stores = { map: await openOurs("put"), bare: openBare("put-bare") };
  await comparePuts(
    `durable puts, ${WRITERS} writers, new keys`,
    stores,
    (round) => round * 100_000,
  );
  await comparePuts(`durable puts, ${WRITERS} writers, over old values`, stores, () => 0);
  await stores.map.close();
  await stores.bare.close();
}

/** Batches of another node's entries, as a joining node takes them in: each batch is committed before the next. */
async function benchMerge(): Promise<void> {
  const source = new VersionedMap({ node: "b", clock: Date.now });
  const batches = Array.from({ length: MERGES }, (_, batch) =>
    Array.from({ length: MERGED }, (_, i) => source.put(keyOf(batch * MERGED + i), VALUE)),
  );
  const map = await openOurs("merge");
  const bare = openBare("merge-bare");
  const ours: number[] = [];
  const theirs: number[] = [];
  for (const batch of batches) {
    let start = performance.now();
    await bare.batch(() => {
      for (const { key, value } of batch) void bare.put(key, value as Buffer);
    });
    theirs.push(MERGED / ((performance.now() - start) / 1_000));
    start = performance.now();
    map.merge(batch);
    await map.committed();
    ours.push(MERGED / ((performance.now() - start) / 1_000));
  }
  const [a, b] = [median(ours), median(theirs)];
  row(
    `merging ${MERGED} new entries a commit`,
    `${Math.round(a)}/s`,
    `${Math.round(b)}/s`,
    (a / b).toFixed(2),
  );
  await map.close();
  await bare.close();
}

async function benchOpen(): Promise<void> {
  const first = await openOurs("open");
  const before = performance.now();
  await fill(first, OPEN_KEYS);
  const filled = performance.now() - before;
  await first.close();
  const opens: number[] = [];
  for (let i = 0; i < 3; i += 1) {
    const start = performance.now();
    const map = await openOurs("open");
    map.digest();
    opens.push(performance.now() - start);
    await map.close();
  }
  const map = await openOurs("open");
  const start = performance.now();
  const read = readAll(map);
  const readMs = performance.now() - start;
  const openMs = median(opens);
  row(
    `opening ${OPEN_KEYS} keys, against reading them all`,
    `${openMs.toFixed(1)} ms`,
    `${readMs.toFixed(0)} ms`,
    (openMs / readMs).toFixed(4),
  );
  const { size } = statSync(join(root, "open", "data.mdb"));
  row("filling that store", `${Math.round(OPEN_KEYS / (filled / 1_000))}/s`, "", "");
  row("bytes on disk per key", (size / read).toFixed(0), "", "");
  const bare = openBare("open-bare");
  for (let i = 0; i < OPEN_KEYS; i += 2_000) {
    await bare.batch(() => {
      for (let j = i; j < i + 2_000; j += 1) void bare.put(keyOf(j), VALUE);
    });
  }
  await comparePuts(
    `durable puts, ${WRITERS} writers, new keys beside those ${OPEN_KEYS}`,
    { map, bare },
    (round) => OPEN_KEYS + round * 100_000,
  );
  await map.close();
  await bare.close();
}

/** How many entries there are; all are read. */
function readAll(map: VersionedMap): number {
  let read = 0;
  for (let after = ""; ;) {
    const page = map.entries({ limit: 1_000, after });
    read += page.length;
    after = page.at(-1)?.key ?? "";
    if (page.length < 1_000) return read;
  }
}

/**
 * Opening what a process left that ended without closing, nothing of it in memory: copies of the file of a store
 * that is being written to, and that are taken out of the page cache.
 */
async function benchCrashed(): Promise<void> {
  const map = await openOurs("open", Infinity);
  for (let i = 0; i < CRASH_WRITES; i += WRITERS) {
    for (let j = 0; j < WRITERS; j += 1) map.put(keyOf(2 * OPEN_KEYS + 31 * (i + j)), VALUE);
    await map.committed();
  }
  for (const name of ["crashed", "read"])
    cpSync(join(root, "open"), join(root, name), { recursive: true });
  await map.close();
  const timeMs = async (name: string, run: (map: VersionedMap) => unknown): Promise<number> => {
    const file = join(root, name, "data.mdb");
    execFileSync("dd", [`of=${file}`, "oflag=nocache", "conv=notrunc,fdatasync", "count=0"], {
      stdio: "ignore",
    });
    const start = performance.now();
    const opened = await openOurs(name, Infinity);
    run(opened);
    const took = performance.now() - start;
    await opened.close();
    return took;
  };
  const openMs = await timeMs("crashed", (opened) => opened.digest());
  const readMs = (await timeMs("read", readAll)) - openMs;
  row(
    `opening it after a crash, ${CRASH_WRITES} changes in its journal, nothing in the page cache`,
    `${openMs.toFixed(0)} ms`,
    `${readMs.toFixed(0)} ms`,
    (openMs / readMs).toFixed(3),
  );
}

/** What overwriting does to the size of the file. */
async function benchGrowth(): Promise<void> {
  const map = await openOurs("growth");
  await fill(map, GROWTH_KEYS);
  const megabytes = (): string =>
    `${Math.round(statSync(join(root, "growth", "data.mdb")).size / 1e6)} MB`;
  const filled = megabytes();
  let written = 0;
  const writer = async (): Promise<void> => {
    while (written < GROWTH_WRITES) {
      written += 1;
      map.put(keyOf((written * 7919) % GROWTH_KEYS), VALUE);
      await map.committed();
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  row(
    `the file of ${GROWTH_KEYS} keys, filled, and after ${GROWTH_WRITES} durable overwrites`,
    `${filled}, ${megabytes()}`,
    "",
    "",
  );
  await map.close();
}

try {
  row("what", "this engine", "bare lmdb", "ratio");
  row("---", "---", "---", "---");
  await benchGet();
  await benchPut();
  await benchMerge();
  await benchOpen();
  await benchCrashed();
  await benchGrowth();
} finally {
  rmSync(root, { recursive: true, force: true });
}
