/** What lmdb asks of a value that is a part of some memory. */
class PartedBytes extends Uint8Array {
  start = 0;
  end = 0;

  /** Where the memory is, once lmdb has asked. Not a number: so that a fraction is no news to the class. */
  address = NaN;
}

/**
 * Memory that the values of many rows lie in. What is written to is a buffer like all others, and lmdb gets
 * another view of the same memory: it stores properties in what it is given, and a buffer with properties
 * is of another class to the compiler. In a process where a function that stores bytes met more than four
 * such classes, every byte that it stored took a hundred times as long: a third of all copies of a million keys
 * came at two thirds of the speed.
 */
export class RowMemory {
  readonly bytes: Buffer;
  readonly #parts: PartedBytes;

  constructor(length: number) {
    this.bytes = Buffer.allocUnsafeSlow(length);
    this.#parts = new PartedBytes(this.bytes.buffer as ArrayBuffer);
  }

  /** A part, for lmdb, which makes an instruction of the two numbers at once: valid until the next call. */
  part(start: number, end: number): Uint8Array {
    const parts = this.#parts;
    parts.start = start;
    parts.end = end;
    return parts;
  }
}
