import { NO_BYTES, StoredEntry, type StoredEntryFields } from "./stored_entry.ts";
import { hashContent, hashFingerprint, hashKey, lastHash } from "./hash.ts";

/**
 * Makes the entry that a map stores, with all its hashes.
 *
 * @param fields what the entry says, with a good key; its bytes are taken as they are, not copied
 */
export function makeEntry(fields: StoredEntryFields, counter: number): StoredEntry {
  hashContent(fields);
  return finishEntry(fields, counter, lastHash[0] ?? 0, lastHash[1] ?? 0);
}

/** The same with a content hash that is known: hashes the key, mostly again, and the fingerprint. */
export function finishEntry(
  fields: StoredEntryFields,
  counter: number,
  hashHigh: number,
  hashLow: number,
  stripped = false,
): StoredEntry {
  const { key, version } = fields;
  hashKey(key);
  const keyHash = lastHash[0] ?? 0;
  hashFingerprint(version.time, version.node, hashHigh, hashLow);
  return new StoredEntry(fields, {
    keyHash,
    hashHigh,
    hashLow,
    fingerprintHigh: lastHash[0] ?? 0,
    fingerprintLow: lastHash[1] ?? 0,
    counter,
    stripped,
  });
}

/**
 * What is left of an entry when it has expired: key, version, expiry and content hash (rule 10). Its
 * fingerprint stays, so the digest does.
 */
export function stripEntry(entry: StoredEntry): StoredEntry {
  const { key, version, expiresAt, marks } = entry;
  return new StoredEntry(
    { key, value: NO_BYTES, version, expiresAt },
    { ...marks, stripped: true },
  );
}
