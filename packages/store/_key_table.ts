/** How far a key may be from its home. */
const MAX_PROBES = 128;

const SMALLEST_BITS = 6;

/** A cell whose key went: a search goes on behind it. Other cells hold the row plus 1; 0 is empty. */
const GONE = -1;

/** Keys of one leaf that found no room near their home: row and hash by key. */
type Crowd = Map<string, Crowded>;

interface Crowded {
  readonly keyHash: number;
  readonly row: number;
}

/**
 * Which row a key is in: an open hash table of cells `[key hash, row]`, at most half full, in one piece of
 * memory. A map knows the hash of a key before it looks for it, and a new key finds its place with one
 * access; a `Map` would hash it again, look twice, and hold three words in the heap.
 *
 * The upper bits of the hash say where the home of a key is, so the cells are nearly in the order of the
 * hashes, and the keys of a leaf are a few cells beside each other: listing it needs no index.
 *
 * The hash is public, so keys can be chosen to crowd at one place. What does not fit near its home goes
 * into a `Map` for each leaf, whose hash nobody can foresee: a search costs 128 steps and one look there at
 * most.
 */
export class KeyTable {
  readonly #keys: readonly string[];
  readonly #crowds = new Map<number, Crowd>();
  #shift = 32 - SMALLEST_BITS;
  #cells = new Int32Array(2 << SMALLEST_BITS);

  /** Cells that are not empty. */
  #used = 0;
  #size = 0;

  /** @param keys the key of each row */
  constructor(keys: readonly string[]) {
    this.#keys = keys;
  }

  /** The row of a key; -1 if it is not here. */
  find(key: string, keyHash: number): number {
    const at = this.#cell(key, keyHash);
    if (at >= 0) return (this.#cells[at + 1] ?? 0) - 1;
    return this.#crowds.get(keyHash >>> 17)?.get(key)?.row ?? -1;
  }

  /** Adds the key of a row, which is not here. */
  add(keyHash: number, row: number): void {
    if (4 * (this.#used + 1) > this.#cells.length) this.#rebuild();
    this.#size += 1;
    this.#insert(keyHash, row);
  }

  /** Takes out a key that is here. */
  remove(key: string, keyHash: number): void {
    this.#size -= 1;
    if (this.#crowds.get(keyHash >>> 17)?.delete(key)) return;
    this.#cells[this.#cell(key, keyHash) + 1] = GONE;
  }

  /** The rows of the keys whose hash, as an unsigned number, is in `[low, high)`. */
  rows(low: number, high: number): number[] {
    const cells = this.#cells;
    const found: number[] = [];
    const add = (keyHash: number, row: number): void => {
      const hash = keyHash >>> 0;
      if (hash >= low && hash < high) found.push(row);
    };
    const first = low >>> this.#shift;
    const homes = ((high - 1) >>> this.#shift) - first + 1;
    const end = 2 * Math.min(homes + MAX_PROBES, cells.length / 2);
    for (let i = 0; i < end; i += 2) {
      const at = (2 * first + i) & (cells.length - 1);
      const place = cells[at + 1] ?? 0;
      if (place > 0) add(cells[at] ?? 0, place - 1);
    }
    for (const [leaf, crowd] of this.#crowds) {
      if (leaf < low >>> 17 || leaf > (high - 1) >>> 17) continue;
      for (const { keyHash, row } of crowd.values()) add(keyHash, row);
    }
    return found;
  }

  /** Where the cell of a key is; -1 if it has none. */
  #cell(key: string, keyHash: number): number {
    const cells = this.#cells;
    const last = cells.length - 1;
    let at = (keyHash >>> this.#shift) << 1;
    for (let i = 0; i < MAX_PROBES; i += 1) {
      const place = cells[at + 1] ?? 0;
      if (place === 0) return -1;
      if (cells[at] === keyHash && place > 0 && this.#keys[place - 1] === key) return at;
      at = (at + 2) & last;
    }
    return -1;
  }

  #insert(keyHash: number, row: number): void {
    const cells = this.#cells;
    let at = (keyHash >>> this.#shift) << 1;
    for (let i = 0; i < MAX_PROBES; i += 1) {
      const place = cells[at + 1] ?? 0;
      if (place <= 0) {
        if (place === 0) this.#used += 1;
        cells[at] = keyHash;
        cells[at + 1] = row + 1;
        return;
      }
      at = (at + 2) & (cells.length - 1);
    }
    const leaf = keyHash >>> 17;
    const crowd: Crowd = this.#crowds.get(leaf) ?? new Map<string, Crowded>();
    this.#crowds.set(leaf, crowd.set(this.#keys[row] ?? "", { keyHash, row }));
  }

  #rebuild(): void {
    const cells = this.#cells;
    const crowds = [...this.#crowds.values()];
    let bits = SMALLEST_BITS;
    while (1 << bits < 3 * this.#size) bits += 1;
    this.#shift = 32 - bits;
    this.#cells = new Int32Array(2 << bits);
    this.#used = 0;
    this.#crowds.clear();
    for (let at = 0; at < cells.length; at += 2) {
      const row = (cells[at + 1] ?? 0) - 1;
      if (row >= 0) this.#insert(cells[at] ?? 0, row);
    }
    for (const crowd of crowds) {
      for (const { keyHash, row } of crowd.values()) this.#insert(keyHash, row);
    }
  }
}
