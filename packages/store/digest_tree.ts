/**
 * The digest: what two replicas hold, in 33,825 sums, so that what differs is found at a cost of what
 * differs.
 *
 * Keys are spread by their hash over a tree with 32 children a level: level 0 is the root, level 1 has
 * 32 nodes, level 2 has 1,024 (the partitions of the ring), level 3 has the 32,768 leaves. A leaf is the
 * XOR of the fingerprints of its entries, an inner node the XOR of its children. Putting an entry in and
 * taking it out are the same operation, independent of order, and change one path: four sums.
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

// Nodes are numbered level by level, as in a heap: 0, 1 to 32, 33 to 1,056, 1,057 to 33,824. The parent of a
// node is (node - 1) / 32.
const FIRST_LEAF = 1057;
const NODES = 33825;

/**
 * The sums of the tree. All numbers are signed 32-bit halves of 64-bit sums.
 */
export class DigestTree {
  /** `[high, low]` of each node, level by level. */
  readonly #sums: Int32Array = new Int32Array(2 * NODES);

  /** @param leafSums `[high, low]` of each leaf; the inner nodes follow from them */
  constructor(leafSums: Int32Array = new Int32Array(0)) {
    for (let leaf = 0; leaf < LEAF_COUNT; leaf += 1) {
      const high = leafSums[2 * leaf] ?? 0;
      const low = leafSums[2 * leaf + 1] ?? 0;
      if ((high | low) !== 0) this.toggle(leaf, high, low);
    }
  }

  /** Puts a fingerprint into a leaf, or takes it out. */
  toggle(leaf: number, high: number, low: number): void {
    const sums = this.#sums;
    for (let node = FIRST_LEAF + leaf; node >= 0; node = (node - 1) >> 5) {
      sums[2 * node] = (sums[2 * node] ?? 0) ^ high;
      sums[2 * node + 1] = (sums[2 * node + 1] ?? 0) ^ low;
    }
  }

  /** `[high, low]` of so many nodes of a level, 0 to 3, from an index on: a view, not a copy. */
  sums(level: number, index: number, count: number = 1): Int32Array {
    const at = 2 * ((FAN_OUT ** level - 1) / (FAN_OUT - 1) + index);
    return this.#sums.subarray(at, at + 2 * count);
  }
}
