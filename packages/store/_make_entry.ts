import { type Head, NO_BYTES, StoredEntry } from "./stored_entry.ts";
import { hashContent, hashFingerprint, lastHash } from "./hash.ts";
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
  const hashHigh = lastHash[0] ?? 0;
  const hashLow = lastHash[1] ?? 0;
  checkKey(key);
  return finishEntry(key, content, { keyHash: lastHash[0] ?? 0, hashHigh, hashLow });
}

/** The hashes that {@linkcode finishEntry} needs. */
export type KnownHashes = Pick<Head, "keyHash" | "hashHigh" | "hashLow">;

/** The last step: `hashKey(key)` must have been the last one to hash a key. */
export function finishEntry(
  key: string,
  content: Content & {
    readonly version: Version;
    readonly counter: number;
    readonly stripped?: boolean;
  },
  { keyHash, hashHigh, hashLow }: KnownHashes,
): StoredEntry {
  const { version } = content;
  hashFingerprint(version.time, version.node, hashHigh, hashLow);
  return new StoredEntry({
    key,
    value: content.value,
    version,
    contentType: content.contentType,
    expiresAt: content.expiresAt,
    deleted: content.deleted,
    extra: content.extra,
    keyHash,
    hashHigh,
    hashLow,
    fingerprintHigh: lastHash[0] ?? 0,
    fingerprintLow: lastHash[1] ?? 0,
    counter: content.counter,
    stripped: content.stripped,
  });
}

/**
 * What is left of an entry when it has expired: key, version, expiry and content hash (rule 10). Its
 * fingerprint stays, so the digest does.
 */
export function stripEntry(entry: StoredEntry): StoredEntry {
  const { key, version, keyHash, hashHigh, hashLow, fingerprintHigh, fingerprintLow } = entry;
  return new StoredEntry({
    key,
    value: NO_BYTES,
    version,
    expiresAt: entry.expiresAt,
    keyHash,
    hashHigh,
    hashLow,
    fingerprintHigh,
    fingerprintLow,
    counter: entry.counter,
    stripped: true,
  });
}
