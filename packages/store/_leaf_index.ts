import { LEAF_COUNT } from "./digest_tree.ts";
import type { StoredEntry } from "./stored_entry.ts";

/**
 * The keys of each leaf, made when a leaf is first listed and kept up lazily afterwards, as the key
 * order is: a map that is never compared with another one pays nothing for it.
 */
export class LeafIndex {
  readonly #entries: ReadonlyMap<string, StoredEntry>;
  #leaves: (string[] | undefined)[] | undefined;
  #added: string[] = [];
  #removed = 0;

  constructor(entries: ReadonlyMap<string, StoredEntry>) {
    this.#entries = entries;
  }

  /** Takes note of a new key. */
  add(key: string): void {
    if (this.#leaves === undefined) return;
    this.#added.push(key);
    if (this.#added.length > this.#entries.size) this.#drop();
  }

  /** Takes note that a key went. */
  remove(): void {
    if (this.#leaves === undefined) return;
    this.#removed += 1;
    if (this.#removed > this.#entries.size / 2 + 1024) this.#drop();
  }

  /** Entries whose unsigned key hash is in `[low, high)`, within one leaf. */
  list(low: number, high: number): StoredEntry[] {
    const leaves = this.#upToDate();
    const leaf = low >>> 17;
    let keys = leaves[leaf] ?? [];
    if (this.#removed > 0) {
      // keys that went are still here, and some that came back are here twice
      keys = [...new Set(keys)].filter((key) => this.#entries.has(key));
      leaves[leaf] = keys;
    }
    const found: StoredEntry[] = [];
    for (const key of keys) {
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      const hash = entry.keyHash >>> 0;
      if (hash >= low && hash < high) found.push(entry);
    }
    return found;
  }

  #drop(): void {
    this.#leaves = undefined;
    this.#added = [];
    this.#removed = 0;
  }

  #upToDate(): (string[] | undefined)[] {
    let keys: Iterable<string> = this.#added;
    if (this.#leaves === undefined) {
      this.#leaves = new Array<string[] | undefined>(LEAF_COUNT).fill(undefined);
      this.#removed = 0;
      keys = this.#entries.keys();
    }
    this.#added = [];
    for (const key of keys) {
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      const leaf = entry.keyHash >>> 17;
      const bucket = this.#leaves[leaf];
      if (bucket === undefined) this.#leaves[leaf] = [key];
      else bucket.push(key);
    }
    return this.#leaves;
  }
}
