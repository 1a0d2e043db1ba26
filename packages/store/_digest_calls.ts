import { DEEPEST_LEVEL, FAN_OUT, LEAF_LEVEL } from "./digest_tree.ts";
import type { Core } from "./_core.ts";
import type { Head } from "./stored_entry.ts";
import { checkCount } from "./_check.ts";
import { compareKeys } from "./compare_keys.ts";
import { toBytes } from "./hash.ts";
import { xor } from "./_xor.ts";

/** The sum of a node: see `VersionedMap.digestNode`. */
export function digestNode(core: Core, level: number, index: number): Uint8Array {
  checkNode(level, index, 0, DEEPEST_LEVEL);
  if (level <= LEAF_LEVEL) return toBytes(core.tree.sums(level, index));
  const at = 8 * (index % FAN_OUT);
  return digestChildren(core, level - 1, Math.floor(index / FAN_OUT)).slice(at, at + 8);
}

/** The 32 sums below a node: see `VersionedMap.digestChildren`. */
export function digestChildren(core: Core, level: number, index: number): Uint8Array {
  checkNode(level, index, 0, DEEPEST_LEVEL - 1);
  if (level < LEAF_LEVEL) return toBytes(core.tree.sums(level + 1, index * FAN_OUT, FAN_OUT));
  const sums = new Int32Array(2 * FAN_OUT);
  const shift = 32 - 5 * (level + 1);
  for (const { keyHash, fingerprintHigh, fingerprintLow } of list(core, level, index)) {
    xor(sums, (keyHash >>> shift) & (FAN_OUT - 1), fingerprintHigh, fingerprintLow);
  }
  return toBytes(sums);
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
  const sum = core.tree.sums(LEAF_LEVEL, leaf).slice();
  for (const { fingerprintHigh, fingerprintLow } of heads) {
    xor(sum, 0, fingerprintHigh, fingerprintLow);
  }
  const [high = 0, low = 0] = sum;
  if ((high | low) === 0) return;
  core.counts.correctedLeaves += 1;
  core.write([], { corrections: [{ leaf, high, low }] });
}

function checkNode(level: number, index: number, min: number, max: number): void {
  checkCount("level", level, min, max);
  checkCount("index", index, 0, FAN_OUT ** level - 1);
}
