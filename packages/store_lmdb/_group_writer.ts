import {
  type LeafCorrection,
  MAX_KEY_BYTES,
  StoredEntry,
  expiryIndexTime,
  reapIndexTime,
} from "@dnd/store";
import type { RowWriter } from "./_environment.ts";
import type { Group, PendingChange } from "./_group.ts";
import { recordBytes, writeRecord } from "./_record.ts";
import {
  CHECK_BYTES,
  TAG_COUNTER,
  TAG_DAMAGED,
  TAG_ENTRY,
  TAG_EXPIRY,
  TAG_META,
  TAG_REAP,
  headRow,
  keyChecksum,
  numberRow,
  seal,
  sealedText,
  textRow,
} from "./_rows.ts";
import { writeText } from "./_write_text.ts";

/** What a group changes in the leaf sums. */
export function* leafDeltas(group: Group): Iterable<LeafCorrection> {
  for (const { entry, base } of group.changes.values()) {
    const keyHash = entry?.keyHash ?? base?.keyHash;
    if (keyHash === undefined) continue;
    yield {
      leaf: keyHash >>> 17,
      high: (entry?.fingerprintHigh ?? 0) ^ (base?.fingerprintHigh ?? 0),
      low: (entry?.fingerprintLow ?? 0) ^ (base?.fingerprintLow ?? 0),
    };
  }
  yield* group.corrections;
}

/** Writes the rows of a group's changes and named values. */
export function writeGroup(group: Group, writer: RowWriter): void {
  for (const { row, value } of group.repairs) {
    if (value === undefined) writer.remove(row);
    else writer.put(row, value);
  }
  const arena = new Arena(group);
  for (const change of group.changes.values()) {
    const { key, entry, base } = change;
    if (base instanceof StoredEntry) removeIndexes(base, entry, writer);
    if (entry !== undefined) {
      putEntry(entry, arena, writer);
    } else {
      writer.remove(key);
      if (base !== undefined) writer.remove(headRow(base.keyHash, key));
    }
    writeMark(change, writer);
  }
  for (const [name, value] of group.meta) writeMeta(name, value, writer);
}

/** One piece of memory for the values of a commit: lmdb asks for the address of each that it is given. */
class Arena {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(group: Group) {
    let bytes = 0;
    for (const { key, entry } of group.changes.values()) {
      if (entry !== undefined) bytes += recordBytes(entry) + CHECK_BYTES + 3 * key.length;
    }
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
  }

  take(bytes: number): Buffer {
    return this.#bytes.subarray(this.#at, (this.#at += bytes));
  }
}

const scratch = Buffer.alloc(1 + 3 * MAX_KEY_BYTES);

function putEntry(entry: StoredEntry, arena: Arena, writer: RowWriter): void {
  const { key } = entry;
  scratch[0] = TAG_ENTRY;
  const keyEnd = writeText(key, scratch, 1);
  const record = arena.take(recordBytes(entry));
  writeRecord(entry, keyChecksum(scratch, 0, keyEnd), record);
  writer.put(key, record);
  const counter = arena.take(CHECK_BYTES + keyEnd - 1);
  scratch.copy(counter, CHECK_BYTES, 1, keyEnd);
  const row = numberRow(TAG_COUNTER, entry.counter);
  writer.put(row, seal(row, counter));
  const expiry = expiryIndexTime(entry);
  if (expiry !== undefined) putSealed(numberRow(TAG_EXPIRY, expiry, key), "", writer);
  const reap = reapIndexTime(entry);
  if (reap !== undefined) putSealed(numberRow(TAG_REAP, reap, key), "", writer);
}

function removeIndexes(base: StoredEntry, entry: StoredEntry | undefined, writer: RowWriter): void {
  if (base.counter !== entry?.counter) writer.remove(numberRow(TAG_COUNTER, base.counter));
  const expiry = expiryIndexTime(base);
  if (expiry !== undefined && expiry !== (entry && expiryIndexTime(entry))) {
    writer.remove(numberRow(TAG_EXPIRY, expiry, base.key));
  }
  const reap = reapIndexTime(base);
  if (reap !== undefined && reap !== (entry && reapIndexTime(entry))) {
    writer.remove(numberRow(TAG_REAP, reap, base.key));
  }
}

function writeMark({ key, isDamaged, wasDamaged }: PendingChange, writer: RowWriter): void {
  if (isDamaged) putSealed(textRow(TAG_DAMAGED, key), "", writer);
  else if (wasDamaged) writer.remove(textRow(TAG_DAMAGED, key));
}

function writeMeta(name: string, bytes: Uint8Array | undefined, writer: RowWriter): void {
  const row = textRow(TAG_META, name);
  if (bytes === undefined) {
    writer.remove(row);
    return;
  }
  const value = Buffer.allocUnsafe(CHECK_BYTES + bytes.length);
  value.set(bytes, CHECK_BYTES);
  writer.put(row, seal(row, value));
}

function putSealed(row: Buffer, text: string, writer: RowWriter): void {
  writer.put(row, sealedText(row, text));
}
