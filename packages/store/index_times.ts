import type { StoredEntry } from "./stored_entry.ts";
import { stampOf } from "./version.ts";

/**
 * The place of an entry in the *expiry* index, in milliseconds since 1970.
 *
 * @returns `undefined` if it does not belong there: tombstones, stripped entries, those without a TTL
 */
export function expiryIndexTime(entry: StoredEntry): number | undefined {
  return entry.stripped || entry.deleted ? undefined : entry.expiresAt;
}

/**
 * The place of an entry in the *reap* index, a stamp: the horizon from which on it may be forgotten
 * (rule 1), a function of the entry alone.
 *
 * @returns `undefined` if it does not belong there (yet): everything that still has its value
 */
export function reapIndexTime(entry: StoredEntry): number | undefined {
  const { version, expiresAt } = entry;
  if (entry.deleted !== true && !entry.stripped) return undefined;
  return expiresAt === undefined ? version.time : Math.max(version.time, stampOf(expiresAt));
}
