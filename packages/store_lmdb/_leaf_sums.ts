import type { LeafCorrection } from "@dnd/store";
import { isIntact, seal, sumsRow, CHECK_BYTES } from "./_rows.ts";

const LEAVES = 32_768;
const LEAVES_PER_PARTITION = 32;
const ROW_BYTES = CHECK_BYTES + LEAVES_PER_PARTITION * 8;

/** The leaf sums as they are on disk, or will be with the commit under way. */
export class LeafSums {
  /** 65,536 signed integers: `[high, low]` of each leaf. */
  readonly sums: Int32Array = new Int32Array(2 * LEAVES);

  /** The XOR of all sums: the root of the digest. It tells that a row of sums is not there any more. */
  rootHigh = 0;
  rootLow = 0;

  readonly #dirty = new Set<number>();

  /** Changes the sum of a leaf. */
  xor({ leaf, high, low }: LeafCorrection): void {
    if ((high | low) === 0) return;
    const at = 2 * leaf;
    this.sums[at] = (this.sums[at] ?? 0) ^ high;
    this.sums[at + 1] = (this.sums[at + 1] ?? 0) ^ low;
    this.rootHigh ^= high;
    this.rootLow ^= low;
    this.#dirty.add(leaf >>> 5);
  }

  /** Forgets all sums. */
  clear(): void {
    this.sums.fill(0);
    this.rootHigh = 0;
    this.rootLow = 0;
  }

  /** The rows of the partitions that changed since the last {@linkcode LeafSums.clean}. */
  dirtyRows(): { readonly row: Buffer; readonly value: Buffer }[] {
    return Array.from(this.#dirty, (partition) => this.#encode(partition));
  }

  /** The rows were committed. */
  clean(): void {
    this.#dirty.clear();
  }

  #encode(partition: number): { readonly row: Buffer; readonly value: Buffer } {
    const row = sumsRow(partition);
    const value = Buffer.allocUnsafe(ROW_BYTES);
    const first = partition * 2 * LEAVES_PER_PARTITION;
    for (let i = 0; i < 2 * LEAVES_PER_PARTITION; i += 1) {
      value.writeInt32LE(this.sums[first + i] ?? 0, CHECK_BYTES + 4 * i);
    }
    return { row, value: seal(row, value) };
  }

  /**
   * Takes over a row that was read.
   *
   * @returns `false` if it is damaged: the sums have to be made anew
   */
  load(row: Buffer, value: Buffer): boolean {
    if (row.length !== 3 || value.length !== ROW_BYTES || !isIntact(row, value)) return false;
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
}
