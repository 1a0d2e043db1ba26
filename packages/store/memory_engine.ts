import { ChangeList } from "./_change_list.ts";
import { KeyOrder } from "./_key_order.ts";
import { LeafIndex } from "./_leaf_index.ts";
import { SmallValues } from "./_small_values.ts";
import { TimeHeap } from "./_time_heap.ts";
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
  expiryIndexTime,
  reapIndexTime,
} from "./engine.ts";
import type { Head, StoredEntry } from "./stored_entry.ts";
import { type MapState, newMapState } from "./map_state.ts";
import { StorageError } from "./errors.ts";
import { LEAF_COUNT } from "./digest_tree.ts";
import { compareKeys } from "./compare_keys.ts";

/**
 * Keeps the entries in memory: the default of a map. Nothing survives the process, so nothing is ever
 * waited for: what was written is committed.
 *
 * One `Map` holds the entries. The change log is threaded through them; key order and leaf listing are
 * made when they are first asked for, and follow lazily.
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
  readonly #entries = new Map<string, StoredEntry>();
  readonly #log = new ChangeList();
  readonly #small: SmallValues = new SmallValues(this.#log);
  readonly #order: KeyOrder = new KeyOrder(this.#entries);
  readonly #leaves: LeafIndex = new LeafIndex(this.#entries);
  readonly #expiry: TimeHeap;
  readonly #reap: TimeHeap;
  readonly #damaged = new Map<string, Head | undefined>();
  readonly #meta = new Map<string, Uint8Array>();
  readonly #done: Promise<void> = Promise.resolve();
  #state: Readonly<MapState> | undefined;
  #closed = false;

  constructor() {
    const isHeld = (entry: StoredEntry): boolean => this.#entries.get(entry.key) === entry;
    this.#expiry = new TimeHeap(expiryIndexTime, isHeld);
    this.#reap = new TimeHeap(reapIndexTime, isHeld);
  }

  get durable(): boolean {
    return false;
  }

  get ceiling(): number {
    return Infinity;
  }

  get committedCounter(): number {
    return this.#state?.counter ?? 0;
  }

  open(_listener: EngineListener): EngineState {
    this.admit();
    const leafSums = new Int32Array(2 * LEAF_COUNT);
    for (const entry of this.#entries.values()) {
      const at = 2 * (entry.keyHash >>> 17);
      leafSums[at] = (leafSums[at] ?? 0) ^ entry.fingerprintHigh;
      leafSums[at + 1] = (leafSums[at + 1] ?? 0) ^ entry.fingerprintLow;
    }
    return { state: { ...(this.#state ?? newMapState()) }, ceiling: 0, leafSums };
  }

  get(key: string): StoredEntry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) this.#checkMissing(key);
    return entry;
  }

  keep(bytes: Uint8Array): Uint8Array {
    return this.#small.keep(bytes);
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
    return this.#log.after(after, limit);
  }

  heads(low: number, high: number): Iterable<Head> {
    this.admit();
    return this.#leaves.list(low, high);
  }

  due(index: TimeIndex, upTo: number, limit: number): StoredEntry[] {
    this.admit();
    return (index === "expiry" ? this.#expiry : this.#reap).due(upTo, limit);
  }

  firstDue(index: TimeIndex): number | undefined {
    this.admit();
    return (index === "expiry" ? this.#expiry : this.#reap).first();
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
    this.#entries.clear(); // what is read from now on is missing, and says why
  }

  #checkMissing(key: string): void {
    this.admit();
    if (this.#damaged.has(key)) throw new DamagedError(key, { marked: true });
  }

  #apply(change: EntryChange): void {
    const { entry, previous } = change;
    if (entry === undefined) this.#remove(change);
    else this.#put(entry, previous);
    if (previous === undefined) return;
    this.#expiry.spoil(previous);
    this.#reap.spoil(previous);
  }

  #put(entry: StoredEntry, previous: StoredEntry | undefined): void {
    const { key } = entry;
    if (previous !== undefined) this.#small.removing(previous);
    this.#entries.set(key, entry);
    if (previous === undefined) {
      this.#order.add(key);
      this.#leaves.add(key);
      this.#log.append(entry);
      if (this.#damaged.size > 0) this.#damaged.delete(key);
    } else if (previous.counter === entry.counter) {
      this.#log.replace(entry, previous);
    } else {
      this.#log.remove(previous);
      this.#log.append(entry);
    }
    this.#small.added(entry);
    this.#expiry.push(entry);
    this.#reap.push(entry);
  }

  #remove({ key, damaged, damagedHead }: EntryChange): void {
    const held = this.#entries.get(key);
    if (held !== undefined) {
      this.#small.removing(held);
      this.#entries.delete(key);
      this.#order.remove();
      this.#leaves.remove();
      this.#log.remove(held);
    }
    if (damaged === true) this.#damaged.set(key, damagedHead);
  }
}
