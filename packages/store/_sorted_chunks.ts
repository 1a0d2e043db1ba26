/** Items of one chunk: splitting at twice this keeps an insertion cheap. */
const CHUNK_SIZE = 256;

interface Place<T> {
  readonly at: number;
  readonly chunk: T[];
  readonly i: number;
  readonly found: boolean;
}

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
    const { at, chunk, i, found } = this.#find(item);
    if (found) return;
    this.#chunks[at] = chunk;
    chunk.splice(i, 0, item);
    if (chunk.length > 2 * CHUNK_SIZE) this.#chunks.splice(at + 1, 0, chunk.splice(CHUNK_SIZE));
  }

  /** Takes an item out, if it is here. */
  remove(item: T): void {
    const { at, chunk, i, found } = this.#find(item);
    if (!found) return;
    chunk.splice(i, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** The items from one on. Nothing may be put in or taken out meanwhile. */
  *from(item: T): Iterable<T> {
    let { at, i } = this.#find(item);
    for (; at < this.#chunks.length; at += 1, i = 0) yield* (this.#chunks[at] ?? []).slice(i);
  }

  /** Where an item is, or would be: in the last chunk that does not begin after it. */
  #find(item: T): Place<T> {
    const chunks = this.#chunks;
    const compare = this.#compare;
    const behind = search(chunks.length, (i) => compare(chunks[i]?.[0] ?? item, item) > 0);
    const at = Math.max(0, behind - 1);
    const chunk = chunks[at] ?? [];
    const i = search(chunk.length, (each) => compare(chunk[each] ?? item, item) >= 0);
    const next = chunk[i];
    return { at, chunk, i, found: next !== undefined && compare(next, item) === 0 };
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
