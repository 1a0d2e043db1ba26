// What was written and is not in its rows on disk yet: it waits for its commit, or lies in the journal. Reads
// ask here first; what they find here hides what the rows say of the key. There are tens of thousands of
// changes, so what is asked for has an order of its own here: keys, counters, leaves, and the earliest time.
import { compareKeys } from "@dnd/store";
import { expiryIndexTime, reapIndexTime } from "@dnd/store/engine";
import type { StoredEntry, TimeIndex } from "@dnd/store";
import type { PendingChange } from "./_group.ts";
import { OverlayKeys } from "./_overlay_keys.ts";

/** Beside as many entries as there are, so many that were replaced or dropped may lie in the log. */
const MOST_STALE = 256;

/** Whether a key is in a range of keys. */
export interface KeyRange {
  readonly prefix?: string | undefined;
  readonly from?: string | undefined;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
}

/** The changes that are not in their rows, the last one of each key. */
export class Overlay {
  readonly #changes = new Map<string, PendingChange>();

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

  /** How many keys have changes here. */
  get size(): number {
    return this.#changes.size;
  }

  get(key: string): PendingChange | undefined {
    return this.#changes.get(key);
  }

  /**
   * Takes in a change.
   *
   * @param older the one of this key that is here
   */
  set(change: PendingChange, older: PendingChange | undefined): void {
    const { key, entry } = change;
    if (older !== undefined) {
      older.isWaiting = false;
      this.#changes.delete(key); // to the end
    } else this.#keys?.add(key);
    change.isWaiting = true;
    this.#changes.set(key, change);
    if (entry !== undefined) this.#logChange(change, entry.counter);
    this.#setTime("expiry", key, entry === undefined ? undefined : expiryIndexTime(entry));
    this.#setTime("reap", key, entry === undefined ? undefined : reapIndexTime(entry));
    if (this.#leaves !== undefined) addToLeaf(this.#leaves, change);
  }

  #logChange(change: PendingChange, counter: number): void {
    const log = this.#log;
    if (counter <= counterOf(log.at(-1))) this.#late.add(change);
    else log.push(change);
    if (log.length + this.#late.size <= 2 * this.#changes.size + MOST_STALE) return;
    this.#log = log.filter(({ isWaiting }) => isWaiting);
    for (const late of this.#late) if (!late.isWaiting) this.#late.delete(late);
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
      if (!change.isWaiting) continue;
      change.isWaiting = false;
      this.#changes.delete(change.key);
      this.#setTime("expiry", change.key, undefined);
      this.#setTime("reap", change.key, undefined);
      if (this.#leaves !== undefined) removeFromLeaf(this.#leaves, change);
    }
    if (this.#changes.size > 0) return;
    this.#leaves = undefined;
    this.#keys = undefined;
    this.#log = [];
    this.#late.clear();
  }

  /** All changes, oldest first. */
  all(): Iterable<PendingChange> {
    return this.#changes.values();
  }

  /** The changes of the keys of a leaf; others may be among them. */
  *leaf(leaf: number): Iterable<PendingChange> {
    if (this.#changes.size === 0) return;
    if (this.#leaves === undefined) {
      this.#leaves = new Map();
      for (const change of this.#changes.values()) addToLeaf(this.#leaves, change);
    }
    for (const key of this.#leaves.get(leaf) ?? []) {
      const change = this.#changes.get(key);
      if (change !== undefined) yield change;
    }
  }

  /** The first entries of a range, by key. */
  entries(range: KeyRange, limit: number): StoredEntry[] {
    const changes = this.#changes;
    if (changes.size === 0) return [];
    this.#keys ??= new OverlayKeys(changes.keys());
    const isThere = (key: string): boolean => changes.has(key);
    const { inOrder, unsorted } = this.#keys.from(startOf(range), isThere, changes.size);
    const found: StoredEntry[] = [];
    for (const key of inOrder) {
      if (found.length >= limit || isBehind(key, range)) break;
      const entry = changes.get(key)?.entry;
      if (entry !== undefined && isInRange(key, range)) found.push(entry);
    }
    for (const key of unsorted) {
      const entry = changes.get(key)?.entry;
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
      if (change?.entry !== undefined && change.isWaiting) found.push(change.entry);
    }
    if (this.#late.size === 0) return found;
    for (const { entry, isWaiting } of this.#late) {
      if (entry !== undefined && entry.counter > counter && isWaiting) found.push(entry);
    }
    return found.sort((a, b) => a.counter - b.counter).slice(0, limit);
  }

  /** Entries of an index with a time of at most `upTo`. */
  due(index: TimeIndex, upTo: number): { readonly time: number; readonly entry: StoredEntry }[] {
    const found: { time: number; entry: StoredEntry }[] = [];
    for (const [key, time] of this.#times[index]) {
      const entry = this.#changes.get(key)?.entry;
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
