// Reads of the file and of what waits over it, as one. Where the file is read in order, keys that wait
// are passed over, and taken from the overlay at their place.
import {
  type Head,
  type ScanOptions,
  type StoredEntry,
  type TimeIndex,
  DamagedError,
  compareKeys,
} from "@dnd/store";
import { expiryIndexTime, reapIndexTime } from "@dnd/store/engine";
import type { Overlay } from "./_overlay.ts";
import { Damage, type RowReader } from "./_row_reader.ts";

/** The reads of an engine. */
export class MergedReader {
  readonly #reader: RowReader;
  readonly #overlay: Overlay;

  /** How many keys are marked as damaged. */
  marks: number;

  /**
   * Keys that are damaged, though reading them alone would not show it, until they are marked: a value is
   * not what its content hash says, or the change log speaks of an entry that nothing else knows.
   */
  readonly suspects: Map<string, Head | undefined>;

  constructor(
    reader: RowReader,
    overlay: Overlay,
    found: { readonly marks: number; readonly suspects: Iterable<string> },
  ) {
    this.#reader = reader;
    this.#overlay = overlay;
    this.marks = found.marks;
    this.suspects = new Map(Array.from(found.suspects, (key) => [key, undefined]));
  }

  get(key: string): StoredEntry | undefined {
    if (this.#overlay.size > 0) {
      const pending = this.#overlay.get(key);
      if (pending !== undefined) {
        if (pending.isDamaged) throw new DamagedError(key, { marked: true });
        return pending.entry;
      }
    }
    const entry = this.#reader.entry(key, this.marks > 0);
    if (entry instanceof Damage) {
      throw new DamagedError(key, { head: entry.head, marked: entry.isMarked });
    }
    if (this.suspects.size > 0) {
      const head = this.suspects.get(key);
      if (this.suspects.has(key)) throw new DamagedError(key, { head, marked: false });
    }
    return entry;
  }

  isMarked(key: string): boolean {
    const pending = this.#overlay.get(key);
    if (pending !== undefined) return pending.isDamaged;
    return this.marks > 0 && this.#reader.isMarked(key);
  }

  scan(options: ScanOptions): StoredEntry[] {
    const { limit } = options;
    const pending = this.#overlay.entries(options, limit);
    const found: StoredEntry[] = [];
    let next = 0;
    for (const entry of this.#reader.entries(options)) {
      if (this.#overlay.get(entry.key) !== undefined) continue;
      for (; next < pending.length; next += 1) {
        const waiting = pending[next];
        if (waiting === undefined || compareKeys(waiting.key, entry.key) > 0) break;
        found.push(waiting);
      }
      if (found.length >= limit) break;
      found.push(entry);
    }
    return [...found, ...pending.slice(next)].slice(0, limit);
  }

  changes(after: number, limit: number): StoredEntry[] {
    const found: StoredEntry[] = [];
    for (const { counter, key } of this.#reader.changes(after)) {
      if (found.length >= limit) break;
      const entry = this.#stored(key);
      if (entry?.counter === counter) found.push(entry);
    }
    const waiting = this.#overlay.entriesAfter(after, limit);
    return [...found, ...waiting].sort((a, b) => a.counter - b.counter).slice(0, limit);
  }

  heads(low: number, high: number): Head[] {
    const found: Head[] = [];
    for (const head of this.#reader.heads(low, high)) {
      if (this.#overlay.get(head.key) === undefined) found.push(head);
    }
    const lastLeaf = (high - 1) >>> 17;
    for (let leaf = low >>> 17; leaf <= lastLeaf && this.#overlay.size > 0; leaf += 1) {
      for (const { entry } of this.#overlay.leaf(leaf)) {
        if (entry === undefined) continue;
        const hash = entry.keyHash >>> 0;
        if (hash >= low && hash < high) found.push(entry);
      }
    }
    return found;
  }

  due(index: TimeIndex, upTo: number, limit: number): StoredEntry[] {
    const found = this.#overlay.due(index, upTo);
    const timeOf = index === "expiry" ? expiryIndexTime : reapIndexTime;
    let stored = 0;
    for (const { time, key } of this.#reader.due(index)) {
      if (time > upTo || stored >= limit) break;
      const entry = this.#stored(key);
      if (entry === undefined || timeOf(entry) !== time) continue;
      found.push({ time, entry });
      stored += 1;
    }
    found.sort((a, b) => a.time - b.time);
    return found.slice(0, limit).map(({ entry }) => entry);
  }

  firstDue(index: TimeIndex): number | undefined {
    const waiting = this.#overlay.firstDue(index);
    const timeOf = index === "expiry" ? expiryIndexTime : reapIndexTime;
    for (const { time, key } of this.#reader.due(index)) {
      if (waiting !== undefined && waiting <= time) return waiting;
      const entry = this.#stored(key);
      if (entry !== undefined && timeOf(entry) === time) return time;
    }
    return waiting;
  }

  damaged(limit: number): string[] {
    const keys = new Set<string>(this.marks > 0 ? this.#reader.marked() : []);
    for (const { key, isDamaged } of this.#overlay.all()) {
      if (isDamaged) keys.add(key);
      else keys.delete(key);
    }
    return [...keys].sort(compareKeys).slice(0, limit);
  }

  /** The entry that the file holds of a key, unless something newer waits, or it is damaged. */
  #stored(key: string): StoredEntry | undefined {
    if (this.#overlay.get(key) !== undefined) return undefined;
    const entry = this.#reader.entry(key, this.marks > 0);
    return entry instanceof Damage ? undefined : entry;
  }
}
