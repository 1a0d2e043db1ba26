import { hashKey, lastHash } from "@dnd/store/engine";
import type { Head, StoredEntry, TimeIndex } from "@dnd/store";
import type { Environment, RowRange } from "./_environment.ts";
import { type JournalChange, readJournal } from "./_journal.ts";
import type { KeyRange } from "./_overlay.ts";
import { readHead, readRecord } from "./_record.ts";
import {
  CHECK_BYTES,
  TAG_COUNTER,
  TAG_DAMAGED,
  TAG_ENTRY,
  TAG_EXPIRY,
  TAG_HEAD,
  TAG_JOURNAL,
  TAG_REAP,
  headRow,
  isIntact,
  numberOf,
  numberRow,
  plainRow,
  successor,
  textRow,
} from "./_rows.ts";

/** What the data file says of a key whose record fails its checksum, or is missing without a reason. */
export class Damage {
  /** What the index says of the entry; `undefined` if that is damaged too. */
  readonly head: Head | undefined;

  /** Whether the key is marked. */
  readonly isMarked: boolean;

  constructor(head: Head | undefined, isMarked: boolean) {
    this.head = head;
    this.isMarked = isMarked;
  }
}

const TIME_TAGS: Readonly<Record<TimeIndex, number>> = { expiry: TAG_EXPIRY, reap: TAG_REAP };

/** Reads rows, and believes none that fails its checksum. */
export class RowReader {
  readonly #environment: Environment;

  /** Rows of indexes that were passed over because they failed their checksum. */
  damagedRows = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /**
   * The entry of a key.
   *
   * @param marks whether any key is marked as damaged
   */
  entry(key: string, marks: boolean): StoredEntry | Damage | undefined {
    const environment = this.#environment;
    const bytes = environment.read(key);
    if (bytes === undefined) return this.#missing(key, marks);
    const keyState = environment.lastKeyChecksum;
    const entry = readRecord(key, bytes, environment.lastLength, keyState);
    return entry ?? new Damage(this.head(key), false);
  }

  /** The entry of a key, with its whole value checked against the content hash. */
  deepEntry(key: string): StoredEntry | undefined {
    const environment = this.#environment;
    const bytes = environment.read(key);
    if (bytes === undefined) return undefined;
    const keyState = environment.lastKeyChecksum;
    return readRecord(key, bytes, environment.lastLength, keyState, true);
  }

  // A damaged page can hide a record. The index of hashes lies elsewhere: a key that it knows is not
  // missing but damaged, and never reads as if it had been forgotten (rule 6).
  #missing(key: string, marks: boolean): Damage | undefined {
    if (marks && this.isMarked(key)) return new Damage(undefined, true);
    if (hashKey(key) < 0) return undefined;
    const row = headRow(lastHash[0] ?? 0, key);
    const value = this.#environment.read(row);
    return value === undefined ? undefined : new Damage(this.#headOf(row, value), false);
  }

  /** What the index says of a key, if it is intact. */
  head(key: string): Head | undefined {
    if (hashKey(key) < 0) return undefined;
    const row = headRow(lastHash[0] ?? 0, key);
    const value = this.#environment.read(row);
    return value === undefined ? undefined : this.#headOf(row, value);
  }

  #headOf(row: Buffer, value: Buffer): Head | undefined {
    const head = value.subarray(0, this.#environment.lastLength);
    return isIntact(row, head) ? readHead(row, head) : undefined;
  }

  /** Whether a key is marked as damaged; a mark that is itself damaged counts. */
  isMarked(key: string): boolean {
    return this.#environment.read(textRow(TAG_DAMAGED, key)) !== undefined;
  }

  /** The marked keys, in their order. */
  *marked(): Iterable<string> {
    for (const { key } of this.#environment.range(tagRange(TAG_DAMAGED), false)) {
      yield key.toString("utf8", 1);
    }
  }

  /** Intact entries of a range, in the order of their keys. */
  *entries(range: KeyRange): Iterable<StoredEntry> {
    const rows = keyRows(range);
    if (rows === undefined) return;
    const { prefix = "" } = range;
    for (const { key, keyState, value } of this.#environment.entries(rows)) {
      if (!key.startsWith(prefix)) continue;
      const entry = readRecord(key, value, value.length, keyState);
      if (entry === undefined) this.damagedRows += 1;
      else yield entry;
    }
  }

  /** Counters and keys of the change log, after a counter. */
  *changes(after: number): Iterable<{ readonly counter: number; readonly key: string }> {
    const from = numberRow(TAG_COUNTER, after + 1);
    for (const { key: row, value } of this.#environment.range({
      from,
      to: plainRow(TAG_COUNTER + 1),
    })) {
      if (isIntact(row, value)) {
        yield { counter: numberOf(row), key: value.toString("utf8", CHECK_BYTES) };
      } else this.damagedRows += 1;
    }
  }

  /** The rows of the journal, the oldest first; `changes` is `undefined` if one cannot be read. */
  *journal(): Iterable<{
    readonly number: number;
    readonly changes: readonly JournalChange[] | undefined;
  }> {
    for (const { key: row, value } of this.#environment.range(tagRange(TAG_JOURNAL))) {
      const changes = row.length === 9 ? readJournal(row, value) : undefined;
      yield { number: changes === undefined ? 0 : numberOf(row), changes };
    }
  }

  /** Times and keys of an index, the earliest first. */
  *due(index: TimeIndex): Iterable<{ readonly time: number; readonly key: string }> {
    for (const { key: row, value } of this.#environment.range(tagRange(TIME_TAGS[index]))) {
      if (isIntact(row, value)) yield { time: numberOf(row), key: row.toString("utf8", 9) };
      else this.damagedRows += 1;
    }
  }

  /** Intact heads of key hashes in `[low, high)`. */
  *heads(low: number, high: number): Iterable<Head> {
    const to = high > 0xffffffff ? plainRow(TAG_HEAD + 1) : headRow(high);
    for (const { key: row, value } of this.#environment.range({ from: headRow(low), to })) {
      if (isIntact(row, value)) yield readHead(row, value);
      else this.damagedRows += 1;
    }
  }
}

function tagRange(tag: number): RowRange {
  return { from: plainRow(tag), to: plainRow(tag + 1) };
}

/** A range of keys as a range of rows; `undefined` if it is empty. */
function keyRows({ prefix = "", from, after, before }: KeyRange): RowRange | undefined {
  const isCut = /[\ud800-\udbff]$/.test(prefix); // a cut character has no bytes
  let start = textRow(TAG_ENTRY, isCut ? prefix.slice(0, -1) : prefix);
  let end = successor(start) ?? plainRow(TAG_ENTRY + 1);
  if (from !== undefined) start = later(start, textRow(TAG_ENTRY, from));
  if (after !== undefined) start = later(start, textRow(TAG_ENTRY, `${after}\0`));
  if (before !== undefined) {
    const bound = textRow(TAG_ENTRY, before);
    if (Buffer.compare(bound, end) < 0) end = bound;
  }
  return Buffer.compare(start, end) < 0 ? { from: start, to: end } : undefined;
}

function later(a: Buffer, b: Buffer): Buffer {
  return Buffer.compare(a, b) >= 0 ? a : b;
}
