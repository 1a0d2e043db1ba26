// The journal: what a commit changed, in a few rows. An entry's own rows lie at its key, at the hash of its key
// and at its counter; to write them with each commit would touch a page for nearly every entry. So a
// commit puts its changes one after the other into values that fill a page each, and
// changes are moved to their rows later, thousands at a time and in the order of the rows (see
// _mover.ts). Until then they stay in the overlay, which every read asks first; after a crash they are
// put there again from the journal. Which rows the journal has is part of the state, so the file as a whole is at
// any moment what one transaction left: entries, indexes, sums and state together (rule 6).
//
// The value of a row:
//
// | at | what |
// |---|---|
// | 0 | checksum of the row's key and of everything from `directory` on |
// | 4 | where the directory begins u32 |
// | 8 | the records of the entries that were put, as in tag 10 |
// | directory | for each change: length of its record u32, length of its key u16, kind u8, key |
//
// A record carries the checksum of its own. A flipped bit in one is damage of its key, which the directory
// names; one in the directory leaves nobody to name, and the folder is refused.
import type { StoredEntry } from "@dnd/store";
import type { Group, Journal, PendingChange } from "./_group.ts";
import { readRecord, recordBytes, writeRecord } from "./_record.ts";
import { RowMemory } from "./_row_memory.ts";
import {
  TAG_DAMAGED,
  TAG_ENTRY,
  TAG_JOURNAL,
  keyChecksum,
  numberRow,
  rowChecksumAt,
} from "./_rows.ts";
import { writeText } from "./_write_text.ts";

const HEADER_BYTES = 8;

/** What comes before a key in the directory; its last byte, the kind, is the tag that a record's checksum begins with. */
const ITEM_BYTES = 7;

const KIND_PUT = TAG_ENTRY;
const KIND_DAMAGED = TAG_DAMAGED;
const KIND_FORGOTTEN = 0;

/**
 * How many bytes of value fill one page of LMDB's. A longer value needs pages that lie one after the other, and
 * a file that is written over and over has few such: it would grow with every commit, and the list of
 * its free pages, which lmdb verifies with every commit, would grow with it.
 */
const PAGE_BYTES = 4064;

/** The directory of the row that is being filled. */
let directory = Buffer.alloc(PAGE_BYTES);

/** The key of a row. */
export function journalRow(number: number): Buffer {
  return numberRow(TAG_JOURNAL, number);
}

/**
 * Writes the changes of a group, as many to a row as fit into a page; each of them remembers where its
 * record is.
 *
 * @param first the number of the first row
 */
export function writeJournal({ changes }: Group, first: number): Journal {
  let most = 0;
  for (const { key, entry } of changes) {
    most += HEADER_BYTES + ITEM_BYTES + 3 * key.length;
    if (entry !== undefined) most += recordBytes(entry);
  }
  const memory = new RowMemory(most);
  const { bytes } = memory;
  const ends: number[] = [];
  let start = 0;
  let at = HEADER_BYTES;
  let directoryEnd = 0;
  for (const change of changes) {
    const { entry } = change;
    const length = entry === undefined ? 0 : recordBytes(entry);
    let itemEnd = writeItem(change, length, directoryEnd);
    if (directoryEnd > 0 && at - start + length + itemEnd > PAGE_BYTES) {
      start = endRow(first + ends.length, { bytes, start, at, directoryEnd });
      ends.push(start);
      at = start + HEADER_BYTES;
      directory.copyWithin(0, directoryEnd, itemEnd);
      itemEnd -= directoryEnd;
      directoryEnd = 0;
    }
    if (entry !== undefined) {
      const keyState = keyChecksum(directory, directoryEnd + ITEM_BYTES - 1, itemEnd);
      change.recordMemory = memory;
      change.recordStart = at;
      at = change.recordEnd = writeRecord(entry, keyState, bytes, at);
    }
    directoryEnd = itemEnd;
  }
  ends.push(endRow(first + ends.length, { bytes, start, at, directoryEnd }));
  return { first, memory, ends };
}

/** Writes a change into the directory; returns where that ends then. */
function writeItem({ key, entry, isDamaged }: PendingChange, length: number, at: number): number {
  const keyAt = at + ITEM_BYTES;
  if (keyAt + 3 * key.length > directory.length) {
    const roomier = Buffer.alloc(2 * (keyAt + 3 * key.length));
    roomier.set(directory);
    directory = roomier;
  }
  const end = writeText(key, directory, keyAt);
  const kind = entry !== undefined ? KIND_PUT : isDamaged ? KIND_DAMAGED : KIND_FORGOTTEN;
  directory[keyAt - 1] = kind;
  directory.writeUInt16LE(end - keyAt, keyAt - 3);
  directory.writeUInt32LE(length, at);
  return end;
}

/** Writes the directory of a row behind its records, and what goes before them; returns where the row ends. */
function endRow(
  number: number,
  row: { bytes: Buffer; start: number; at: number; directoryEnd: number },
): number {
  const { bytes, start, at, directoryEnd } = row;
  directory.copy(bytes, at, 0, directoryEnd);
  const end = at + directoryEnd;
  bytes.writeUInt32LE(at - start, start + 4);
  bytes.writeInt32LE(rowChecksumAt(journalRow(number), bytes, at, end), start);
  return end;
}

/** One change, as the journal says it. */
export interface JournalChange {
  readonly key: string;

  /** The entry that was put, if its record is intact. */
  readonly entry: StoredEntry | undefined;
  readonly isDamaged: boolean;

  /** Whether that is news: its record is not intact. */
  readonly isUnreadable: boolean;
}

/** Reads a row; `undefined` if its directory is damaged. */
export function readJournal(row: Uint8Array, bytes: Buffer): JournalChange[] | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const directory = bytes.readUInt32LE(4);
  if (directory < HEADER_BYTES || directory > bytes.length) return undefined;
  if (bytes.readInt32LE(0) !== rowChecksumAt(row, bytes, directory, bytes.length)) return undefined;
  const changes: JournalChange[] = [];
  let record = HEADER_BYTES;
  for (let at = directory; at < bytes.length;) {
    const length = bytes.readUInt32LE(at);
    const keyAt = at + ITEM_BYTES;
    const keyEnd = keyAt + bytes.readUInt16LE(keyAt - 3);
    const key = bytes.toString("utf8", keyAt, keyEnd);
    const kind = bytes[keyAt - 1];
    let entry: StoredEntry | undefined;
    if (kind === KIND_PUT) {
      const part = bytes.subarray(record, record + length);
      entry = readRecord(key, part, length, keyChecksum(bytes, keyAt - 1, keyEnd), true);
    }
    const isUnreadable = kind === KIND_PUT && entry === undefined;
    changes.push({ key, entry, isDamaged: isUnreadable || kind === KIND_DAMAGED, isUnreadable });
    record += length;
    at = keyEnd;
  }
  return record === directory ? changes : undefined;
}
