import type { StoredEntry } from "./stored_entry.ts";

/** Keys that may have gone before an index is dropped, beside half of those that are there. */
const SLACK = 1024;

/**
 * An index over the keys of a map that is made when it is first asked for and follows lazily: a put
 * pays one `push` for it at most, and nothing before. When it has more to catch up with than it is
 * worth, it is dropped, and made again when it is needed.
 */
export class LazyIndex<T> {
  protected readonly entries: ReadonlyMap<string, StoredEntry>;
  protected index: T | undefined;

  /** Keys that went since the index was made, and that it still names. */
  protected removed = 0;

  #added: string[] = [];

  constructor(entries: ReadonlyMap<string, StoredEntry>) {
    this.entries = entries;
  }

  /** Takes note of a new key. */
  add(key: string): void {
    if (this.index === undefined) return;
    this.#added.push(key);
    if (this.#added.length > this.entries.size) this.#drop();
  }

  /** Takes note that a key went. */
  remove(): void {
    if (this.index === undefined) return;
    this.removed += 1;
    if (this.removed > this.entries.size / 2 + SLACK) this.#drop();
  }

  /** The keys that came since the last call; nothing counts as gone if there is no index to name it. */
  protected takeAdded(): string[] {
    const added = this.#added;
    this.#added = [];
    if (this.index === undefined) this.removed = 0;
    return added;
  }

  #drop(): void {
    this.index = undefined;
    this.#added = [];
  }
}
