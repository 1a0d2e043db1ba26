import { DEEPEST_LEVEL, FAN_OUT, LEAF_LEVEL } from "./digest_tree.ts";
import type { Core } from "./_core.ts";
import type { Head } from "./stored_entry.ts";
import { checkCount } from "./_check.ts";
import { compareKeys } from "./compare_keys.ts";
import { toBytes } from "./hash.ts";

/** The sum of a node: see `VersionedMap.digestNode`. */
export function digestNode(core: Core, level: number, index: number): Uint8Array {
  checkNode(level, index, 0, DEEPEST_LEVEL);
  if (level <= LEAF_LEVEL)
    return toBytes(core.tree.high(level, index), core.tree.low(level, index));
  let high = 0;
  let low = 0;
  for (const head of list(core, level, index)) {
    high ^= head.fingerprintHigh;
    low ^= head.fingerprintLow;
  }
  return toBytes(high, low);
}

/** The 32 sums below a node: see `VersionedMap.digestChildren`. */
export function digestChildren(core: Core, level: number, index: number): Uint8Array {
  checkNode(level, index, 0, DEEPEST_LEVEL - 1);
  const bytes = new Uint8Array(8 * FAN_OUT);
  const view = new DataView(bytes.buffer);
  if (level < LEAF_LEVEL) {
    for (let child = 0; child < FAN_OUT; child += 1) {
      view.setInt32(8 * child, core.tree.high(level + 1, index * FAN_OUT + child));
      view.setInt32(8 * child + 4, core.tree.low(level + 1, index * FAN_OUT + child));
    }
    return bytes;
  }
  const shift = 32 - 5 * (level + 1);
  for (const { keyHash, fingerprintHigh, fingerprintLow } of list(core, level, index)) {
    const at = 8 * ((keyHash >>> shift) & (FAN_OUT - 1));
    view.setInt32(at, view.getInt32(at) ^ fingerprintHigh);
    view.setInt32(at + 4, view.getInt32(at + 4) ^ fingerprintLow);
  }
  return bytes;
}

/** The heads below a node: see `VersionedMap.digestEntries`. */
export function digestEntries(core: Core, level: number, index: number): Head[] {
  checkNode(level, index, LEAF_LEVEL, DEEPEST_LEVEL);
  const heads = list(core, level, index);
  if (level === LEAF_LEVEL) correct(core, index, heads);
  return heads.sort((a, b) => (a.keyHash >>> 0) - (b.keyHash >>> 0) || compareKeys(a.key, b.key));
}

function list(core: Core, level: number, index: number): Head[] {
  const width = 2 ** (32 - 5 * level);
  return [...core.engine.heads(index * width, (index + 1) * width)];
}

/** Listing a leaf recomputes its sum; one that is wrong is corrected, durably, and counted (rule 6). */
function correct(core: Core, leaf: number, heads: readonly Head[]): void {
  let high = core.tree.high(LEAF_LEVEL, leaf);
  let low = core.tree.low(LEAF_LEVEL, leaf);
  for (const head of heads) {
    high ^= head.fingerprintHigh;
    low ^= head.fingerprintLow;
  }
  if ((high | low) === 0) return;
  core.correctedLeaves += 1;
  core.write([], { corrections: [{ leaf, high, low }] });
}

function checkNode(level: number, index: number, min: number, max: number): void {
  checkCount("level", level, min, max);
  checkCount("index", index, 0, FAN_OUT ** level - 1);
}
