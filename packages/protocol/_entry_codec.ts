/** Entries, read and written by hand: nearly everything that a busy node decodes is one of these. */
import { NO_BYTES, objectCost, WireReader } from "./_reader.ts";
import type { WireWriter } from "./_writer.ts";
import {
  HASH_BYTES,
  MAX_CONTENT_TYPE_BYTES,
  MAX_ENTRY_EXTRA_BYTES,
  MAX_FRAME_BYTES,
  MAX_KEY_BYTES,
  NODE_ID_BYTES,
} from "./limits.ts";
import type { WireEntry } from "./messages.ts";
import { MAX_VERSION_NODE_BYTES } from "./version_node.ts";

/** An entry while it is being filled. */
interface EntryFields {
  key: string;
  value: Uint8Array;
  version: { time: number; node: string };
  contentType?: string;
  expiresAt?: number;
  deleted?: boolean;
  extra?: Uint8Array;
  hash: Uint8Array;
}

// Object and properties of the entry, its version with a boxed time.
const ENTRY_COST: number = objectCost(10) + objectCost(4);

const LAST_FIELD = 9;
const isKnown = (field: number): boolean => field <= LAST_FIELD;
const UNKNOWN = { maxBytes: MAX_ENTRY_EXTRA_BYTES, isKnown };

/**
 * Reads an entry up to `reader.end`.
 *
 * @returns the entry, or `undefined` for one of a `space` that this version does not know
 */
export function readEntry(reader: WireReader): WireEntry | undefined {
  const start = reader.position;
  reader.charge(ENTRY_COST);
  let space = 0;
  let key = "";
  let time = 0;
  let node = "";
  let deleted = false;
  let expiresAt = 0;
  let contentType = "";
  let value = NO_BYTES;
  let hash: Uint8Array | undefined;
  let unknown = 0;
  let seen = 0;
  while (reader.position < reader.end) {
    const from = reader.position;
    const tag = reader.tag();
    const field = tag >>> 3;
    if (field > LAST_FIELD) {
      reader.skip(tag & 7);
      unknown += reader.position - from;
      continue;
    }
    if ((seen & (1 << field)) !== 0) reader.twice(`field ${field} of Entry`);
    seen |= 1 << field;
    switch (tag) {
      case 0x08:
        space = reader.uint32();
        break;
      case 0x12:
        key = reader.string(reader.limitedLength("Entry.key", 1, MAX_KEY_BYTES));
        break;
      case 0x18:
        time = reader.uint64();
        break;
      case 0x22:
        node = reader.versionNode(
          "Entry.node",
          reader.limitedLength("Entry.node", NODE_ID_BYTES, MAX_VERSION_NODE_BYTES),
        );
        break;
      case 0x28:
        deleted = reader.bool();
        break;
      case 0x30:
        expiresAt = reader.uint64();
        break;
      case 0x3a:
        contentType = reader.string(
          reader.limitedLength("Entry.contentType", 0, MAX_CONTENT_TYPE_BYTES),
        );
        break;
      case 0x42:
        value = reader.bytes(reader.limitedLength("Entry.value", 0, MAX_FRAME_BYTES));
        break;
      case 0x4a:
        reader.limitedLength("Entry.contentHash", HASH_BYTES, HASH_BYTES);
        hash = reader.hash();
        break;
      default:
        reader.wrongType(`field ${field} of Entry`, tag & 7);
    }
  }
  if (space !== 0) return undefined;
  if (key === "") reader.missing("Entry.key");
  if (node === "") reader.missing("Entry.node");
  if (hash === undefined) reader.missing("Entry.contentHash");
  if (deleted && value.length > 0) reader.refuse("a tombstone with a value");
  const entry: EntryFields = { key, value, version: { time, node }, hash };
  if (contentType !== "") entry.contentType = contentType;
  if (expiresAt !== 0) entry.expiresAt = expiresAt;
  if (deleted) entry.deleted = true;
  if (unknown > 0) entry.extra = reader.unknown(start, unknown, UNKNOWN);
  return entry;
}

function checkExtra(extra: Uint8Array): void {
  const reader = new WireReader(extra);
  while (reader.position < reader.end) {
    const tag = reader.tag();
    if (isKnown(tag >>> 3)) reader.refuse("a known field");
    reader.skip(tag & 7);
  }
}

/** Writes an entry without its length. */
export function writeEntry(writer: WireWriter, entry: WireEntry): void {
  writer.uint32(0x12);
  writer.text("Entry.key", entry.key, 1, MAX_KEY_BYTES);
  const { time, node } = entry.version;
  if (time !== 0) {
    writer.uint32(0x18);
    writer.safeUint64("Entry.time", time);
  }
  writer.uint32(0x22);
  writer.versionNode("Entry.node", node);
  if (entry.deleted === true) writer.uint32(0x28).bool(true);
  const { expiresAt, contentType, extra } = entry;
  if (expiresAt !== undefined && expiresAt !== 0) {
    writer.uint32(0x30);
    writer.safeUint64("Entry.expiresAt", expiresAt);
  }
  if (contentType !== undefined && contentType !== "") {
    writer.uint32(0x3a);
    writer.text("Entry.contentType", contentType, 0, MAX_CONTENT_TYPE_BYTES);
  }
  if (entry.value.length > 0) {
    if (entry.deleted === true) throw new TypeError("Cannot encode: a tombstone with a value");
    writer.uint32(0x42);
    writer.limitedBytes("Entry.value", entry.value, 0, MAX_FRAME_BYTES);
  }
  const { hash } = entry;
  if (hash === undefined) {
    throw new TypeError(
      `Cannot encode: no content hash in the entry of ${JSON.stringify(entry.key)}`,
    );
  }
  writer.uint32(0x4a);
  writer.limitedBytes("Entry.contentHash", hash, HASH_BYTES, HASH_BYTES);
  if (extra === undefined || extra.length === 0) return;
  if (extra.length > MAX_ENTRY_EXTRA_BYTES) {
    throw new RangeError(
      `Cannot encode: "extra" of an entry has ${extra.length} bytes, at most ${MAX_ENTRY_EXTRA_BYTES}`,
    );
  }
  try {
    checkExtra(extra);
  } catch (cause) {
    throw new TypeError('Cannot encode: "extra" of an entry is not unknown fields', { cause });
  }
  writer.raw(extra);
}
