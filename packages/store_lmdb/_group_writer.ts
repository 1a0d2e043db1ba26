import type { RowWriter } from "./_environment.ts";
import type { Group } from "./_group.ts";
import type { LeafSums } from "./_leaf_sums.ts";
import { CHECK_BYTES, TAG_META, seal, textRow } from "./_rows.ts";

/** Puts what a group changes into the leaf sums. */
export function sumGroup(group: Group, sums: LeafSums): void {
  for (const { entry, base } of group.changes) {
    const keyHash = entry?.keyHash ?? base?.keyHash;
    if (keyHash === undefined) continue;
    const high = (entry?.fingerprintHigh ?? 0) ^ (base?.fingerprintHigh ?? 0);
    const low = (entry?.fingerprintLow ?? 0) ^ (base?.fingerprintLow ?? 0);
    sums.xor(keyHash >>> 17, high, low);
  }
  for (const { leaf, high, low } of group.corrections) sums.xor(leaf, high, low);
}

/** Writes what concerns no single key: rows that the scrub mends, and named values. */
export function writeRest(group: Group, writer: RowWriter): void {
  for (const { row, value } of group.repairs) {
    if (value === undefined) writer.remove(row);
    else writer.put(row, value);
  }
  for (const [name, value] of group.meta) writeMeta(name, value, writer);
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
