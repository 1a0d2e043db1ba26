import { versionNodeBytes } from "@dnd/protocol";
import type { Entry } from "@dnd/store";

/**
 * The bytes of a string in UTF-8.
 */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // A surrogate pair is two units and four bytes: one more for each half.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

/**
 * The bytes that an entry takes inside an encoded `Update`, at most: tag and length, key, time (up to
 * 8 bytes), node, hash (8), and what else it has.
 */
export function entryBytes(entry: Entry): number {
  let bytes = 2 + utf8Bytes(entry.key) + 9 + 2 + versionNodeBytes(entry.version.node) + 10;
  if (entry.key.length > 127) bytes += 1;
  if (entry.deleted === true) bytes += 2;
  if (entry.expiresAt !== undefined) bytes += 9;
  if (entry.contentType !== undefined) bytes += 3 + utf8Bytes(entry.contentType);
  if (entry.value.length > 0) bytes += 1 + varintBytes(entry.value.length) + entry.value.length;
  if (entry.extra !== undefined) bytes += entry.extra.length;
  return bytes + 1 + varintBytes(bytes);
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}
