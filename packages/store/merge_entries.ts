/**
 * Who wins. Every replica keeps the greatest entry of a key in one total order (rule 5), so it does not
 * matter in which order, how often, or along which ways entries arrive: the greatest of a set is the
 * same however the set is walked. That is all there is to convergence here.
 *
 * The order: `time`, then `node` as bytes, then, which only happens when something is broken (a copied
 * disk, a bug), a tombstone over a value, then the bytes of the canonical encoding. Without the last two,
 * two replicas that hold different bytes under one version would disagree for ever.
 *
 * One wrinkle: an entry that has expired drops its value and keeps its hash (rule 10), and bytes that are
 * gone cannot be compared. The encoding begins with `deleted` and `expiresAt`, so two entries that agree
 * in both expire together; among those, one that was stripped counts as greater than one that was not
 * (its time has come, so the other's has too), and two stripped ones compare by hash. Stripping then
 * only moves an entry up in the order, and the greatest is still the greatest. One that had nothing to drop
 * does not count as stripped, whoever holds it: it is the least of all that agree with it so far.
 *
 * Why not vector clocks or siblings: a client that stores JSON under a key has no use for two values,
 * and a rule that people can say in one sentence is worth more here than the writes it drops.
 * Further reading: Shapiro et al., "Conflict-free Replicated Data Types" (2011), on LWW registers.
 *
 * @module
 */
import { hashOf, isStripped } from "./content_hash.ts";
import type { Entry } from "./entry.ts";
import { NO_BYTES } from "./stored_entry.ts";
import { compareBytes } from "./_compare_bytes.ts";
import { compareKeys } from "./compare_keys.ts";
import { compareVersions } from "./version.ts";

/**
 * The one of two entries of a key that every replica keeps.
 *
 * @returns `a` or `b`; `a` if they are equal
 *
 * @example
 * ```ts
 * import { mergeEntries } from "@dnd/store";
 *
 * const value = new Uint8Array();
 * const a = { key: "k", value, version: { time: 1, node: "a" } };
 * const b = { key: "k", value, version: { time: 2, node: "b" } };
 * const winner = mergeEntries(a, b); // b, and mergeEntries(b, a) is b too
 * ```
 */
export function mergeEntries<A extends Entry, B extends Entry>(a: A, b: B): A | B {
  return compareEntries(a, b) >= 0 ? a : b;
}

/**
 * Compares two entries of one key in the total order of rule 5.
 *
 * @returns a negative number if `b` wins, a positive one if `a` does, 0 if they are equal
 */
export function compareEntries(a: Entry, b: Entry): number {
  const order =
    compareVersions(a.version, b.version) ||
    Number(a.deleted === true) - Number(b.deleted === true) ||
    (a.expiresAt ?? 0) - (b.expiresAt ?? 0);
  if (order !== 0) return order;
  const strippedA = isStripped(a);
  const strippedB = isStripped(b);
  if (!strippedA && !strippedB) return compareContents(a, b);
  const byHash = compareBytes(hashOf(a), hashOf(b));
  if (byHash === 0 || strippedA === strippedB) return byHash;
  return strippedA ? 1 : -1;
}

/** Compares the encodings of two contents that agree in `deleted` and `expiresAt`, field by field. */
function compareContents(a: Entry, b: Entry): number {
  const { contentType: typeA = "", extra: extraA = NO_BYTES } = a;
  const { contentType: typeB = "", extra: extraB = NO_BYTES } = b;
  return (
    typeA.length - typeB.length ||
    extraA.length - extraB.length ||
    compareKeys(typeA, typeB) ||
    compareBytes(extraA, extraB) ||
    compareBytes(a.value, b.value)
  );
}
