import { MAX_STAMP, STAMPS_PER_MS, TIME_ORIGIN_MS } from "./limits.ts";

/**
 * When an entry was written, and by whom. No two entries of one node share a version.
 */
export interface Version {
  /**
   * A hybrid logical clock in one safe integer: `(milliseconds since 2026-01-01) * 4096 + counter`.
   * Versions compare by it first, with `<`.
   */
  readonly time: number;

  /** The id of the node that took the write: 1 to 32 characters of `[a-z0-9]`. */
  readonly node: string;
}

/**
 * Compares two versions: by time, then by node id as bytes (rule 5).
 *
 * @returns a negative number if `a` is the earlier one, a positive one if `b` is, 0 if they are equal
 *
 * @example
 * ```ts
 * import { compareVersions } from "@dnd/store";
 *
 * const winner = compareVersions({ time: 2, node: "a" }, { time: 1, node: "b" }) > 0 ? "a" : "b"; // "a"
 * ```
 */
export function compareVersions(a: Version, b: Version): number {
  // ids are ASCII: code units compare as bytes do
  return a.time - b.time || +(a.node > b.node) - +(a.node < b.node);
}

/**
 * The first stamp of a millisecond. Moments before 2026-01-01 count as it.
 *
 * @param ms milliseconds since 1970
 * @returns a stamp, as in {@linkcode Version.time}; at most {@linkcode MAX_STAMP}
 */
export function stampOf(ms: number): number {
  if (ms <= TIME_ORIGIN_MS) return 0;
  return Math.min((Math.floor(ms) - TIME_ORIGIN_MS) * STAMPS_PER_MS, MAX_STAMP);
}

/**
 * The millisecond in which a stamp lies.
 *
 * @param stamp a stamp, as in {@linkcode Version.time}
 * @returns milliseconds since 1970
 */
export function msOf(stamp: number): number {
  return Math.floor(stamp / STAMPS_PER_MS) + TIME_ORIGIN_MS;
}
