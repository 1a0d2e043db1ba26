// What was written and is not in its rows on disk yet: it waits for its commit, or lies in the journal. Reads
// ask here first; what they find here hides what the rows say of the key. There are tens of thousands of
// changes, so what is asked for has an order of its own here: keys, counters, leaves, and the earliest time.
import { compareKeys } from "@dnd/store";
import { expiryIndexTime, reapIndexTime } from "@dnd/store/engine";
import type { StoredEntry, TimeIndex } from "@dnd/store";
import type { Generation, PendingChange } from "./_group.ts";
import { OverlayKeys } from "./_overlay_keys.ts";

/** Beside as many entries as there are, so many that were replaced or dropped may lie in the log. */
const MOST_STALE = 256;

/** How many changes share a table, and how many bytes of values, about. */
const GENERATION_CHANGES = 16_384;
const GENERATION_BYTES = 4 * 1024 * 1024;

/** Whether a key is in a range of keys. */
export interface KeyRange {
  readonly prefix?: string | undefined;
  readonly from?: string | undefined;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
}

/** The changes that are not in their rows, the last one of each key. */
export class Overlay {
  /** The oldest first. The last change of a key is in the last table that has the key. */
  readonly #generations: Generation[] = [];
  readonly #generationChanges: number;
  #size = 0;

  /** Changes in the order of their entries' counters, some of which are not there any more. */
  #log: PendingChange[] = [];

  /** Those that came with a lower counter than one before them: an entry that expired keeps its own. */
  readonly #late = new Set<PendingChange>();

  /** The keys in their order; made when a range is first asked for, dropped when the overlay runs empty. */
  #keys: OverlayKeys | undefined;

  /** Keys by leaf; made when a leaf is first asked for, dropped when the overlay runs empty. */
  #leaves: Map<number, Set<string>> | undefined;

  readonly #times: Record<TimeIndex, Map<string, number>> = { expiry: new Map(), reap: new Map() };

