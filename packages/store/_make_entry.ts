import { type EntryMarks, NO_BYTES, StoredEntry, type StoredEntryFields } from "./stored_entry.ts";
import { hashContent, hashFingerprint, hashKey, lastHash } from "./hash.ts";
import type { Content } from "./hash.ts";
import type { Version } from "./version.ts";
import { checkKey } from "./_check.ts";

/**
 * Makes the entry that a map stores, with all its hashes.
 *
 * @param content what the entry says; its bytes are taken as they are, not copied
 * @throws {InputTypeError | InputRangeError} if the key is no key
 */
export function makeEntry(
  key: string,
  content: Content & { readonly version: Version; readonly counter: number },
): StoredEntry {
  hashContent(content);
  const marks = newMarks(content.counter, lastHash[0] ?? 0, lastHash[1] ?? 0);
  checkKey(key);
  return finishEntry({ ...content, key }, marks);
}

/** Marks that {@linkcode finishEntry} completes. */
export type UnfinishedMarks = { -readonly [name in keyof EntryMarks]: EntryMarks[name] };

/** Marks without the hashes of the key. */
export function newMarks(
  counter: number,
  hashHigh: number,
  hashLow: number,
  stripped = false,
): UnfinishedMarks {
  return {
    keyHash: 0,
    hashHigh,
    hashLow,
    fingerprintHigh: 0,
    fingerprintLow: 0,
    counter,
    stripped,
  };
}

/** The last step: hashes the key, mostly again, and the fingerprint. */
export function finishEntry(fields: StoredEntryFields, marks: UnfinishedMarks): StoredEntry {
  const { version } = fields;
  hashKey(fields.key);
  marks.keyHash = lastHash[0] ?? 0;
  hashFingerprint(version.time, version.node, marks.hashHigh, marks.hashLow);
  marks.fingerprintHigh = lastHash[0] ?? 0;
  marks.fingerprintLow = lastHash[1] ?? 0;
  return new StoredEntry(fields, marks);
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
