/** The longest key, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 1024;

/** The largest value that a replica must take (rule 4), in bytes. */
export const MAX_VALUE_BYTES: number = 16 * 1024 * 1024;

/** The longest content type, in bytes. */
export const MAX_CONTENT_TYPE_BYTES = 255;

/** The most bytes of unknown fields that an entry may carry. */
export const MAX_EXTRA_BYTES: number = 64 * 1024;

/** The longest TTL: 100 years, in milliseconds. */
export const MAX_TTL_MS: number = 100 * 365.25 * 24 * 3600 * 1000;

/** The latest moment that `Date` knows: no `expiresAt` lies beyond, in milliseconds since 1970. */
export const MAX_EXPIRES_AT_MS = 8.64e15;

/** The moment at which stamps begin: 2026-01-01T00:00:00Z, in milliseconds since 1970. */
export const TIME_ORIGIN_MS = 1_767_225_600_000;

/** Stamps that fit into one millisecond; the counter takes the lowest 12 bits of a stamp. */
export const STAMPS_PER_MS = 4096;

/** The largest stamp that a version may carry: the largest safe integer, in the year 2095. */
export const MAX_STAMP: number = Number.MAX_SAFE_INTEGER;
