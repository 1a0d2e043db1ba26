/**
 * The digest: what two replicas hold, in 33,825 sums, so that what differs is found at a cost of what
 * differs.
 *
 * Keys are spread by their hash over a tree with 32 children a level: level 0 is the root, level 1 has
 * 32 nodes, level 2 has 1,024 (the partitions of the ring), level 3 has the 32,768 leaves. A leaf is the
 * XOR of the fingerprints of its entries, an inner node the XOR of its children. Putting an entry in and
 * taking it out are the same operation, independent of order, and change one path.
 *
 * Why not a hash of the sorted children, as in a Merkle tree: that would prove more (an XOR of chosen
 * fingerprints can be made to cancel, by a member that wants to), but costs a rehash of 32 children at
 * each level and a sorted leaf for each write. Members that hold the ring's key are trusted; clients
 * choose keys and values, but not stamps.
 *
 * Below a leaf the tree goes on by the next 5 bits of the hash, as far as level 6, without sums that are
 * kept: those are made from a listing of the leaf when a leaf has grown above 256 entries (rule 6).
 *
 * @module
 */

import { xor } from "./_xor.ts";

/** Children of a node, and bits of the hash that choose among them: 32 and 5. */
export const FAN_OUT = 32;

/** The level of the leaves; level 0 is the root. */
export const LEAF_LEVEL = 3;

/** The deepest level that a leaf can be split to. */
export const DEEPEST_LEVEL = 6;

/** How many leaves there are. */
export const LEAF_COUNT = 32768;

/** The level whose nodes are the partitions of the ring. */
export const PARTITION_LEVEL = 2;

/**
 * The sums of the tree: those of the leaves and of the root, which every ping carries. What lies between them is
 * asked for by an exchange only, and is made then, of 32 to 32,768 leaves: less than what that costs otherwise.
 * All numbers are signed 32-bit halves of 64-bit sums.
 */
export class DigestTree {
  /** `[high, low]` of each leaf. */
  readonly #leaves: Int32Array = new Int32Array(2 * LEAF_COUNT);
  readonly #root: Int32Array = new Int32Array(2);

  /** @param leafSums `[high, low]` of each leaf */
  constructor(leafSums: Int32Array) {
    this.#leaves.set(leafSums);
    xorAll(leafSums, LEAF_COUNT, this.#root);
  }

  /** Puts a fingerprint into a leaf, or takes it out. */
  toggle(leaf: number, high: number, low: number): void {
    xor(this.#leaves, leaf, high, low);
    xor(this.#root, 0, high, low);
  }

  /** `[high, low]` of so many nodes of a level, 0 to 3, from an index on; not to be changed. */
  sums(level: number, index: number, count: number = 1): Int32Array {
    if (level === 0) return this.#root;
    const width = FAN_OUT ** (LEAF_LEVEL - level);
    const leaves = this.#leaves.subarray(2 * width * index, 2 * width * (index + count));
    return width === 1 ? leaves : xorAll(leaves, width, new Int32Array(2 * count));
  }
}

/** Adds so many sums at a time up into one of others. */
function xorAll(leaves: Int32Array, width: number, sums: Int32Array): Int32Array {
  for (let i = 0; i < leaves.length / 2; i += 1) {
    xor(sums, Math.floor(i / width), leaves[2 * i] ?? 0, leaves[2 * i + 1] ?? 0);
  }
  return sums;
}
