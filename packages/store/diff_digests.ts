import { compareBytes } from "./_compare_bytes.ts";
import { FAN_OUT, LEAF_LEVEL } from "./digest_tree.ts";

/** A digest as another replica shows it: the 32 sums below a node, 8 bytes each. */
export interface DigestView {
  digestChildren(level: number, index: number): Uint8Array;
}

/**
 * The difference of two digests: walks down only where they differ.
 *
 * @param level where to stop: 3 (default), the leaves, or 1 or 2
 * @returns the indexes of the nodes of that level that differ, rising
 *
 * @example
 * ```ts
 * import { diffDigests, VersionedMap } from "@dnd/store";
 *
 * const a = new VersionedMap({ node: "a" });
 * const b = new VersionedMap({ node: "b" });
 * a.put("key", new Uint8Array([1]), { now: 1_800_000_000_000 });
 * const leaves = diffDigests(a, b);
 * const missing = leaves.flatMap((leaf) => a.digestEntries(3, leaf)).map((head) => head.key); // ["key"]
 * ```
 */
export function diffDigests(a: DigestView, b: DigestView, level: number = LEAF_LEVEL): number[] {
  let differing = [0];
  for (let depth = 0; depth < level; depth += 1) {
    differing = differing.flatMap((index) =>
      diffChildren(a.digestChildren(depth, index), b.digestChildren(depth, index)).map(
        (child) => index * FAN_OUT + child,
      ),
    );
  }
  return differing;
}

/**
 * Compares the 32 sums below a node with those of another replica.
 *
 * @returns the numbers of the children that differ, 0 to 31, rising
 */
export function diffChildren(a: Uint8Array, b: Uint8Array): number[] {
  const differing: number[] = [];
  for (let child = 0; child < FAN_OUT; child += 1) {
    const [start, end] = [8 * child, 8 * child + 8];
    if (compareBytes(a.subarray(start, end), b.subarray(start, end)) !== 0) differing.push(child);
  }
  return differing;
}
