// What was written and is not in its rows on disk yet: it waits for its commit, or lies in the journal. Reads
// ask here first; what they find here hides what the rows say of the key. Changes lie in the order in which they were made, which is the order of their
// counters.
import { compareKeys, expiryIndexTime, reapIndexTime } from "@dnd/store";
import type { StoredEntry, TimeIndex } from "@dnd/store";
import type { PendingChange } from "./_group.ts";

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

  /** Keys by leaf; made when a leaf is first asked for, dropped when the overlay runs empty. */
  #leaves: Map<number, Set<string>> | undefined;

  readonly #times: Record<TimeIndex, Map<string, number>> = { expiry: new Map(), reap: new Map() };

  /** How many keys have changes here. */
  get size(): number {
    return this.#changes.size;
  }

  get(key: string): PendingChange | undefined {
    return this.#changes.get(key);
  }

  set(change: PendingChange): void {
    const { key, entry } = change;
    if (this.#changes.has(key)) this.#changes.delete(key); // to the end
    this.#changes.set(key, change);
    this.#setTime("expiry", key, entry === undefined ? undefined : expiryIndexTime(entry));
    this.#setTime("reap", key, entry === undefined ? undefined : reapIndexTime(entry));
    if (this.#leaves !== undefined) addToLeaf(this.#leaves, change);
  }

  #setTime(index: TimeIndex, key: string, time: number | undefined): void {
    const times = this.#times[index];
    if (time !== undefined) times.set(key, time);
    else if (times.size > 0) times.delete(key);
  }

  /** Forgets changes that are in their rows now, unless the key has changed since. */
  drop(changes: Iterable<PendingChange>): void {
    for (const change of changes) {
      if (this.#changes.get(change.key) !== change) continue;
      this.#changes.delete(change.key);
      this.#setTime("expiry", change.key, undefined);
      this.#setTime("reap", change.key, undefined);
      if (this.#leaves !== undefined) removeFromLeaf(this.#leaves, change);
    }
    if (this.#changes.size === 0) this.#leaves = undefined;
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

  /** The first entries of a range, by key; at least `limit` of them if there are so many. */
  entries(range: KeyRange, limit: number): StoredEntry[] {
    let found: StoredEntry[] = [];
    const most = 2 * limit + 64;
    for (const { key, entry } of this.#changes.values()) {
      if (entry === undefined || !isInRange(key, range)) continue;
      found.push(entry);
      if (found.length >= most) found = firstByKey(found, limit);
    }
    return firstByKey(found, limit);
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
    let first: number | undefined;
    for (const time of this.#times[index].values()) {
      if (first === undefined || time < first) first = time;
    }
    return first;
  }
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

function firstByKey(entries: StoredEntry[], limit: number): StoredEntry[] {
  return entries.sort((a, b) => compareKeys(a.key, b.key)).slice(0, limit);
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
