// Which keys a file may hold that was empty when it was opened, by a bit for each of 64 million parts of
// the hashes of keys. A key whose bit is not set was never put, and is looked for nowhere: a first copy of a
// million entries reads one key in a hundred instead of each.

/** Bits of a key's hash that count. */
const BITS = 26;

/** Which parts of the hashes were ever put. */
export class KnownKeys {
  readonly #parts = new Uint32Array(2 ** (BITS - 5));

  /** @param keyHash high word of the hash of a key */
  add(keyHash: number): void {
    const part = keyHash >>> (32 - BITS);
    this.#parts[part >>> 5] = (this.#parts[part >>> 5] ?? 0) | (1 << (part & 31));
  }

  /** Whether a key with this hash may have been put. */
  has(keyHash: number): boolean {
    const part = keyHash >>> (32 - BITS);
    return ((this.#parts[part >>> 5] ?? 0) & (1 << (part & 31))) !== 0;
  }
}
