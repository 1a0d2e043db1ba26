/** Items of one chunk: splitting at twice this keeps an insertion cheap. */
const CHUNK_SIZE = 256;

/**
 * Items in order, none twice: sorted chunks, as the leaves of a B+ tree whose inner nodes are one array.
 */
export class SortedChunks<T> {
  readonly #compare: (a: T, b: T) => number;
  readonly #chunks: T[][] = [];

  /** @param sorted what is in it from the beginning, sorted */
  constructor(compare: (a: T, b: T) => number, sorted: readonly T[] = []) {
    this.#compare = compare;
    for (let i = 0; i < sorted.length; i += CHUNK_SIZE) {
      this.#chunks.push(sorted.slice(i, i + CHUNK_SIZE));
    }
  }

  /** The first item. */
  get first(): T | undefined {
    return this.#chunks[0]?.[0];
  }

  /** Puts an item in. */
  add(item: T): void {
    const at = this.#chunkOf(item);
    const chunk = (this.#chunks[at] ??= []);
    const i = this.#place(chunk, item);
    const next = chunk[i];
    if (next !== undefined && this.#compare(next, item) === 0) return;
    chunk.splice(i, 0, item);
    if (chunk.length > 2 * CHUNK_SIZE) this.#chunks.splice(at + 1, 0, chunk.splice(CHUNK_SIZE));
  }

  /** Takes an item out, if it is here. */
  remove(item: T): void {
    const at = this.#chunkOf(item);
    const chunk = this.#chunks[at] ?? [];
    const i = this.#place(chunk, item);
    const next = chunk[i];
    if (next === undefined || this.#compare(next, item) !== 0) return;
    chunk.splice(i, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** The items from one on. Nothing may be put in or taken out meanwhile. */
  *from(item: T): Iterable<T> {
    let at = this.#chunkOf(item);
    let i = this.#place(this.#chunks[at] ?? [], item);
    for (; at < this.#chunks.length; at += 1, i = 0) yield* (this.#chunks[at] ?? []).slice(i);
  }

  /** The chunk that an item is or would be in: the last one that does not begin after it. */
  #chunkOf(item: T): number {
    const at = search(this.#chunks.length, (i) => this.#isBefore(item, this.#chunks[i]?.[0]));
    return Math.max(0, at - 1);
  }

  /** The place of an item in a chunk: that of the first one that is not before it. */
  #place(chunk: readonly T[], item: T): number {
    return search(chunk.length, (i) => !this.#isBefore(chunk[i], item));
  }

  #isBefore(a: T | undefined, b: T | undefined): boolean {
    return a !== undefined && b !== undefined && this.#compare(a, b) < 0;
  }
}

/** The first number below `end` for which something holds that holds for all after it; or `end`. */
function search(end: number, holds: (i: number) => boolean): number {
  let low = 0;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
