// Entries and heads as rows (see _rows.ts). An entry's record:
//
// | at | what |
// |---|---|
// | 0 | layout of the record u8 (1), flags u8, length of the node id u8, length of the content type u8 |
// | 4 | checksum u32: the row's key, and everything up to the extra bytes |
// | 8 | length of the extra bytes u32, length of the value u32 |
// | 16 | stamp u64, counter u64 |
// | 32 | content hash 2 x u32, fingerprint 2 x u32, key hash u32 |
// | 52 | CRC-32 of extra bytes and value, if they are long |
// | 56 | expiresAt u64 |
// | 64 | node id, content type, extra bytes, value |
//
// The value is checked against its content hash, the record's checksum of rule 5. That hash is made for
// keys that are chosen to collide and runs at some hundred megabytes a second, so long values
// are checked by CRC-32 on each read and against the content hash by the scrub.
import { StoredEntry, hashContent, lastHash, NO_BYTES } from "@dnd/store/engine";
import type { Head } from "@dnd/store";
import { crc32 } from "node:zlib";
import { checksum } from "./_checksum.ts";
import { CHECK_BYTES, keyChecksum, sealAt } from "./_rows.ts";
import { copyOf } from "./_slab.ts";

const RECORD_LAYOUT = 1;
const FIXED_BYTES = 64;

/** From this length on a value is checked by CRC-32 on reads. */
const LONG_BYTES = 2048;

const DELETED = 1;
const STRIPPED = 2;
const EXPIRES = 4;
const HEX_NODE = 8;
const LONG = 16;
const EXTRA = 32;

const HEX_ID = /^[0-9a-f]{32}$/;

/** How many bytes the record of an entry takes. */
export function recordBytes(entry: StoredEntry): number {
  return (
    FIXED_BYTES +
    nodeBytes(entry.version.node) +
    (entry.contentType?.length ?? 0) +
    (entry.extra?.length ?? 0) +
    entry.value.length
  );
}

function nodeBytes(node: string): number {
  return isHexId(node) ? 16 : node.length;
}

/** The last node id: most entries of a commit have the same. */
let lastNode = "";
let lastIsHex = false;
let lastNodeBytes: Buffer = Buffer.alloc(0);

function isHexId(node: string): boolean {
  if (node !== lastNode) {
    lastIsHex = HEX_ID.test(node);
    lastNodeBytes = Buffer.from(node, lastIsHex ? "hex" : "latin1");
    lastNode = node;
  }
  return lastIsHex;
}

/** Writes the bytes of the node id that {@linkcode isHexId} was asked for last. */
function writeLastNode(target: Uint8Array, at: number): void {
  const { length } = lastNodeBytes;
  for (let i = 0; i < length; i += 1) target[at + i] = lastNodeBytes[i] ?? 0;
}

/**
 * Writes the record of an entry.
 *
 * @param keyState the checksum of the row's key
 * @param at where in the target
 * @returns where the record ends
 */
export function writeRecord(
  entry: StoredEntry,
  keyState: number,
  target: Buffer,
  at: number = 0,
): number {
  const { version, contentType = "", extra = NO_BYTES, value } = entry;
  const isHex = isHexId(version.node);
  const nodeLength = lastNodeBytes.length;
  const isLong = extra.length + value.length >= LONG_BYTES;
  const flags =
    (entry.deleted === true ? DELETED : 0) |
    (entry.stripped ? STRIPPED : 0) |
    (entry.expiresAt === undefined ? 0 : EXPIRES) |
    (isHex ? HEX_NODE : 0) |
    (isLong ? LONG : 0) |
    (entry.extra === undefined ? 0 : EXTRA);
  const first = RECORD_LAYOUT | (flags << 8) | (nodeLength << 16) | (contentType.length << 24);
  writeI32(target, first, at);
  writeI32(target, extra.length, at + 8);
  writeI32(target, value.length, at + 12);
  writeU64(target, version.time, at + 16);
  writeU64(target, entry.counter, at + 24);
  writeI32(target, entry.hashHigh, at + 32);
  writeI32(target, entry.hashLow, at + 36);
  writeI32(target, entry.fingerprintHigh, at + 40);
  writeI32(target, entry.fingerprintLow, at + 44);
  writeI32(target, entry.keyHash, at + 48);
  writeU64(target, entry.expiresAt ?? 0, at + 56);
  writeLastNode(target, at + FIXED_BYTES);
  const typeStart = at + FIXED_BYTES + nodeLength;
  const extraStart = typeStart + contentType.length;
  if (contentType !== "") target.write(contentType, typeStart, "latin1");
  target.set(extra, extraStart);
  target.set(value, extraStart + extra.length);
  const end = extraStart + extra.length + value.length;
  writeI32(target, isLong ? crc32(target.subarray(extraStart, end)) : 0, at + 52);
  writeI32(target, checksum(target, at + 8, extraStart, keyState ^ first), at + 4);
  return end;
}

/**
 * Reads the record of an entry.
 *
 * @param bytes what the record lies in; overwritten by the next read, so nothing of it is kept
 * @param length how long the record is
 * @param keyState the checksum of the row's key
 * @param deep whether a long value is checked against its content hash too
 * @returns `undefined` if the record is damaged
 */
