const TABLE = new Int32Array(256);
for (let i = 0; i < 256; i++) {
  let remainder = i;
  for (let bit = 0; bit < 8; bit++) {
    remainder = (remainder & 1) !== 0 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
  }
  TABLE[i] = remainder;
}

/**
 * CRC-32 as in Ethernet, gzip and zlib (polynomial 0x04C11DB7, reflected).
 *
 * @param bytes what to add
 * @param before the checksum of what came before; 0 at the start
 * @returns an unsigned 32-bit integer
 *
 * @example
 * ```ts
 * import { crc32 } from "@dnd/protocol";
 *
 * crc32(new TextEncoder().encode("123456789")).toString(16); // "cbf43926"
 * ```
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) {
    crc = (crc >>> 8) ^ (TABLE[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0);
  }
  return ~crc >>> 0;
}
