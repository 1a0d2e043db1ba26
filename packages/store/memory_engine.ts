import { EntryRows } from "./_entry_rows.ts";
import { KeyOrder } from "./_key_order.ts";
import { KeyTable } from "./_key_table.ts";
import { NONE } from "./_sizes.ts";
import { SortedChunks } from "./_sorted_chunks.ts";
import {
  type Batch,
  type Engine,
  type EngineListener,
  type EngineState,
  type EngineStatistics,
  type EntryChange,
  type ScanOptions,
  type TimeIndex,
  DamagedError,
} from "./engine.ts";
import type { Head, StoredEntry } from "./stored_entry.ts";
import { type MapState, newMapState } from "./map_state.ts";
import { StorageError } from "./errors.ts";
import { expiryIndexTime, reapIndexTime } from "./index_times.ts";
import { LEAF_COUNT } from "./digest_tree.ts";
import { compareKeys } from "./compare_keys.ts";
import { hashKey, lastHash } from "./hash.ts";
import { xor } from "./_xor.ts";

/**
 * Keeps the entries in memory: the default of a map. Nothing survives the process, so nothing is ever
 * waited for: what was written is committed.
 *
 * Entries are rows of numbers in a few large buffers, found by a hash table of their keys; an entry that is
 * given out is made anew each time. The change log is threaded through the rows; the order of the keys is
 * made when it is first asked for, and follows lazily.
 *
 * @example
 * ```ts
 * import { MemoryEngine, VersionedMap } from "@dnd/store";
 *
 * const engine = new MemoryEngine();
 * const map = new VersionedMap({ node: "a", engine });
 * ```
 */
export class MemoryEngine implements Engine {
  get durable(): boolean {
    return false;
  }

  get ceiling(): number {
    return Infinity;
  }

  /** What is written is copied into this engine's own memory. */
  readonly copiesValues: boolean = true;

  readonly #rows = new EntryRows();
  #table: KeyTable = new KeyTable(this.#rows.keys);
  readonly #order: KeyOrder = new KeyOrder(this.#rows, (key) => this.#find(key));
  readonly #times: Readonly<Record<TimeIndex, SortedChunks<TimedRow>>> = {
    expiry: new SortedChunks(compareTimes),
    reap: new SortedChunks(compareTimes),
  };
  readonly #damaged = new Map<string, Head | undefined>();
  readonly #meta = new Map<string, Uint8Array>();
  readonly #done: Promise<void> = Promise.resolve();
  #state: Readonly<MapState> | undefined;

  /** The key that was looked for last and is not held: mostly it is put next. */
  #missing: string | undefined;
  #closed = false;

  get committedCounter(): number {
    return this.#state?.counter ?? 0;
  }

  open(_listener: EngineListener): EngineState {
    this.admit();
    const leafSums = new Int32Array(2 * LEAF_COUNT);
    for (const { keyHash, fingerprintHigh, fingerprintLow } of this.changes(0, Infinity)) {
      xor(leafSums, keyHash >>> 17, fingerprintHigh, fingerprintLow);
    }
    return { state: { ...(this.#state ?? newMapState()) }, ceiling: 0, leafSums };
  }

  get(key: string): StoredEntry | undefined {
    const row = this.#find(key);
    if (row !== NONE) return this.#rows.entry(row);
    this.admit();
    if (this.#damaged.size > 0 && this.#damaged.has(key))
      throw new DamagedError(key, { marked: true });
    this.#missing = key;
    return undefined;
  }

  admit(): void {
    if (this.#closed) throw new StorageError("closed", "Cannot use the map: it was closed");
  }

  write(batch: Batch): void {
    this.admit();
    for (const change of batch.changes) this.#apply(change);
    if (batch.meta !== undefined) {
      for (const [name, bytes] of batch.meta) {
        if (bytes === undefined) this.#meta.delete(name);
        else this.#meta.set(name, new Uint8Array(bytes));
      }
    }
    this.#state = batch.state;
  }

  committed(): Promise<void> {
    return this.#done;
  }

  raiseCeiling(): void {
    this.admit();
  }

  scan(options: ScanOptions): StoredEntry[] {
    this.admit();
    return this.#order.scan(options);
  }

  changes(after: number, limit: number): StoredEntry[] {
    this.admit();
    return this.#entriesIn(this.#rows.changes(after, limit));
  }

  heads(low: number, high: number): Iterable<Head> {
    this.admit();
    return this.#entriesIn(this.#table.rows(low, high));
  }

  due(index: TimeIndex, upTo: number, limit: number): StoredEntry[] {
    this.admit();
    const rows: number[] = [];
    for (const { time, row } of this.#times[index].from({ time: 0, row: 0 })) {
      if (time > upTo || rows.length >= limit) break;
      rows.push(row);
    }
    return this.#entriesIn(rows);
  }

  firstDue(index: TimeIndex): number | undefined {
    this.admit();
    return this.#times[index].first?.time;
  }

  damaged(limit: number): string[] {
    return [...this.#damaged.keys()].sort(compareKeys).slice(0, limit);
  }

  meta(name: string): Uint8Array | undefined {
    this.admit();
    return this.#meta.get(name);
  }

  metaNames(): string[] {
    return [...this.#meta.keys()].sort(compareKeys);
  }

  statistics(): EngineStatistics {
    return { pendingBytes: 0, damaged: this.#damaged.size };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#table = new KeyTable([]); // what is read from now on is missing, and says why
  }

  #find(key: string): number {
    if (typeof key !== "string" || hashKey(key) < 0) return NONE;
    return this.#table.find(key, lastHash[0] ?? 0);
  }

  #entriesIn(rows: readonly number[]): StoredEntry[] {
    return rows.map((row) => this.#rows.entry(row));
  }

  #apply({ key, entry, damaged, damagedHead }: EntryChange): void {
    if (entry !== undefined) this.#put(entry);
    else this.#remove(key);
    if (damaged) this.#damaged.set(key, damagedHead);
  }

  #put(entry: StoredEntry): void {
    const { key, keyHash } = entry;
    const rows = this.#rows;
    let row = key === this.#missing ? NONE : this.#table.find(key, keyHash);
    if (row === NONE) {
      this.#missing = undefined;
      row = rows.add(entry);
      this.#table.add(keyHash, row);
      this.#order.add(key);
      if (this.#damaged.size > 0) this.#damaged.delete(key);
    } else {
      if (rows.isTimed(row)) this.#setTimes(row, "remove");
      rows.replace(row, entry);
    }
    if (entry.value.length > 0) entry.move(rows.value(row));
    rows.tidy();
    if (rows.isTimed(row)) this.#setTimes(row, "add");
  }

  #remove(key: string): void {
    const row = this.#find(key);
    if (row === NONE) return;
    this.#setTimes(row, "remove");
    this.#table.remove(key, lastHash[0] ?? 0);
    this.#rows.remove(row);
    this.#order.remove(key);
  }

  /** Puts a row into the indexes of time that it belongs to, or takes it out. */
  #setTimes(row: number, act: "add" | "remove"): void {
    const entry = this.#rows.entry(row);
    const expiry = expiryIndexTime(entry);
    if (expiry !== undefined) this.#times.expiry[act]({ time: expiry, row });
    const reap = reapIndexTime(entry);
    if (reap !== undefined) this.#times.reap[act]({ time: reap, row });
  }
}

/** A row in an index of time. */
interface TimedRow {
  readonly time: number;
  readonly row: number;
}

function compareTimes(a: TimedRow, b: TimedRow): number {
  return a.time - b.time || a.row - b.row;
}