export function readRecord(
  key: string,
  bytes: Buffer,
  length: number,
  keyState: number,
  deep = false,
): StoredEntry | undefined {
  if (length < FIXED_BYTES) return undefined;
  const nodeLength = bytes[2] ?? 0;
  const typeLength = bytes[3] ?? 0;
  const typeStart = FIXED_BYTES + nodeLength;
  const extraStart = typeStart + typeLength;
  if (extraStart > length) return undefined;
  const state = keyState ^ bytes.readInt32LE(0);
  if (bytes.readInt32LE(4) !== checksum(bytes, 8, extraStart, state)) return undefined;
  const valueStart = extraStart + bytes.readUInt32LE(8);
  const valueLength = bytes.readUInt32LE(12);
  if (bytes[0] !== RECORD_LAYOUT || valueStart + valueLength !== length) return undefined;
  const flags = bytes[1] ?? 0;
  const stripped = (flags & STRIPPED) !== 0;
  const fields = {
    key,
    value: copyOf(bytes, valueStart, length),
    version: {
      time: readU64(bytes, 16),
      node:
        (flags & HEX_NODE) === 0
          ? bytes.toString("latin1", FIXED_BYTES, typeStart)
          : hexNode(bytes, FIXED_BYTES),
    },
    contentType: typeLength === 0 ? undefined : bytes.toString("latin1", typeStart, extraStart),
    expiresAt: (flags & EXPIRES) === 0 ? undefined : readU64(bytes, 56),
    deleted: (flags & DELETED) !== 0,
    extra: (flags & EXTRA) === 0 ? undefined : copyOf(bytes, extraStart, valueStart),
  };
  const entry = new StoredEntry(fields, {
    keyHash: bytes.readInt32LE(48),
    hashHigh: bytes.readInt32LE(32),
    hashLow: bytes.readInt32LE(36),
    fingerprintHigh: bytes.readInt32LE(40),
    fingerprintLow: bytes.readInt32LE(44),
    counter: readU64(bytes, 24),
    stripped,
  });
  const isLong = (flags & LONG) !== 0;
  if (isLong && crc32(bytes.subarray(extraStart, length)) !== bytes.readUInt32LE(52)) {
    return undefined;
  }
  if (stripped || (isLong && !deep)) return entry;
  hashContent(entry);
  return lastHash[0] === entry.hashHigh && lastHash[1] === entry.hashLow ? entry : undefined;
}

/** How many bytes the value of a head row takes. */
export function headBytes(entry: Head): number {
  return CHECK_BYTES + 25 + nodeBytes(entry.version.node);
}

/** What a head row says of an entry, sealed under its key: see {@linkcode readHead}. */
export function writeHead(entry: Head, row: Uint8Array): Buffer {
  const value = Buffer.allocUnsafe(headBytes(entry));
  writeHeadAt(entry, keyChecksum(row, 0, row.length), value, 0);
  return value;
}

/**
 * Writes the value of a head row.
 *
 * @param keyState the checksum of the row's key
 * @returns where it ends
 */
export function writeHeadAt(entry: Head, keyState: number, target: Buffer, at: number): number {
  const { time, node } = entry.version;
  const isHex = isHexId(node);
  writeU64(target, time, at + 4);
  writeI32(target, entry.hashHigh, at + 12);
  writeI32(target, entry.hashLow, at + 16);
  writeI32(target, entry.fingerprintHigh, at + 20);
  writeI32(target, entry.fingerprintLow, at + 24);
  target[at + 28] = isHex ? 1 : 0;
  writeLastNode(target, at + 29);
  const end = at + 29 + lastNodeBytes.length;
  sealAt(keyState, target, at, end);
  return end;
}

/** Reads a head row that is intact. */
export function readHead(row: Buffer, value: Buffer): Head {
  return {
    key: row.toString("utf8", 5),
    keyHash: row.readInt32BE(1),
    version: {
      time: readU64(value, 4),
      node: value[28] === 1 ? hexNode(value, 29) : value.toString("latin1", 29),
    },
    hashHigh: value.readInt32LE(12),
    hashLow: value.readInt32LE(16),
    fingerprintHigh: value.readInt32LE(20),
    fingerprintLow: value.readInt32LE(24),
  };
}

function writeU64(target: Uint8Array, number: number, at: number): void {
  writeI32(target, number | 0, at);
  writeI32(target, (number / 0x100000000) | 0, at + 4);
}

// Byte by byte: the methods of a Buffer check more, and cost more.
function writeI32(target: Uint8Array, number: number, at: number): void {
  target[at] = number;
  target[at + 1] = number >>> 8;
  target[at + 2] = number >>> 16;
  target[at + 3] = number >>> 24;
}

function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 4) * 0x100000000 + bytes.readUInt32LE(at);
}

// A store holds entries of a few nodes only, and making 32 characters of 16 bytes costs as much as the rest
// of a read: the last ids are kept, by their first bytes.
const nodeWords = new Int32Array(4 * 64);
const nodeTexts: string[] = new Array<string>(64).fill("");

function hexNode(bytes: Buffer, at: number): string {
  const a = bytes.readInt32LE(at);
  const b = bytes.readInt32LE(at + 4);
  const c = bytes.readInt32LE(at + 8);
  const d = bytes.readInt32LE(at + 12);
  const slot = (a ^ d) & 63;
  const words = slot * 4;
  const known = nodeTexts[slot] ?? "";
  if (
    nodeWords[words] === a &&
    nodeWords[words + 1] === b &&
    nodeWords[words + 2] === c &&
    nodeWords[words + 3] === d &&
    known !== ""
  ) {
    return known;
  }
  const text = bytes.toString("hex", at, at + 16);
  nodeWords.set([a, b, c, d], words);
  nodeTexts[slot] = text;
  return text;
}
