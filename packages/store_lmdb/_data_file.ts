// Opening a data file: what must be read before the first entry, and what must be right before anything
// is written.
import { type Head, StorageError } from "@dnd/store";
import { ALGORITHM, PARTITION_LEVEL } from "@dnd/store/engine";
import { join } from "node:path";
import { type Environment, openEnvironment } from "./_environment.ts";
import { syncFolder } from "./_durable_files.ts";
import { LeafSums } from "./_leaf_sums.ts";
import { readMetaPages } from "./_meta_pages.ts";
import { Group, type HeldRows } from "./_group.ts";
import type { Moved } from "./_mover.ts";
import { writeHead } from "./_record.ts";
import { Damage, RowReader } from "./_row_reader.ts";
import {
  CHECK_BYTES,
  LAYOUT,
  OLD_LAYOUT,
  TAG_DELTAS,
  TAG_META,
  TAG_SCHEMA,
  TAG_STATE,
  TAG_SUMS,
  headRow,
  isIntact,
  plainRow,
  seal,
} from "./_rows.ts";
import { EMPTY_STATE, type StoredState, decodeState, encodeState } from "./_state_row.ts";
import { DataFolderError } from "./data_folder_error.ts";

/** An open data file, and what it said. */
export interface DataFile {
  readonly environment: Environment;
  readonly reader: RowReader;
  readonly sums: LeafSums;
  readonly state: StoredState;

  /** Named values; `undefined` for one that is damaged. */
  readonly meta: Map<string, Uint8Array | undefined>;

  /** Keys that the change log knows, and whose entries cannot be read. */
  readonly suspects: readonly string[];

  /** How many keys are marked as damaged. */
  readonly marks: number;

  /** What the journal holds: groups of changes, the oldest first. */
  readonly journal: readonly Moved[];

  /** Whether leaf sums were damaged, and made anew from the heads of the entries. */
  readonly hasMendedSums: boolean;
}

/** The row that says what the others look like. */
export function schemaRow(layout: number = LAYOUT): {
  readonly row: Buffer;
  readonly value: Buffer;
} {
  const row = plainRow(TAG_SCHEMA);
  const value = Buffer.alloc(CHECK_BYTES + 6);
  value.writeUInt16LE(layout, CHECK_BYTES);
  value.writeUInt16LE(ALGORITHM, CHECK_BYTES + 2);
  value.writeUInt16LE(PARTITION_LEVEL, CHECK_BYTES + 4);
  return { row, value: seal(row, value) };
}

/**
 * Opens the data file of a folder; makes it if it is not there.
 *
 * @throws {DataFolderError} `damaged` or `version`; nothing was changed then
 */
