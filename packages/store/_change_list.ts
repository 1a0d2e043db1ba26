import type { StoredEntry } from "./stored_entry.ts";

/**
 * The entries of a map in the order in which they were applied: counter -> key. A list linked through
 * the entries themselves, because every put takes one out of the middle and adds one at the end, and
 * readers ask for the newest: an array would have to be compacted, a sorted tree searched.
 */
export class ChangeList {
  #newest: StoredEntry | undefined;
  #oldest: StoredEntry | undefined;

  /** The entry with the lowest counter. */
  get oldest(): StoredEntry | undefined {
    return this.#oldest;
  }

  append(entry: StoredEntry): void {
    const last = this.#newest;
    entry.older = last;
    if (last !== undefined) last.newer = entry;
    else this.#oldest = entry;
    this.#newest = entry;
  }

  remove(entry: StoredEntry): void {
    const { older, newer } = entry;
    if (older !== undefined) older.newer = newer;
    else this.#oldest = newer;
    if (newer !== undefined) newer.older = older;
    else this.#newest = older;
    entry.older = undefined;
    entry.newer = undefined;
  }

  /** Puts an entry of the same counter into the place of another. */
  replace(entry: StoredEntry, previous: StoredEntry): void {
    const { older, newer } = previous;
    entry.older = older;
    entry.newer = newer;
    if (older !== undefined) older.newer = entry;
    else this.#oldest = entry;
    if (newer !== undefined) newer.older = entry;
    else this.#newest = entry;
    previous.older = undefined;
    previous.newer = undefined;
  }

  /** Entries with a counter above `after`, the lowest first: walks back from the newest. */
  after(after: number, limit: number): StoredEntry[] {
    let first: StoredEntry | undefined;
    for (let at = this.#newest; at !== undefined && at.counter > after; at = at.older) first = at;
    const found: StoredEntry[] = [];
    for (let at = first; at !== undefined && found.length < limit; at = at.newer) found.push(at);
    return found;
  }
}
