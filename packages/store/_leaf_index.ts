import { LEAF_COUNT } from "./digest_tree.ts";
import { LazyIndex } from "./_lazy_index.ts";
import type { StoredEntry } from "./stored_entry.ts";

/**
 * The keys of each leaf, made when a leaf is first listed and kept up lazily afterwards, as the key
 * order is: a map that is never compared with another one pays nothing for it.
 */
export class LeafIndex extends LazyIndex<(string[] | undefined)[]> {
  /** Entries whose unsigned key hash is in `[low, high)`, within one leaf. */
  list(low: number, high: number): StoredEntry[] {
    const leaves = this.#upToDate();
    const leaf = low >>> 17;
    let keys = leaves[leaf] ?? [];
    if (this.removed > 0) {
      // keys that went are still here, and some that came back are here twice
      keys = [...new Set(keys)].filter((key) => this.entries.has(key));
      leaves[leaf] = keys;
    }
    const found: StoredEntry[] = [];
    for (const key of keys) {
      const entry = this.entries.get(key);
      if (entry === undefined) continue;
      const hash = entry.keyHash >>> 0;
      if (hash >= low && hash < high) found.push(entry);
    }
    return found;
  }

  #upToDate(): (string[] | undefined)[] {
    let keys: Iterable<string> = this.takeAdded();
    if (this.index === undefined) {
      this.index = new Array<string[] | undefined>(LEAF_COUNT).fill(undefined);
      keys = this.entries.keys();
    }
    for (const key of keys) {
      const entry = this.entries.get(key);
      if (entry === undefined) continue;
      const leaf = entry.keyHash >>> 17;
      const bucket = this.index[leaf];
      if (bucket === undefined) this.index[leaf] = [key];
      else bucket.push(key);
    }
    return this.index;
  }
}
