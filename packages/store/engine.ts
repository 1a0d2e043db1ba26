import type { Head, StoredEntry } from "./stored_entry.ts";
import type { MapState } from "./map_state.ts";
import { StorageError } from "./errors.ts";

/**
 * One change of one key, as a map hands it to its engine. With both entries in hand an engine updates
 * its indexes without reading:
 *
 * | index | row to remove, from `previous` | row to add, from `entry` |
 * |---|---|---|
 * | key -> entry | | `entry.key` |
 * | key hash -> head (leaf listing) | `previous.keyHash`, key | `entry.keyHash`, key |
 * | counter -> key | `previous.counter` | `entry.counter` |
 * | expiry, reap | `expiryIndexTime`, `reapIndexTime` of `previous` | the same of `entry` |
 * | leaf sums | XOR the fingerprint of `previous` | XOR the fingerprint of `entry` |
 *
 * `keyHash >>> 17` is the leaf (0 to 32,767). `entry` and `previous` always have equal `keyHash`.
 */
export interface EntryChange {
  readonly key: string;

  /** What the key holds from now on. Absent: the key is forgotten (reaped), or damaged. */
  readonly entry: StoredEntry | undefined;

  /**
   * What the key held before, as `get` gave it. Absent: nothing, or a damaged record that was already
   * taken out.
   */
  readonly previous: StoredEntry | undefined;

  /**
   * The record of this key fails its checksum: this head, from the engine's own index, leaves the leaf
   * sum and the index; the key stays marked as damaged, durably, until an entry is put over it.
   * `entry` and `previous` are absent then. A head of `undefined` with `damaged: true`: mark only.
   */
  readonly damaged?: boolean | undefined;
  readonly damagedHead?: Head | undefined;
}

/** A correction of a leaf sum that was found wrong (rule 6): XOR these into it. */
export interface LeafCorrection {
  readonly leaf: number;
  readonly high: number;
  readonly low: number;
}

/**
 * All that one operation of a map changed. An engine applies a batch entirely or not at all, and
 * commits batches in the order in which they were written, so that a promise (`heard`, `seen`) is never
 * on disk before the entries that it speaks of (rules 6 and 9).
 */
export interface Batch {
  /** In order; at most one for a key. */
  readonly changes: readonly EntryChange[];

  /** The map's own object, after this batch; it changes with the next one, so copy what you keep. */
  readonly state: Readonly<MapState>;

  /**
   * The clock ceiling to make durable with this batch (rule 7): `clock + 250 ms`. An engine keeps the
   * larger of this and what it has, unless `lowerCeiling` is set (rule 8).
   */
  readonly ceiling: number;
  readonly lowerCeiling?: boolean | undefined;

  /** Named values of the layers above, stored with the entries. `undefined` deletes one. */
  readonly meta?: ReadonlyMap<string, Uint8Array | undefined> | undefined;

  readonly corrections?: readonly LeafCorrection[] | undefined;
}

/** What an engine knows when a map opens it, without having read an entry. */
export interface EngineState {
  readonly state: MapState;

  /** The durable clock ceiling: no stamp was ever issued at or above it. 0 in a new store. */
  readonly ceiling: number;

  /**
   * The leaf sums: 65,536 signed integers, `[high, low]` of leaf 0, of leaf 1, and so on. The map makes a
   * copy.
   */
  readonly leafSums: Int32Array;
}

/** Which entries a scan returns. Keys compare by their UTF-8 bytes. */
export interface ScanOptions {
  /** Only keys that begin with this. Default: all. */
  readonly prefix?: string | undefined;

  /** Only keys from this one on. */
  readonly from?: string | undefined;

  /** Only keys after this one: the cursor of the page before. */
  readonly after?: string | undefined;

  /** Only keys before this one. */
  readonly before?: string | undefined;

  /** At most so many entries. */
  readonly limit: number;
}

/** What an engine tells the map that opened it. Called outside of any call into the engine. */
export interface EngineListener {
  /** Everything up to this counter is durable. */
  committed(counter: number): void;

  /** The engine has failed for good; every call from now on throws this. */
  failed(error: StorageError): void;
}

/** Figures of an engine, for statistics. */
export interface EngineStatistics {
  /** Bytes waiting for their commit; 0 in memory. */
  readonly pendingBytes: number;

  /** Keys whose records are marked as damaged. */
  readonly damaged: number;

  /** Further figures by name. */
  readonly [name: string]: number;
}

