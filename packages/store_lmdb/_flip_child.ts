// Reads the store of the flip rig (see _flips.ts) with one bit flipped, once for each bit that it is given.
import {
  DamagedError,
  type Engine,
  type Head,
  MemoryEngine,
  StorageError,
  type StoredEntry,
  VersionedMap,
} from "@dnd/store";
import { copyFileSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { FLIP_KEYS, FLIP_NOW, fillMap, flipKey } from "./_flips.ts";
import { openEngineWith } from "./_open_engine.ts";
import type { DataFolder } from "./data_folder.ts";
import { DataFolderError } from "./data_folder_error.ts";

const [folder = "", list = ""] = process.argv.slice(2);
const path = join(folder, "data.mdb");
const pristine = join(folder, "pristine");

/** The folder without its lock and identity, which are not what is flipped. */
const bare: DataFolder = {
  ...{ path: folder, id: "a", generation: 1, cluster: undefined, newIdReason: undefined },
  renew: () => undefined,
  raiseGeneration: () => undefined,
  markBackup: () => undefined,
  close: () => Promise.resolve(),
};

const memory = new MemoryEngine();
const right = new VersionedMap({ node: "0123456789abcdef0123456789abcdef", engine: memory });
fillMap(right);
const rightState = memory.open({ committed: () => undefined, failed: () => undefined });

for (const bit of list.split(",").map(Number)) {
  const bytes = readFileSync(pristine);
  bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
  writeFileSync(path, bytes);
  rmSync(`${path}-lock`, { force: true });
  say(await readAll(bit));
}
copyFileSync(pristine, path);

/** Says a line, which is in the kernel when this returns: a flip may end the process at any moment. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

async function readAll(bit: number): Promise<string> {
  let engine: Engine;
  try {
    engine = await openEngineWith({ folder: bare });
  } catch (error) {
    if (error instanceof DataFolderError && error.code === "damaged") return "refused";
    throw error;
  }
  let outcome = "harmless";
  const wrong = (what: string): void => {
    say(`wrong bit ${bit}: ${what}`);
  };
  /** Reads; an error is an answer. */
  const attempt = <T>(read: () => T, check: (value: T) => void): void => {
    let value: T;
    try {
      value = read();
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== "damaged") throw error;
      outcome = "noticed";
      return;
    }
    check(value);
  };
  const state = engine.open({ committed: () => undefined, failed: () => undefined });
  if (!isDeepStrictEqual(state.state, rightState.state)) wrong("the state");
  if (!isDeepStrictEqual(state.leafSums, rightState.leafSums)) wrong("the leaf sums");
  for (let i = 0; i < FLIP_KEYS; i += 1) {
    const key = flipKey(i);
    try {
      const entry = engine.get(key);
      if (!isSame(entry, memory.get(key))) wrong(`${key}, got ${describe(entry)}`);
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== "damaged") throw error;
      if (error instanceof DamagedError && error.key !== key)
        wrong(`${key} blamed on ${error.key}`);
      outcome = "noticed";
    }
  }
  attempt(
    () => engine.get("never written"),
    (entry) => entry !== undefined && wrong("a key that was never written"),
  );
  const checkAll = (what: string, entries: readonly StoredEntry[]): void => {
    for (const entry of entries)
      if (!isSame(entry, memory.get(entry.key))) wrong(`${what} ${entry.key}`);
    if (entries.length !== memory.scan({ limit: Infinity }).length) outcome = "noticed";
  };
  attempt(
    () => engine.scan({ limit: Infinity }),
    (entries) => {
      checkAll("listed", entries);
    },
  );
  attempt(
    () => engine.changes(0, Infinity),
    (entries) => {
      checkAll("in the change log", entries);
    },
  );
  for (const index of ["expiry", "reap"] as const) {
    attempt(
      () => engine.due(index, FLIP_NOW * 4096, Infinity),
      (entries) => {
        for (const entry of entries) {
          if (!isSame(entry, memory.get(entry.key))) wrong(`due ${entry.key}`);
        }
      },
    );
  }
  attempt(
    () => [...engine.heads(0, 2 ** 32)],
    (heads) => {
      for (const head of heads) {
        const entry = memory.get(head.key);
        if (entry === undefined || !isSameHead(head, entry)) wrong(`head ${head.key}`);
      }
    },
  );
  attempt(
    () => engine.meta("members"),
    (bytes) => {
      if (Buffer.from(bytes ?? []).toString() !== "the members") wrong("a named value");
    },
  );
  await engine.close();
  return outcome;
}

function isSame(a: StoredEntry | undefined, b: StoredEntry | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    isSameHead(a, b) &&
    Buffer.compare(a.value, b.value) === 0 &&
    a.counter === b.counter &&
    a.contentType === b.contentType &&
    a.expiresAt === b.expiresAt &&
    a.deleted === b.deleted
  );
}

function isSameHead(a: Head, b: Head): boolean {
  return (
    a.key === b.key &&
    isDeepStrictEqual(a.version, b.version) &&
    a.keyHash === b.keyHash &&
    a.hashHigh === b.hashHigh &&
    a.hashLow === b.hashLow &&
    a.fingerprintHigh === b.fingerprintHigh &&
    a.fingerprintLow === b.fingerprintLow
  );
}

function describe(entry: StoredEntry | undefined): string {
  if (entry === undefined) return "nothing";
  const { version, counter, contentType, expiresAt, deleted, value, stripped, keyHash } = entry;
  const fields = { version, counter, contentType, expiresAt, deleted, stripped, keyHash };
  return `${JSON.stringify(fields)} and ${value.length} bytes`;
}
