import { MAX_KEY_BYTES } from "@dnd/store/engine";
import { TAG_HEAD, keyChecksum } from "./_rows.ts";
import { writeText } from "./_write_text.ts";

/**
 * The key of a row, in memory that is written over again and again: lmdb copies a key when it is told to put
 * it. Thousands of rows in a commit are as many buffers less.
 */
export class RowScratch {
  readonly bytes: Buffer = Buffer.alloc(16 + 3 * MAX_KEY_BYTES);

  /** How many bytes the key has. */
  length = 0;

  /** Writes the key of a head: the same bytes as of `headRow`. */
  head(keyHash: number, key: string): this {
    const { bytes } = this;
    bytes[0] = TAG_HEAD;
    this.#number(keyHash, 1);
    this.length = writeText(key, bytes, 5);
    return this;
  }

  /** Writes a key that goes by a number: the same bytes as of `numberRow`. */
  number(tag: number, number: number): this {
    this.bytes[0] = tag;
    this.#number(number / 0x100000000, 1);
    this.#number(number, 5);
    this.length = 9;
    return this;
  }

  /** The checksum of the key, to go on from. */
  checksum(): number {
    return keyChecksum(this.bytes, 0, this.length);
  }

  #number(number: number, at: number): void {
    const { bytes } = this;
    bytes[at] = number >>> 24;
    bytes[at + 1] = number >>> 16;
    bytes[at + 2] = number >>> 8;
    bytes[at + 3] = number;
  }
}
