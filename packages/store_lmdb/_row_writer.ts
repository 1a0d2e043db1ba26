import { MAX_KEY_BYTES } from "@dnd/store/engine";
import { StoredEntry, expiryIndexTime, hashKey, lastHash, reapIndexTime } from "@dnd/store/engine";
import type { RowWriter } from "./_environment.ts";
import type { PendingChange } from "./_group.ts";
import { recordBytes, writeRecord } from "./_record.ts";
import { RowMemory } from "./_row_memory.ts";
import { NumberRowScratch } from "./_row_scratch.ts";
import {
  CHECK_BYTES,
  TAG_COUNTER,
  TAG_DAMAGED,
  TAG_ENTRY,
  TAG_EXPIRY,
  TAG_REAP,
  headRow,
  keyChecksum,
  numberRow,
  sealAt,
  sealedText,
  textRow,
} from "./_rows.ts";
import { writeText } from "./_write_text.ts";

const counterRow = new NumberRowScratch();
const scratch = Buffer.alloc(1 + 3 * MAX_KEY_BYTES);

/**
 * Writes the rows of changes: an entry's own, those of the indexes, and the mark of a damaged key. What
 * they hold lies in one piece of memory: lmdb asks for the address of each that it is given.
 */
export class ChangeWriter {
  readonly #writer: RowWriter;
  readonly #memory: RowMemory;
  #at = 0;

  /** @param bytes how much memory the rows take: see {@linkcode rowBytes} */
  constructor(writer: RowWriter, bytes: number) {
    this.#writer = writer;
    this.#memory = new RowMemory(bytes);
  }

  /** The entry's own row and the indexes of time; takes all rows away that stand for what it replaces. */
  writeEntry(change: PendingChange): void {
    const { key, entry, rows, isDamaged, recordMemory: record } = change;
    const writer = this.#writer;
    const { held } = rows;
    if (held instanceof StoredEntry) removeIndexes(held, entry, writer);
    if (entry === undefined) {
      writer.remove(key);
      const isKnown = held !== undefined || hashKey(key) > 0;
      if (isKnown) writer.remove(headRow(held?.keyHash ?? lastHash[0] ?? 0, key));
    } else {
      if (record === undefined) this.#putRecord(entry);
      else writer.putPart(key, record, change.recordStart, change.recordEnd);
      const expiry = expiryIndexTime(entry);
      if (expiry !== undefined) putSealed(numberRow(TAG_EXPIRY, expiry, key), writer);
      const reap = reapIndexTime(entry);
      if (reap !== undefined) putSealed(numberRow(TAG_REAP, reap, key), writer);
    }
    if (isDamaged) putSealed(textRow(TAG_DAMAGED, key), writer);
    else if (rows.isMarked) writer.remove(textRow(TAG_DAMAGED, key));
  }

  #putRecord(entry: StoredEntry): void {
    scratch[0] = TAG_ENTRY;
    const keyEnd = writeText(entry.key, scratch, 1);
    const start = this.#at;
    this.#at = writeRecord(entry, keyChecksum(scratch, 0, keyEnd), this.#memory.bytes, start);
    this.#writer.putPart(entry.key, this.#memory, start, this.#at);
  }

  /** The row of the change log. */
  writeCounter({ key, counter }: StoredEntry): void {
    const row = counterRow.number(TAG_COUNTER, counter);
    const { bytes } = this.#memory;
    const start = this.#at;
    this.#at = writeText(key, bytes, start + CHECK_BYTES);
    sealAt(row.checksum(), bytes, start, this.#at);
    this.#writer.putPart(row, this.#memory, start, this.#at);
  }
}

/** How much memory rows take, at most: those of entries, and of the change log. */
export function rowBytes(
  changes: readonly PendingChange[],
  counters: readonly StoredEntry[],
): number {
  let bytes = 0;
  for (const { entry, recordMemory: record } of changes) {
    if (entry !== undefined && record === undefined) bytes += recordBytes(entry);
  }
  for (const { key } of counters) bytes += CHECK_BYTES + 3 * key.length;
  return bytes;
}

function removeIndexes(held: StoredEntry, entry: StoredEntry | undefined, writer: RowWriter): void {
  if (held.counter !== entry?.counter) writer.remove(numberRow(TAG_COUNTER, held.counter));
  const expiry = expiryIndexTime(held);
  if (expiry !== undefined && expiry !== (entry && expiryIndexTime(entry))) {
    writer.remove(numberRow(TAG_EXPIRY, expiry, held.key));
  }
  const reap = reapIndexTime(held);
  if (reap !== undefined && reap !== (entry && reapIndexTime(entry))) {
    writer.remove(numberRow(TAG_REAP, reap, held.key));
  }
}

function putSealed(row: Buffer, writer: RowWriter): void {
  writer.put(row, sealedText(row, ""));
}