/**
 * Where a map keeps its entries. All reads are synchronous and see what was written, committed or not.
 * An engine knows nothing of merging: it stores what it is given, in order, and finds it again.
 *
 * Two indexes of time are kept apart, both freeze the layout of rule 6: *expiry* holds the entries that
 * will expire (by `expiryIndexTime`), *reap* those that may be forgotten once the horizon has
 * passed them (by `reapIndexTime`).
 *
 * Whoever writes an engine finds what it needs in `@dnd/store/engine`, and runs the contract suite of
 * `@dnd/store/engine-contract` against it.
 */
export interface Engine {
  /** Whether what was committed is there after a restart. */
  readonly durable: boolean;

  /**
   * Opens the store for one map.
   *
   * Called again by another map, it takes the store over; the map before must not be used any more.
   *
   * @throws {StorageError} if it is closed, or failed
   */
  open(listener: EngineListener): EngineState;

  /**
   * The entry of a key: a value, a tombstone or a stripped entry. What is no key is not held. Must not
   * hash another key meanwhile: a map calls this between hashing the key and its fingerprint.
   *
   * @returns `undefined` if the key is not held
   * @throws {DamagedError} if its record fails the checksum, or is marked as damaged
   * @throws {StorageError} if the engine failed or was closed
   */
  get(key: string): StoredEntry | undefined;

  /**
   * Asks whether a write of about so many bytes would be taken. A map asks before it stamps (rule 17),
   * so that a refusal leaves nothing behind.
   *
   * @throws {StorageError} `storage-full`, `storage-failed`, `overloaded`, `closed`
   */
  admit(bytes: number): void;

  /**
   * `false`: no key with this hash (its high word) is held, damaged or not, which is known without reading.
   * Absent: nothing is known so.
   */
  mayHold?(keyHash: number): boolean;

  /**
   * Whether {@linkcode Engine.write} makes its own copy of the values, and moves the entries to it
   * (`StoredEntry.move`). Absent: the map makes a copy of each value before.
   */
  readonly copiesValues?: boolean;

  /**
   * Applies a batch: visible to reads at once, durable when {@linkcode Engine.committed} says so.
   *
   * @throws {StorageError} if the engine failed or was closed; nothing is applied then
   */
  write(batch: Batch): void;

  /**
   * Resolves when everything written before this call is durable; at once in memory.
   *
   * @throws {StorageError} (as rejection) if the commit failed; `outcome` is `unknown`
   */
  committed(): Promise<void>;

  /** The highest counter that is durable. */
  readonly committedCounter: number;

  /** The durable clock ceiling; `Infinity` if the engine is not durable. */
  readonly ceiling: number;

  /**
   * Lifts the ceiling; durable when this returns. Needed by the first write after a pause, where no
   * commit has lifted it (rule 7).
   *
   * @throws {StorageError} if that failed
   */
  raiseCeiling(stamp: number): void;

  /** Entries in key order, tombstones and stripped ones among them. Damaged keys are left out. */
  scan(options: ScanOptions): StoredEntry[];

  /** Entries whose counter is larger than `after`, by rising counter. */
  changes(after: number, limit: number): StoredEntry[];

  /**
   * Heads of the entries whose key hash, as an unsigned number, is in `[low, high)`: a leaf, or a part
   * of one. In any order. Damaged keys are left out.
   */
  heads(low: number, high: number): Iterable<Head>;

  /** Entries of an index with a time of at most `upTo`, the earliest first. */
  due(index: TimeIndex, upTo: number, limit: number): StoredEntry[];

  /** The earliest time in an index; `undefined` if it is empty. */
  firstDue(index: TimeIndex): number | undefined;

  /** Keys whose records are damaged, in key order. */
  damaged(limit: number): string[];

  /** A named value, as last written. The bytes belong to the engine. */
  meta(name: string): Uint8Array | undefined;

  /** The names of all named values, sorted. */
  metaNames(): string[];

  statistics(): EngineStatistics;

  /** Makes a consistent copy in a folder while serving, marked as a backup (rule 19). */
  copy?(folder: string): Promise<void>;

  /** Commits what is waiting, and closes. Safe to call twice. */
  close(): Promise<void>;
}

/** The indexes of time that an engine keeps. */
export type TimeIndex = "expiry" | "reap";

/** The record of a key fails its checksum (rule 6). */
export class DamagedError extends StorageError {
  override readonly name = "DamagedError";

  /** The key. */
  declare readonly key: string;

  /** What the engine's index still says about the entry, if the damage is new and the index is whole. */
  declare readonly head: Head | undefined;

  /** Whether the key has been marked already. */
  declare readonly marked: boolean;

  constructor(key: string, options: { head?: Head | undefined; marked: boolean }) {
    super("damaged", `Cannot read ${JSON.stringify(key)}: its record fails the checksum`, { key });
    this.head = options.head;
    this.marked = options.marked;
  }
}
