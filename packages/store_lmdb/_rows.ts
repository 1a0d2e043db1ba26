// The rows of the data file (frozen: layout 2). One tree holds them all, so that one root names one
// state of the store. The first byte of a row's key says what it is; numbers in keys are big-endian, so
// that they sort; numbers in values are little-endian. Every value begins with, or contains, a checksum
// over the row's key and the rest of the value.
//
// | tag | key | value |
// |---|---|---|
// | 01 | | the schema: layout, hash algorithm, partition level |
// | 02 | | the state: counter, clock, ceiling, horizon, figures, transaction number |
// | 03 | name | a named value of the layers above |
// | 04 | partition u16 | the sums of the 32 leaves of a partition, 8 bytes each |
// | 05 | key | the key's record is damaged |
// | 06 | transaction u64 | changes of leaf sums since the rows of tag 04 were written |
// | 07 | number u64 | the journal: changes that are not in the rows below yet (see _journal.ts) |
// | 10 | key | an entry (see _record.ts) |
// | 11 | key hash u32, key | head: time, content hash, fingerprint, node |
// | 12 | counter u64 | key |
// | 13 | expiry in ms u64, key | |
// | 14 | stamp from which on it may be reaped u64, key | |
//
// Layout 1 had no journal, and wrote each commit into tags 10 and 12 to 14 at once: such a
// file is made one of layout 2 when it is opened (see _data_file.ts).
import { checksum } from "./_checksum.ts";
import { writeText } from "./_write_text.ts";

/** The number of this layout, in the schema row and in identity.json. */
export const LAYOUT = 2;

/** The layout before, which is made this one when a file is opened. */
export const OLD_LAYOUT = 1;

export const TAG_SCHEMA = 0x01;
export const TAG_STATE = 0x02;
export const TAG_META = 0x03;
export const TAG_SUMS = 0x04;
export const TAG_DAMAGED = 0x05;
export const TAG_DELTAS = 0x06;
export const TAG_JOURNAL = 0x07;
export const TAG_ENTRY = 0x10;
export const TAG_HEAD = 0x11;
export const TAG_COUNTER = 0x12;
export const TAG_EXPIRY = 0x13;
export const TAG_REAP = 0x14;

/** Seeds the checksums, so that rows of zeros are no rows. */
const SEED = 0x646e6431;

/** Bytes of the checksum at the front of a value. */
export const CHECK_BYTES = 4;

/** The key of a row without any further part. */
export function plainRow(tag: number): Buffer {
  return Buffer.of(tag);
}

/** The key of a row that goes by a text: an entry, a named value, a mark. */
export function textRow(tag: number, text: string): Buffer {
  const row = Buffer.allocUnsafe(1 + Buffer.byteLength(text));
  row[0] = tag;
  row.write(text, 1);
  return row;
}

/** The key of a row of leaf sums. */
export function sumsRow(partition: number): Buffer {
  const row = Buffer.allocUnsafe(3);
  row[0] = TAG_SUMS;
  row.writeUInt16BE(partition, 1);
  return row;
}

/** The key of a head; without a key: where the heads of a key hash begin. */
export function headRow(keyHash: number, key = ""): Buffer {
  const row = Buffer.allocUnsafe(5 + Buffer.byteLength(key));
  row[0] = TAG_HEAD;
  row.writeUInt32BE(keyHash >>> 0, 1);
  row.write(key, 5);
  return row;
}

/**
 * Writes the key of a head into other bytes: the same as {@linkcode headRow}.
 *
 * @returns where it ends
 */
export function writeHeadRow(keyHash: number, key: string, target: Buffer, at: number): number {
  target[at] = TAG_HEAD;
  target[at + 1] = keyHash >>> 24;
  target[at + 2] = keyHash >>> 16;
  target[at + 3] = keyHash >>> 8;
  target[at + 4] = keyHash;
  return writeText(key, target, at + 5);
}

/** The key of a row that goes by a number (counter, expiry, reap), and perhaps a key. */
export function numberRow(tag: number, number: number, key = ""): Buffer {
  const row = Buffer.allocUnsafe(9 + Buffer.byteLength(key));
  row[0] = tag;
  row.writeUInt32BE(Math.floor(number / 0x100000000), 1);
  row.writeUInt32BE(number % 0x100000000, 5);
  row.write(key, 9);
  return row;
}

/** The number in the key of such a row. */
export function numberOf(row: Buffer): number {
  return row.readUInt32BE(1) * 0x100000000 + row.readUInt32BE(5);
}

/** The smallest key above all keys that begin with these bytes; `undefined` if there is none. */
export function successor(row: Uint8Array): Buffer | undefined {
  for (let end = row.length; end > 0; end -= 1) {
    const last = row[end - 1] ?? 0;
    if (last === 0xff) continue;
    const next = Buffer.from(row.subarray(0, end));
    next[end - 1] = last + 1;
    return next;
  }
  return undefined;
}

/** Writes the checksum of a row to the front of its value. */
export function seal(row: Uint8Array, value: Buffer): Buffer {
  value.writeInt32LE(rowChecksum(row, value, value.length), 0);
  return value;
}

/**
 * Writes the checksum of a row to the front of its value, which is a part of some bytes.
 *
 * @param keyState the checksum of the row's key
 */
export function sealAt(keyState: number, bytes: Buffer, start: number, end: number): void {
  bytes.writeInt32LE(checksum(bytes, start + CHECK_BYTES, end, keyState), start);
}

/** The checksum of a row's key and of a part of some bytes. */
export function rowChecksumAt(
  row: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  return checksum(bytes, start, end, checksum(row, 0, row.length, SEED));
}

/** The value of a row that holds a text. */
export function sealedText(row: Uint8Array, text: string): Buffer {
  const value = Buffer.allocUnsafe(CHECK_BYTES + Buffer.byteLength(text));
  value.write(text, CHECK_BYTES);
  return seal(row, value);
}

/** Whether a value is the one that was sealed under this key. */
export function isIntact(row: Uint8Array, value: Buffer): boolean {
  if (value.length < CHECK_BYTES) return false;
  return value.readInt32LE(0) === rowChecksum(row, value, value.length);
}

function rowChecksum(row: Uint8Array, value: Uint8Array, end: number): number {
  return rowChecksumAt(row, value, CHECK_BYTES, end);
}

/** The checksum of a part of a row's key, to go on from. */
export function keyChecksum(bytes: Uint8Array, start: number, end: number): number {
  return checksum(bytes, start, end, SEED);
}
