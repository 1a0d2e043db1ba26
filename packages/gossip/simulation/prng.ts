/**
 * A small seeded source of randomness (sfc32 by Chris Doty-Humphrey, PractRand): the same seed gives
 * the same numbers on every machine. Not for secrets.
 */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed any integer */
  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 4294967296) | 0;
    this.#c = 0x9e3779b9 | 0;
    for (let i = 0; i < 15; i += 1) this.uint32();
  }

  /** 32 random bits. */
  uint32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + t) | 0;
    return t >>> 0;
  }

  /** Uniform in [0, 1), 53 bits. A property, so that it can be handed on as a function. */
  readonly random = (): number =>
    ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;

  /** A whole number in [0, below). */
  integer(below: number): number {
    return Math.floor(this.random() * below);
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + this.random() * (high - low);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return probability > 0 && this.random() < probability;
  }

  /** One of the list. @throws {RangeError} for an empty list */
  pick<T>(list: readonly T[]): T {
    const item = list[this.integer(list.length)];
    if (item === undefined) throw new RangeError("Cannot pick: the list is empty");
    return item;
  }

  /** Shuffles in place (Fisher and Yates) and returns the list. */
  shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i -= 1) {
      const j = this.integer(i + 1);
      [list[i], list[j]] = [list[j] as T, list[i] as T];
    }
    return list;
  }

  /** Random bytes. */
  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i += 1) bytes[i] = this.uint32() >>> 24;
    return bytes;
  }

  /** Random bytes as lower-case hex digits, two a byte: node ids have 16 bytes, boot ids 8. */
  hex(bytes: number): string {
    let text = "";
    for (let i = 0; i < bytes; i += 1) text += (this.uint32() >>> 24).toString(16).padStart(2, "0");
    return text;
  }

  /** An independent source, so that one part can draw more without moving the others. */
  fork(): Prng {
    return new Prng(this.uint32() * 2097152 + (this.uint32() >>> 11));
  }
}
