import type { ScanOptions } from "./engine.ts";
import type { EntryRows } from "./_entry_rows.ts";
import { NONE } from "./_sizes.ts";
import { SortedChunks } from "./_sorted_chunks.ts";
import type { StoredEntry } from "./stored_entry.ts";
import { compareKeys } from "./compare_keys.ts";

/**
 * The keys of a map in order, made when somebody asks for order and kept up lazily afterwards, so that
 * a put pays one `push` for it at most, and nothing before the first listing. Keys that came since the
 * last listing are sorted in one by one, or all anew when they are many.
 */
export class KeyOrder {
  readonly #rows: EntryRows;
  readonly #find: (key: string) => number;
  #sorted: SortedChunks<string> | undefined;

  /** Keys that came since the last listing, and may have gone again. */
  #added: string[] = [];

  /** @param find the row of a key; -1 if it is not held */
  constructor(rows: EntryRows, find: (key: string) => number) {
    this.#rows = rows;
    this.#find = find;
  }

  /** Takes note of a new key. */
  add(key: string): void {
    if (this.#sorted === undefined) return;
    this.#added.push(key);
    if (this.#added.length > 64 + this.#rows.keys.length / 8) this.#sorted = undefined;
  }

  /** Takes note that a key went. */
  remove(key: string): void {
    this.#sorted?.remove(key);
  }

  /** Entries in key order; see {@linkcode ScanOptions}. */
  scan({ prefix = "", from = "", after, before, limit }: ScanOptions): StoredEntry[] {
    const start = compareKeys(prefix, from) > 0 ? prefix : from;
    const first = after === undefined || compareKeys(after, start) < 0 ? start : after;
    const found: StoredEntry[] = [];
    for (const key of this.#upToDate().from(first)) {
      if (found.length >= limit || !key.startsWith(prefix)) break;
      if (before !== undefined && compareKeys(key, before) >= 0) break;
      const row = key === after ? NONE : this.#find(key);
      if (row !== NONE) found.push(this.#rows.entry(row));
    }
    return found;
  }

  #upToDate(): SortedChunks<string> {
    const added = this.#added;
    this.#added = [];
    if (this.#sorted === undefined) {
      const keys = this.#rows.keys.filter((key) => key !== "");
      // without a function where it may be: ten times as fast
      keys.sort(keys.some(needsRank) ? compareKeys : undefined);
      this.#sorted = new SortedChunks(compareKeys, keys);
    } else for (const key of added) if (this.#find(key) !== NONE) this.#sorted.add(key);
    return this.#sorted;
  }
}

/** Whether `<` could put this key in another place than its UTF-8 bytes do. */
export function needsRank(key: string): boolean {
  return /[\ud800-\uffff]/.test(key);
}