export async function openDataFile(
  folder: string,
  open: (path: string) => Promise<Environment> = openEnvironment,
): Promise<DataFile> {
  const path = join(folder, "data.mdb");
  const pages = readMetaPages(path);
  if (pages.problem !== undefined)
    throw damaged(folder, `data.mdb cannot be read: ${pages.problem}`);
  let environment: Environment;
  try {
    environment = await open(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw damaged(folder, `lmdb cannot read data.mdb (${reason})`, error);
  }
  try {
    if (pages.isNew) syncFolder(folder);
    const suspects = await upgrade(folder, environment);
    return read(folder, environment, suspects);
  } catch (error) {
    await environment.close();
    if (error instanceof DataFolderError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw damaged(folder, `lmdb cannot read data.mdb (${reason})`, error);
  }
}

/**
 * Makes a copy that lmdb has written one that can be opened: its meta pages do not follow each other, and
 * its transaction has another number than its state says.
 */
export async function settleCopy(path: string): Promise<void> {
  const environment = await openEnvironment(path);
  try {
    const row = plainRow(TAG_STATE);
    const bytes = readRow(environment, row);
    const state = bytes && decodeState(row, bytes);
    if (state === undefined) {
      if (environment.transaction === 0) return; // nothing was ever written
      throw new StorageError("damaged", `Cannot read the state of the copy ${path}`);
    }
    const transaction = environment.transaction + 1;
    await environment.commit((writer) => {
      writer.put(row, encodeState(row, { ...state, transaction }));
    });
  } finally {
    await environment.close();
  }
}

function read(folder: string, environment: Environment, suspects: readonly string[]): DataFile {
  const sums = new LeafSums();
  const reader = new RowReader(environment);
  const meta = new Map<string, Uint8Array | undefined>();
  if (environment.transaction === 0) {
    const counts = { ceiling: 0, epoch: 0, transaction: 0, damaged: 0, journalRows: 0 };
    const state = { map: EMPTY_STATE, ...counts, rootHigh: 0, rootLow: 0 };
    const nothing = { marks: 0, suspects: [], journal: [], hasMendedSums: false };
    return { environment, reader, sums, state, meta, ...nothing };
  }
  checkSchema(folder, environment);
  const state = readState(folder, environment);
  const { groups: journal, marks } = loadJournal(folder, reader, state);
  const hasMendedSums = loadSums(environment, sums, state, () => headsOf(reader, journal));
  for (const { key, value } of environment.range({
    from: plainRow(TAG_META),
    to: plainRow(TAG_META + 1),
  })) {
    const bytes = isIntact(key, value) ? new Uint8Array(value.subarray(CHECK_BYTES)) : undefined;
    meta.set(key.toString("utf8", 1), bytes);
  }
  const damages = state.damaged + marks;
  return {
    environment,
    reader,
    sums,
    state,
    marks: damages,
    meta,
    suspects,
    journal,
    hasMendedSums,
  };
}

function readRow(environment: Environment, row: Buffer): Buffer | undefined {
  const value = environment.read(row);
  return value && Buffer.from(value.subarray(0, environment.lastLength));
}

function readState(folder: string, environment: Environment): StoredState {
  const row = plainRow(TAG_STATE);
  const bytes = readRow(environment, row);
  const state = bytes && decodeState(row, bytes);
  if (state === undefined) throw damaged(folder, "its state is not readable");
  if (state.transaction !== environment.transaction) {
    throw damaged(
      folder,
      `it shows transaction ${environment.transaction}, but holds the state of ${state.transaction}`,
    );
  }
  return state;
}

/** @returns the layout of the file */
function checkSchema(folder: string, environment: Environment): number {
  const { row } = schemaRow();
  const value = readRow(environment, row);
  if (value === undefined || !isIntact(row, value)) {
    throw damaged(folder, "its schema is not readable");
  }
  for (const layout of [LAYOUT, OLD_LAYOUT]) {
    if (value.equals(schemaRow(layout).value)) return layout;
  }
  const numbers = [0, 2, 4].map((at) => value.readUInt16LE(CHECK_BYTES + at)).join(", ");
  throw new DataFolderError(
    "version",
    `Cannot open the data folder ${folder}: its layout, hash algorithm and partition level are ` +
      `${numbers}; this version knows ${LAYOUT}, ${ALGORITHM}, ${PARTITION_LEVEL}. ` +
      "Use the version of dnd that wrote it, or export there and import here",
  );
}

/**
 * Makes a file of layout 1 one of layout 2, in one transaction. It has no journal, and the index of heads
 * lacks the entries behind a counter: these are written.
 *
 * @returns keys that the change log knows, and whose entries cannot be read
 */
async function upgrade(folder: string, environment: Environment): Promise<string[]> {
  if (environment.transaction === 0) return [];
  if (checkSchema(folder, environment) !== OLD_LAYOUT) return [];
  const state = readState(folder, environment);
  const reader = new RowReader(environment);
  const suspects: string[] = [];
  const heads: Head[] = [];
  for (const { counter, key } of reader.changes(state.journalRows)) {
    const entry = reader.entry(key, state.damaged > 0);
    if (entry instanceof Damage || entry === undefined) {
      if (!reader.isMarked(key)) suspects.push(key);
    } else if (entry.counter === counter) heads.push(entry);
  }
  const transaction = environment.transaction + 1;
  await environment.commit((writer) => {
    for (const head of heads) {
      const row = headRow(head.keyHash, head.key);
      writer.put(row, writeHead(head, row));
    }
    const schema = schemaRow();
    writer.put(schema.row, schema.value);
    const row = plainRow(TAG_STATE);
    writer.put(row, encodeState(row, { ...state, transaction, journalRows: 0 }));
  });
  return suspects;
}

interface LoadedJournal {
  readonly groups: readonly Moved[];

  /** How many keys are found damaged in it. */
  readonly marks: number;
}

/**
 * What the rows of a key hold, read when it is asked for: of thousands of keys in the journal each would
 * be a page from somewhere in the file, and nobody asks before the change is moved.
 */
class RowsOnDisk implements HeldRows {
  readonly #reader: RowReader;
  readonly #key: string;
  #isRead = false;
  #held: HeldRows["held"];
  isMarked: boolean;
  last: HeldRows["last"];

  constructor(reader: RowReader, key: string, isMarked: boolean) {
    this.#reader = reader;
    this.#key = key;
    this.isMarked = isMarked;
  }

  get held(): HeldRows["held"] {
    if (!this.#isRead) {
      const stored = this.#reader.entry(this.#key, false);
      this.held = stored instanceof Damage ? stored.head : stored;
    }
    return this.#held;
  }

  set held(held: HeldRows["held"]) {
    this.#held = held;
    this.#isRead = true;
  }
}

/** Reads the changes that were not in their rows when the file was closed, or the process ended. */
function loadJournal(folder: string, reader: RowReader, state: StoredState): LoadedJournal {
  const found: Moved[] = [];
  const unreadable = new Set<string>();
  const rows = new Map<string, HeldRows>();
  const marked = new Set(reader.marked());
  for (const { number, changes } of reader.journal()) {
    if (changes === undefined) throw damaged(folder, "its journal is not readable");
    const group = new Group();
    for (const { key, entry, isDamaged, isUnreadable } of changes) {
      if (isUnreadable) unreadable.add(key);
      else unreadable.delete(key);
      let held = rows.get(key);
      if (held === undefined) rows.set(key, (held = new RowsOnDisk(reader, key, marked.has(key))));
      group.restore({ key, entry, isDamaged, rows: held });
    }
    found.push({ group, first: number, rows: 1 });
  }
  if (found.length !== state.journalRows) {
    throw damaged(folder, `${found.length} rows of its journal are left of ${state.journalRows}`);
  }
  return { groups: found, marks: unreadable.size };
}

/** The heads of all entries, those in the journal among them. */
function* headsOf(reader: RowReader, journal: readonly Moved[]): Iterable<Head> {
  const last = new Map<string, Head | undefined>();
  for (const { group } of journal) {
    for (const { key, entry } of group.changes) last.set(key, entry);
  }
  for (const head of reader.heads(0, 2 ** 32)) if (!last.has(head.key)) yield head;
  for (const head of last.values()) if (head !== undefined) yield head;
}

/** @returns whether the rows of sums were damaged, and the sums made anew from the heads of all entries */
function loadSums(
  environment: Environment,
  sums: LeafSums,
  state: StoredState,
  heads: () => Iterable<Head>,
): boolean {
  let isWhole = true;
  for (const { key, value } of environment.range({
    from: plainRow(TAG_SUMS),
    to: plainRow(TAG_SUMS + 1),
  })) {
    isWhole = sums.load(key, value) && isWhole;
  }
  for (const { key, value } of environment.range({
    from: plainRow(TAG_DELTAS),
    to: plainRow(TAG_DELTAS + 1),
  })) {
    isWhole = sums.loadDeltas(key, value) && isWhole;
  }
  if (isWhole && sums.rootHigh === state.rootHigh && sums.rootLow === state.rootLow) return false;
  sums.clear();
  for (const { keyHash, fingerprintHigh, fingerprintLow } of heads()) {
    sums.xor(keyHash >>> 17, fingerprintHigh, fingerprintLow);
  }
  return true;
}

function damaged(folder: string, reason: string, cause?: unknown): DataFolderError {
  return new DataFolderError(
    "damaged",
    `Cannot open the data folder ${folder}: ${reason}. ` +
      "Restore a backup, or start with an empty folder and let the cluster copy",
    cause === undefined ? undefined : { cause },
  );
}
