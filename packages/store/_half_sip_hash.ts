// HalfSipHash-2-4 with 64 bits of output (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012;
// github.com/veorq/SipHash has the reference and the vectors that the test uses), under a fixed, public
// key. See hash.ts for what is hashed and why with this.
//
// The state is four 32-bit lanes, which is what JavaScript's integers do at full speed. The two loops
// that eat keys and values carry their rounds written out, because a function cannot return four numbers
// without storing them; everything else goes through `absorb`.

/** "dnd hash", little-endian: the key of algorithm 1. */
const KEY_0 = 0x20646e64;
const KEY_1 = 0x68736168;

/** The four lanes of the hash that is being made. */
const lanes = new Int32Array(4);

/** The last finished hash: `[high, low]`, signed. A typed array keeps the numbers without boxes. */
export const result: Int32Array = new Int32Array(2);

/** Begins a hash. Another key than the fixed one is for the reference vectors. */
export function begin(key0: number = KEY_0, key1: number = KEY_1): void {
  lanes[0] = key0;
  lanes[1] = key1 ^ 0xee; // 0xee: the variant with 64 bits of output
  lanes[2] = 0x6c796765 ^ key0;
  lanes[3] = 0x74656462 ^ key1;
}

/** Sets the lanes to a state that was saved with {@linkcode save}. */
export function resume(state: Int32Array): void {
  lanes.set(state);
}

/** Copies the lanes away. */
export function save(state: Int32Array): void {
  state.set(lanes);
}

function rounds(count: number): void {
  let v0 = lanes[0] ?? 0;
  let v1 = lanes[1] ?? 0;
  let v2 = lanes[2] ?? 0;
  let v3 = lanes[3] ?? 0;
  for (let i = 0; i < count; i += 1) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  lanes[0] = v0;
  lanes[1] = v1;
  lanes[2] = v2;
  lanes[3] = v3;
}

/** Takes in one word of four bytes, the first one lowest. */
export function absorb(word: number): void {
  lanes[3] = (lanes[3] ?? 0) ^ word;
  rounds(2);
  lanes[0] = (lanes[0] ?? 0) ^ word;
}

/**
 * Takes in the whole words of `bytes`.
 *
 * @param end how many bytes count
 * @returns the bytes that are left over, as a word filled up with zeros
 */
export function absorbBytes(bytes: Uint8Array, end: number): number {
  let v0 = lanes[0] ?? 0;
  let v1 = lanes[1] ?? 0;
  let v2 = lanes[2] ?? 0;
  let v3 = lanes[3] ?? 0;
  const whole = end & ~3;
  let i = 0;
  for (; i < whole; i += 4) {
    const word =
      (bytes[i] ?? 0) |
      ((bytes[i + 1] ?? 0) << 8) |
      ((bytes[i + 2] ?? 0) << 16) |
      ((bytes[i + 3] ?? 0) << 24);
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);

    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  lanes[0] = v0;
  lanes[1] = v1;
  lanes[2] = v2;
  lanes[3] = v3;
  let rest = 0;
  for (let shift = 0; i < end; i += 1, shift += 8) rest |= (bytes[i] ?? 0) << shift;
  return rest;
}

/**
 * Takes in the whole words of an ASCII text.
 *
 * @returns the characters that are left over, as a word filled up with zeros; `NaN` when a character
 * is not ASCII: the lanes are of no use then
 */
export function absorbAscii(text: string): number {
  let v0 = lanes[0] ?? 0;
  let v1 = lanes[1] ?? 0;
  let v2 = lanes[2] ?? 0;
  let v3 = lanes[3] ?? 0;
  const end = text.length;
  const whole = end & ~3;
  let all = 0;
  let i = 0;
  for (; i < whole; i += 4) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    all |= a | b | c | d;
    const word = a | (b << 8) | (c << 16) | (d << 24);
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);

    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  lanes[0] = v0;
  lanes[1] = v1;
  lanes[2] = v2;
  lanes[3] = v3;
  let rest = 0;
  for (let shift = 0; i < end; i += 1, shift += 8) {
    const code = text.charCodeAt(i);
    all |= code;
    rest |= code << shift;
  }
  return all < 128 ? rest : NaN;
}

/**
 * Takes in words from an array, the last of them the last of the hash, and ends it:
 * {@linkcode result} holds it afterwards. Does what `absorb` and `finalize` do, without leaving the
 * loop.
 *
 * @param state the lanes to begin with
 */
export function finishWords(state: Int32Array, words: Int32Array, count: number): void {
  let v0 = state[0] ?? 0;
  let v1 = state[1] ?? 0;
  let v2 = state[2] ?? 0;
  let v3 = state[3] ?? 0;
  const end = 2 * count + 8;
  let word = 0;
  for (let i = 0; i < end; i += 1) {
    if (i < 2 * count) {
      if ((i & 1) === 0) {
        word = words[i >>> 1] ?? 0;
        v3 ^= word;
      }
    } else if (i === 2 * count) {
      v2 ^= 0xee;
    } else if (i === 2 * count + 4) {
      result[0] = v1 ^ v3;
      v1 ^= 0xdd;
    }
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    if ((i & 1) === 1 && i < 2 * count) v0 ^= word;
  }
  result[1] = v1 ^ v3;
}

/** Ends a hash whose last word has been taken in; {@linkcode result} holds it afterwards. */
export function finalize(): void {
  lanes[2] = (lanes[2] ?? 0) ^ 0xee;
  rounds(4);
  result[0] = (lanes[1] ?? 0) ^ (lanes[3] ?? 0);
  lanes[1] = (lanes[1] ?? 0) ^ 0xdd;
  rounds(4);
  result[1] = (lanes[1] ?? 0) ^ (lanes[3] ?? 0);
}

/** The last word of a hash: what is left over, and the lowest 8 bits of the length. */
export function lastWord(rest: number, length: number): number {
  return rest | (length << 24);
}
