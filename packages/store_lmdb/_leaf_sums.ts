// The leaf sums on disk. Each commit changes a few leaves anywhere among the 32,768; writing their rows
// would touch a page for nearly every entry of the commit. So a commit adds one row that says what it
// changed, at the end of those before it, and only when these have grown long are the rows of the sums
// themselves written, in one go, and the changes removed. Both in the same transaction as the entries
// (rule 6); opening reads at most a few hundred kilobytes, and no entry.
import type { RowWriter } from "./_environment.ts";
import { CHECK_BYTES, TAG_DELTAS, isIntact, numberRow, seal, sumsRow } from "./_rows.ts";

const LEAVES = 32_768;
const LEAVES_PER_PARTITION = 32;
const ROW_BYTES = CHECK_BYTES + LEAVES_PER_PARTITION * 8;
const DELTA_BYTES = 10;

/** From so many bytes, or rows, of changes on, the sums are written. */
const FOLD_BYTES = 256 * 1024;
const FOLD_ROWS = 512;

/** The leaf sums as they are on disk, or will be with the commit under way. */
export class LeafSums {
  /** 65,536 signed integers: `[high, low]` of each leaf. */
  readonly sums: Int32Array = new Int32Array(2 * LEAVES);

  /** The XOR of all sums: the root of the digest. It tells that a row is not there any more. */
  rootHigh = 0;
  rootLow = 0;

  /** Partitions whose rows are older than the sums. */
  readonly #dirty = new Set<number>();

  /** Leaves that changed since the last commit, what to XOR into each, and which are there. */
  readonly #changed: number[] = [];
  readonly #deltas = new Int32Array(2 * LEAVES);
  readonly #isChanged = new Uint8Array(LEAVES);

  /** The rows of changes, and rows that were found damaged: they go when the sums are written. */
  #logged: Buffer[] = [];
  #loggedBytes = 0;

  /** The row that the commit under way adds, or `undefined` if it writes the sums. */
  #next: { readonly row: Buffer | undefined; readonly bytes: number } | undefined;

  /** Changes the sum of a leaf. */
  xor(leaf: number, high: number, low: number): void {
    if ((high | low) === 0) return;
    this.#apply(leaf, high, low);
    if (this.#isChanged[leaf] === 0) {
      this.#isChanged[leaf] = 1;
      this.#changed.push(leaf);
    }
    const at = 2 * leaf;
    this.#deltas[at] = (this.#deltas[at] ?? 0) ^ high;
    this.#deltas[at + 1] = (this.#deltas[at + 1] ?? 0) ^ low;
  }

  #apply(leaf: number, high: number, low: number): void {
    const at = 2 * leaf;
    this.sums[at] = (this.sums[at] ?? 0) ^ high;
    this.sums[at + 1] = (this.sums[at + 1] ?? 0) ^ low;
    this.rootHigh ^= high;
    this.rootLow ^= low;
    this.#dirty.add(leaf >>> 5);
  }

  /** Forgets all sums; the next commit writes all rows anew. */
  clear(): void {
    this.sums.fill(0);
    this.rootHigh = 0;
    this.rootLow = 0;
    this.#loggedBytes = FOLD_BYTES;
    for (let partition = 0; partition < LEAVES / LEAVES_PER_PARTITION; partition += 1) {
      this.#dirty.add(partition);
    }
  }

  /** Writes what changed since the last commit. */
  write(transaction: number, writer: RowWriter): void {
    const bytes = CHECK_BYTES + DELTA_BYTES * this.#changed.length;
    if (this.#loggedBytes + bytes > FOLD_BYTES || this.#logged.length >= FOLD_ROWS) {
      for (const row of this.#logged) writer.remove(row);
      for (const partition of this.#dirty) this.#writeSums(partition, writer);
      this.#next = { row: undefined, bytes: 0 };
      return;
    }
    if (this.#changed.length === 0) return;
    const value = Buffer.allocUnsafe(bytes);
    let at = CHECK_BYTES;
    for (const leaf of this.#changed) {
      value.writeUInt16LE(leaf, at);
      value.writeInt32LE(this.#deltas[2 * leaf] ?? 0, at + 2);
      value.writeInt32LE(this.#deltas[2 * leaf + 1] ?? 0, at + 6);
      at += DELTA_BYTES;
    }
    const row = numberRow(TAG_DELTAS, transaction);
    writer.put(row, seal(row, value));
    this.#next = { row, bytes: this.#loggedBytes + bytes };
  }

  /** The commit has succeeded. */
  committed(): void {
    for (const leaf of this.#changed) {
      this.#isChanged[leaf] = 0;
      this.#deltas[2 * leaf] = 0;
      this.#deltas[2 * leaf + 1] = 0;
    }
    this.#changed.length = 0;
    if (this.#next === undefined) return;
    if (this.#next.row === undefined) {
      this.#dirty.clear();
      this.#logged = [];
    } else this.#logged.push(this.#next.row);
    this.#loggedBytes = this.#next.bytes;
    this.#next = undefined;
  }

  #writeSums(partition: number, writer: RowWriter): void {
    const row = sumsRow(partition);
    const value = Buffer.allocUnsafe(ROW_BYTES);
    const first = partition * 2 * LEAVES_PER_PARTITION;
    for (let i = 0; i < 2 * LEAVES_PER_PARTITION; i += 1) {
      value.writeInt32LE(this.sums[first + i] ?? 0, CHECK_BYTES + 4 * i);
    }
    writer.put(row, seal(row, value));
  }

  /**
   * Takes over a row of sums that was read.
   *
   * @returns `false` if it is damaged: the sums have to be made anew
   */
  load(row: Buffer, value: Buffer): boolean {
    if (row.length !== 3 || value.length !== ROW_BYTES || !isIntact(row, value)) {
      this.#logged.push(row);
      return false;
    }
    const first = row.readUInt16BE(1) * 2 * LEAVES_PER_PARTITION;
    for (let i = 0; i < 2 * LEAVES_PER_PARTITION; i += 2) {
      const high = value.readInt32LE(CHECK_BYTES + 4 * i);
      const low = value.readInt32LE(CHECK_BYTES + 4 * i + 4);
      this.sums[first + i] = high;
      this.sums[first + i + 1] = low;
      this.rootHigh ^= high;
      this.rootLow ^= low;
    }
    return true;
  }

  /** Takes over a row of changes that was read; returns what {@linkcode LeafSums.load} returns. */
  loadDeltas(row: Buffer, value: Buffer): boolean {
    this.#logged.push(row);
    const isWhole = (value.length - CHECK_BYTES) % DELTA_BYTES === 0;
    if (row.length !== 9 || !isWhole || !isIntact(row, value)) return false;
    for (let at = CHECK_BYTES; at < value.length; at += DELTA_BYTES) {
      this.#apply(value.readUInt16LE(at), value.readInt32LE(at + 2), value.readInt32LE(at + 6));
    }
    this.#loggedBytes += value.length;
    return true;
  }
}
