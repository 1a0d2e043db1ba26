/** XORs two halves into those of a node. */
export function xor(sums: Int32Array, node: number, high: number, low: number): void {
  sums[2 * node] = (sums[2 * node] ?? 0) ^ high;
  sums[2 * node + 1] = (sums[2 * node + 1] ?? 0) ^ low;
}
