// The checksum of rows and record headers: MurmurHash3 (x86, 32 bits; Austin Appleby, 2011) over
// little-endian words. Against accidents only, where every step counts: each word goes through
// bijections and into a state that the next steps change by bijections, so two inputs of one length
// that differ within a single word never have the same checksum. A flipped bit is always found.

/**
 * The checksum of a part of some bytes.
 *
 * @param state the result of the part before this one, or a seed
 * @returns 32 bits, signed
 */
export function checksum(bytes: Uint8Array, start: number, end: number, state: number): number {
  let h = state | 0;
  let i = start;
  for (const whole = start + ((end - start) & ~3); i < whole; i += 4) {
    const word =
      (bytes[i] ?? 0) |
      ((bytes[i + 1] ?? 0) << 8) |
      ((bytes[i + 2] ?? 0) << 16) |
      ((bytes[i + 3] ?? 0) << 24);
    h = mix(h, word);
  }
  let rest = 0;
  for (let shift = 0; i < end; i += 1, shift += 8) rest |= (bytes[i] ?? 0) << shift;
  h = mix(h, rest) ^ (end - start);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function mix(h: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  h ^= k;
  h = (h << 13) | (h >>> 19);
  return (Math.imul(h, 5) + 0xe6546b64) | 0;
}
