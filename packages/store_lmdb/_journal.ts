// The journal: what a commit changed, in one row. An entry's own rows lie at its key, at the hash of its key
// and at its counter; to write them with each commit would touch a page for nearly every entry. So a
// commit puts all its changes into one value, one after the other, which costs a few pages in a row, and
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
import type { Group, Journal } from "./_group.ts";
import { readRecord, recordBytes, writeRecord } from "./_record.ts";
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

/** The key of the row that belongs to a transaction. */
export function journalRow(transaction: number): Buffer {
  return numberRow(TAG_JOURNAL, transaction);
}

/** Writes the changes of a group; each of them remembers where its record is. */
export function writeJournal(group: Group, row: Uint8Array): Journal {
  let recordsEnd = HEADER_BYTES;
  let most = 0;
  for (const { key, entry } of group.changes.values()) {
    if (entry !== undefined) recordsEnd += recordBytes(entry);
    most += ITEM_BYTES + 3 * key.length;
  }
  const bytes = Buffer.allocUnsafeSlow(recordsEnd + most);
  let at = HEADER_BYTES;
  let end = recordsEnd;
  for (const change of group.changes.values()) {
    const { key, entry, isDamaged } = change;
    const keyAt = end + ITEM_BYTES;
    const keyEnd = writeText(key, bytes, keyAt);
    const kind = entry !== undefined ? KIND_PUT : isDamaged ? KIND_DAMAGED : KIND_FORGOTTEN;
    bytes[keyAt - 1] = kind;
    bytes.writeUInt16LE(keyEnd - keyAt, keyAt - 3);
    let length = 0;
    if (entry !== undefined) {
      const start = at;
      at = writeRecord(entry, keyChecksum(bytes, keyAt - 1, keyEnd), bytes, start);
      length = at - start;
      change.recordBytes = bytes;
      change.recordStart = start;
      change.recordEnd = at;
    }
    bytes.writeUInt32LE(length, end);
    end = keyEnd;
  }
  bytes.writeUInt32LE(recordsEnd, 4);
  bytes.writeInt32LE(rowChecksumAt(row, bytes, recordsEnd, end), 0);
  return { bytes, end };
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
