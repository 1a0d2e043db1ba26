import { keyChecksum } from "./_rows.ts";

/** How long a key that goes by a number is. */
const NUMBER_KEY_BYTES = 9;

/** The key of a row that lies somewhere in some bytes: lmdb copies a key when it is told to put it. */
export class RowPart {
  bytes: Buffer;
  start = 0;

  /** How many bytes the key has. */
  length = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Names another key. */
  set(bytes: Buffer, start: number, end: number): this {
    this.bytes = bytes;
    this.start = start;
    this.length = end - start;
    return this;
  }

  /** The checksum of the key, to go on from. */
  checksum(): number {
    return keyChecksum(this.bytes, this.start, this.start + this.length);
  }
}

/**
 * The key of a row that goes by a number, in memory that is written over again and again. Thousands of rows in a
 * commit are as many buffers less.
 */
export class NumberRowScratch extends RowPart {
  constructor() {
    super(Buffer.alloc(NUMBER_KEY_BYTES));
    this.length = NUMBER_KEY_BYTES;
  }

  /** Writes the key: the same bytes as of `numberRow`. */
  number(tag: number, number: number): this {
    const { bytes } = this;
    bytes[0] = tag;
    writeU32(bytes, number / 0x100000000, 1);
    writeU32(bytes, number, 5);
    return this;
  }
}

function writeU32(bytes: Uint8Array, number: number, at: number): void {
  bytes[at] = number >>> 24;
  bytes[at + 1] = number >>> 16;
  bytes[at + 2] = number >>> 8;
  bytes[at + 3] = number;
}
