// HalfSipHash-2-4 with 64 bits of output (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012;
// github.com/veorq/SipHash has the reference and the vectors that the test uses), under a fixed, public
// key. See hash.ts for what is hashed and why with this.
//
// The state is four 32-bit lanes, which is what JavaScript's integers do at full speed. Whatever is
// hashed is laid out as words first, and `absorb` eats them in one loop with the lanes in registers.

/** "dnd hash", little-endian: the key of algorithm 1. */
const KEY_0 = 0x20646e64;
const KEY_1 = 0x68736168;

/**
 * How many words are laid out at once: enough for the longest key. A multiple of 256 bytes, so that the place
 * in the last of them says what the lowest 8 bits of the whole length are, with which a hash ends.
 */
const MAX_WORDS = 320;

/** The words to be taken in: four bytes each, the first one lowest. One more than that, for the end. */
export const words: Int32Array = new Int32Array(MAX_WORDS + 1);

/** The same as bytes: the platform copies them faster than a loop can put words together. */
const wordBytes = new Uint8Array(words.buffer);
const BIG_ENDIAN = new Uint8Array(new Int32Array([1]).buffer)[0] === 0;

/** The four lanes of the hash that is being made. */
const lanes: Int32Array = new Int32Array(4);

/** The last finished hash: `[high, low]`, signed. A typed array keeps the numbers without boxes. */
export const result: Int32Array = new Int32Array(2);

/** The lanes at the beginning, under the fixed key; 0xee: the variant with 64 bits of output. */
const START = Int32Array.of(KEY_0, KEY_1 ^ 0xee, 0x6c796765 ^ KEY_0, 0x74656462 ^ KEY_1);

/** The state that the hash goes on from which is being made. */
let current: Int32Array = START;

/** Begins a hash; from another state than under the fixed key for the reference vectors. */
export function begin(state: Int32Array = START): void {
  current = state;
}

/**
 * Takes in the first `count` of the {@linkcode words}, or of others.
 *
 * @param outs if those are the last ones, how many words of the hash are made: 1, its upper half, or 2;
 * {@linkcode result} holds them afterwards
 * @param from the state to go on from
 * @param to takes the state afterwards; what comes next goes on from there
 */
export function absorb(
  count: number,
  source: Int32Array = words,
  outs: 0 | 1 | 2 = 0,
  from: Int32Array = current,
  to: Int32Array = lanes,
): void {
  let v0 = from[0] ?? 0;
  let v1 = from[1] ?? 0;
  let v2 = from[2] ?? 0;
  let v3 = from[3] ?? 0;
  const end = count + 2 * outs; // two words of zeros are the four rounds of an end
  for (let i = 0; i < end; i += 1) {
    let word = 0;
    if (i < count) word = source[i] ?? 0;
    else if (i === count) v2 ^= 0xee;
    else if (i === count + 2) {
      result[0] = v1 ^ v3;
      v1 ^= 0xdd;
    }
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
  to[0] = v0;
  to[1] = v1;
  to[2] = v2;
  to[3] = v3;
  current = to;
  result[outs >> 1] = v1 ^ v3;
}

/**
 * Lays out an ASCII text as words, from word `at` on, and zeros up to the end of the word behind it.
 *
 * @returns where the next byte goes; -1 if a character is not ASCII
 */
export function layAscii(text: string, at: number): number {
  const end = text.length;
  const whole = end & ~3;
  let all = 0;
  let i = 0;
  let next = at;
  for (; i < whole; i += 4, next += 1) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    all |= a | b | c | d;
    words[next] = a | (b << 8) | (c << 16) | (d << 24);
  }
  let rest = 0;
  for (; i < end; i += 1) {
    const code = text.charCodeAt(i);
    all |= code;
    rest |= code << (8 * i); // modulo 32
  }
  words[next] = rest;
  return all < 128 ? 4 * at + end : -1;
}

/**
 * Lays out bytes as {@linkcode layAscii} does; takes in what does not fit.
 *
 * @param end how many of the bytes
 * @returns where the next byte goes
 */
export function layBytes(bytes: Uint8Array, end: number, at: number): number {
  for (let from = 0; ; at = 0) {
    const count = Math.min(end - from, 4 * (MAX_WORDS - at));
    const last = at + (count >> 2);
    words[last] = 0;
    wordBytes.set(count === bytes.length ? bytes : bytes.subarray(from, from + count), 4 * at);
    if (BIG_ENDIAN) for (let i = at; i <= last; i += 1) words[i] = swap(words[i] ?? 0);
    from += count;
    if (from === end) return 4 * at + count;
    absorb(last);
  }
}

/** Takes in what lies there with the end of a hash: the lowest 8 bits of its length in the last byte. */
export function absorbEnd(length: number, outs: 0 | 2 = 2, to: Int32Array = lanes): void {
  const last = length >> 2;
  words[last] = (words[last] ?? 0) | (length << 24);
  absorb(last + 1, words, outs, current, to);
}

/** The lowest four bytes of a number in the other order. */
export function swap(number: number): number {
  return (number << 24) | ((number & 0xff00) << 8) | ((number >>> 8) & 0xff00) | (number >>> 24);
}
