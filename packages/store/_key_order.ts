import type { ScanOptions } from "./engine.ts";
import type { StoredEntry } from "./stored_entry.ts";
import { LazyIndex } from "./_lazy_index.ts";
import { compareKeys, needsRank } from "./compare_keys.ts";

/** Keys of one chunk: splitting at twice this keeps an insertion cheap. */
const CHUNK_SIZE = 256;

/**
 * The keys of a map in order, made when somebody asks for order and kept up lazily afterwards, so that
 * a put pays one `push` for it at most, and nothing before the first listing.
 *
 * Sorted chunks, as the leaves of a B+ tree whose inner nodes are one array: keys that came since the
 * last listing are sorted in one by one, or all anew when they are many. Keys that went are skipped
 * when they are met.
 */
export class KeyOrder extends LazyIndex<string[][]> {
  /** Whether code units compare as the keys' bytes do: so for all keys without surrogates and above. */
  #plain = true;

  /** Entries in key order; see {@linkcode ScanOptions}. */
  scan(options: ScanOptions): StoredEntry[] {
    const { prefix = "", from = "", after, before, limit } = options;
    const chunks = this.#upToDate();
    const start = this.#compare(prefix, from) > 0 ? prefix : from;
    const inclusive = after === undefined || this.#compare(after, start) < 0;
    const first = inclusive ? start : after;
    const found: StoredEntry[] = [];
    let at = this.#chunkOf(chunks, first);
    let i = this.#place(chunks[at] ?? [], first);
    for (; at < chunks.length && found.length < limit; at += 1, i = 0) {
      const chunk = chunks[at] ?? [];
      for (; i < chunk.length && found.length < limit; i += 1) {
        const key = chunk[i] ?? "";
        if (!inclusive && key === first) continue;
        if (!key.startsWith(prefix)) return found;
        if (before !== undefined && this.#compare(key, before) >= 0) return found;
        const entry = this.entries.get(key);
        if (entry !== undefined) found.push(entry);
      }
    }
    return found;
  }

  #upToDate(): string[][] {
    const added = this.takeAdded();
    if (this.#plain && added.some(needsRank)) this.index = undefined;
    const chunks = this.index;
    if (chunks === undefined || added.length > 64 + this.entries.size / 8) return this.#build();
    for (const key of added) this.#insert(chunks, key);
    return chunks;
  }

  #build(): string[][] {
    const keys = [...this.entries.keys()];
    this.#plain = !keys.some(needsRank);
    if (this.#plain) keys.sort();
    else keys.sort(compareKeys);
    const chunks: string[][] = [];
    for (let i = 0; i < keys.length; i += CHUNK_SIZE) chunks.push(keys.slice(i, i + CHUNK_SIZE));
    this.index = chunks;
    this.removed = 0;
    return chunks;
  }

  #insert(chunks: string[][], key: string): void {
    const at = this.#chunkOf(chunks, key);
    const chunk = chunks[at];
    if (chunk === undefined) {
      chunks.push([key]);
      return;
    }
    const i = this.#place(chunk, key);
    if (chunk[i] === key) return; // it went, was skipped so far, and came back
    chunk.splice(i, 0, key);
    if (chunk.length > 2 * CHUNK_SIZE) chunks.splice(at + 1, 0, chunk.splice(CHUNK_SIZE));
  }

  /** The chunk that a key is or would be in: the last one that does not begin after it. */
  #chunkOf(chunks: string[][], key: string): number {
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#compare(chunks[middle]?.[0] ?? "", key) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The place of a key in a chunk: that of the first key that is not before it. */
  #place(chunk: string[], key: string): number {
    let low = 0;
    let high = chunk.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(chunk[middle] ?? "", key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compare(a: string, b: string): number {
    if (!this.#plain) return compareKeys(a, b);
    if (a === b) return 0;
    return a < b ? -1 : 1;
  }
}