  /** The earliest of these times, if it is known. */
  readonly #earliest: Record<TimeIndex, number | undefined> = {
    expiry: undefined,
    reap: undefined,
  };

  /** @param generationChanges how many changes share a table */
  constructor(generationChanges: number = GENERATION_CHANGES) {
    this.#generationChanges = generationChanges;
  }

  /** How many keys have changes here. */
  get size(): number {
    return this.#size;
  }

  get(key: string): PendingChange | undefined {
    const generations = this.#generations;
    for (let i = generations.length - 1; i >= 0; i -= 1) {
      const change = generations[i]?.changes.get(key);
      if (change !== undefined) return change.generation === undefined ? undefined : change;
    }
    return undefined;
  }

  /**
   * Takes in a change.
   *
   * @param older the one of this key that is here
   */
  set(change: PendingChange, older: PendingChange | undefined): void {
    const { key, entry } = change;
    if (older === undefined) this.#keys?.add(key);
    else this.#leave(older);
    const newest = this.#generation();
    newest.changes.set(key, change);
    newest.waiting += 1;
    newest.bytes += entry?.value.length ?? 0;
    change.generation = newest;
    this.#size += 1;
    if (entry !== undefined) this.#logChange(change, entry.counter);
    this.#setTime("expiry", key, entry === undefined ? undefined : expiryIndexTime(entry));
    this.#setTime("reap", key, entry === undefined ? undefined : reapIndexTime(entry));
    if (this.#leaves !== undefined) addToLeaf(this.#leaves, change);
  }

  /** The table that takes the next change. */
  #generation(): Generation {
    const newest = this.#generations.at(-1);
    if (newest !== undefined) {
      const isFull =
        newest.changes.size >= this.#generationChanges || newest.bytes >= GENERATION_BYTES;
      if (!isFull) return newest;
    }
    const next = { changes: new Map<string, PendingChange>(), waiting: 0, bytes: 0 };
    this.#generations.push(next);
    return next;
  }

  /** A change waits no more. */
  #leave(change: PendingChange): void {
    const { generation } = change;
    if (generation === undefined) return;
    change.generation = undefined;
    this.#size -= 1;
    generation.waiting -= 1;
    if (generation.waiting > 0) return;
    this.#generations.splice(this.#generations.indexOf(generation), 1);
  }

  #logChange(change: PendingChange, counter: number): void {
    const log = this.#log;
    if (counter <= counterOf(log.at(-1))) this.#late.add(change);
    else log.push(change);
    if (log.length + this.#late.size <= 2 * this.#size + MOST_STALE) return;
    this.#log = log.filter(({ generation }) => generation !== undefined);
    for (const late of this.#late) if (late.generation === undefined) this.#late.delete(late);
  }

  #setTime(index: TimeIndex, key: string, time: number | undefined): void {
    const times = this.#times[index];
    if (time === undefined && times.size === 0) return;
    const earliest = this.#earliest[index];
    if (earliest !== undefined && times.get(key) === earliest) this.#earliest[index] = undefined;
    else if (earliest !== undefined && time !== undefined && time < earliest) {
      this.#earliest[index] = time;
    }
    if (time === undefined) times.delete(key);
    else times.set(key, time);
  }

  /** Forgets changes that are in their rows now, unless the key has changed since. */
  drop(changes: Iterable<PendingChange>): void {
    for (const change of changes) {
      if (change.generation === undefined) continue;
      this.#leave(change);
      this.#setTime("expiry", change.key, undefined);
      this.#setTime("reap", change.key, undefined);
      if (this.#leaves !== undefined) removeFromLeaf(this.#leaves, change);
    }
    if (this.#size > 0) return;
    this.#leaves = undefined;
    this.#keys = undefined;
    this.#log = [];
    this.#late.clear();
  }

  /** All changes, in no order. */
  *all(): Iterable<PendingChange> {
    for (const { changes } of this.#generations) {
      for (const change of changes.values()) if (change.generation !== undefined) yield change;
    }
  }

  /** The changes of the keys of a leaf; others may be among them. */
  *leaf(leaf: number): Iterable<PendingChange> {
    if (this.#size === 0) return;
    if (this.#leaves === undefined) {
      this.#leaves = new Map();
      for (const change of this.all()) addToLeaf(this.#leaves, change);
    }
    for (const key of this.#leaves.get(leaf) ?? []) {
      const change = this.get(key);
      if (change !== undefined) yield change;
    }
  }

  /** The first entries of a range, by key. */
  entries(range: KeyRange, limit: number): StoredEntry[] {
    if (this.#size === 0) return [];
    this.#keys ??= new OverlayKeys(Array.from(this.all(), ({ key }) => key));
    const isThere = (key: string): boolean => this.get(key) !== undefined;
    const { inOrder, unsorted } = this.#keys.from(startOf(range), isThere, this.#size);
    const found: StoredEntry[] = [];
    for (const key of inOrder) {
      if (found.length >= limit || isBehind(key, range)) break;
      const entry = this.get(key)?.entry;
      if (entry !== undefined && isInRange(key, range)) found.push(entry);
    }
    for (const key of unsorted) {
      const entry = this.get(key)?.entry;
      if (entry !== undefined && isInRange(key, range)) found.push(entry);
    }
    return found.sort((a, b) => compareKeys(a.key, b.key)).slice(0, limit);
  }

  /** The first entries behind a counter, in the order of their counters. */
  entriesAfter(counter: number, limit: number): StoredEntry[] {
    const log = this.#log;
    let low = 0;
    for (let high = log.length; low < high;) {
      const middle = (low + high) >>> 1;
      if (counterOf(log[middle]) <= counter) low = middle + 1;
      else high = middle;
    }
    const found: StoredEntry[] = [];
    for (; low < log.length && found.length < limit; low += 1) {
      const change = log[low];
      if (change?.entry !== undefined && change.generation !== undefined) found.push(change.entry);
    }
    if (this.#late.size === 0) return found;
    for (const { entry, generation } of this.#late) {
      if (generation === undefined || entry === undefined) continue;
      if (entry.counter > counter) found.push(entry);
    }
    return found.sort((a, b) => a.counter - b.counter).slice(0, limit);
  }

  /** Entries of an index with a time of at most `upTo`. */
  due(index: TimeIndex, upTo: number): { readonly time: number; readonly entry: StoredEntry }[] {
    const found: { time: number; entry: StoredEntry }[] = [];
    for (const [key, time] of this.#times[index]) {
      const entry = this.get(key)?.entry;
      if (time <= upTo && entry !== undefined) found.push({ time, entry });
    }
    return found;
  }

  /** The earliest time in an index. */
  firstDue(index: TimeIndex): number | undefined {
    const times = this.#times[index];
    if (times.size === 0) return undefined;
    let first = this.#earliest[index];
    if (first !== undefined) return first;
    first = Infinity;
    for (const time of times.values()) first = Math.min(first, time);
    this.#earliest[index] = first;
    return first;
  }
}

function counterOf(change: PendingChange | undefined): number {
  return change?.entry?.counter ?? 0;
}

/** The first key that a range may hold. */
function startOf({ prefix = "", from = "", after = "" }: KeyRange): string {
  const start = compareKeys(prefix, from) > 0 ? prefix : from;
  return compareKeys(start, after) > 0 ? start : after;
}

/** Whether a key lies behind a range. */
function isBehind(key: string, { prefix = "", before }: KeyRange): boolean {
  if (before !== undefined && compareKeys(key, before) >= 0) return true;
  return !key.startsWith(prefix) && compareKeys(key, prefix) > 0;
}

function addToLeaf(leaves: Map<number, Set<string>>, { key, entry, base }: PendingChange): void {
  const keyHash = entry?.keyHash ?? base?.keyHash;
  if (keyHash === undefined) return;
  const leaf = keyHash >>> 17;
  const keys = leaves.get(leaf);
  if (keys === undefined) leaves.set(leaf, new Set([key]));
  else keys.add(key);
}

function removeFromLeaf(
  leaves: Map<number, Set<string>>,
  { key, entry, base }: PendingChange,
): void {
  const keyHash = entry?.keyHash ?? base?.keyHash;
  if (keyHash === undefined) return;
  const keys = leaves.get(keyHash >>> 17);
  if (keys?.delete(key) === true && keys.size === 0) leaves.delete(keyHash >>> 17);
}

/** Whether a key lies in a range. */
export function isInRange(key: string, { prefix, from, after, before }: KeyRange): boolean {
  return (
    (prefix === undefined || key.startsWith(prefix)) &&
    (from === undefined || compareKeys(key, from) >= 0) &&
    (after === undefined || compareKeys(key, after) > 0) &&
    (before === undefined || compareKeys(key, before) < 0)
  );
}
