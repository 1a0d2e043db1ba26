// Bounds and layouts that nobody outside sees. In a file without imports, where bundlers put the numbers
// themselves in their places.

/** Rows of a page. */
export const PAGE_BITS = 10;
export const PAGE_MASK = 1023;

// A row is 64 bytes, a line of the processor's cache: three numbers of 8 bytes, ten of 4.
export const TIME = 0;
export const COUNTER = 1;
/** 0: never. */
export const EXPIRES = 2;
export const KEY_HASH = 6;
export const HASH_HIGH = 7;
export const HASH_LOW = 8;
export const FINGERPRINT_HIGH = 9;
export const FINGERPRINT_LOW = 10;
export const FLAGS = 11;
export const OLDER = 12;
export const NEWER = 13;
/** Where the value is: see `ValueSlabs`. */
export const SLAB = 14;
export const SPAN = 15;

export const DELETED = 1;
export const STRIPPED = 2;
export const EXPIRING = 4;

/** Rows looked at with each write while the slabs are being swept. */
export const MOVES = 4;

/** No row. */
export const NONE = -1;

/** Values up to this length share slabs; longer ones have a buffer of their own. */
export const MAX_SMALL_BYTES = 1024;
export const LENGTH_BITS = 11;
export const LENGTH_MASK = 2047;

/** Slabs begin small, for small maps, and double up to this. */
export const MAX_SLAB_BYTES = 65536;

/** Waste that is not worth a sweep, in bytes. */
export const SLACK = 1048576;

/** The slab of values in buffers of their own. */
export const LARGE = 0;

/** How far each commit lifts the ceiling above the clock (rule 7), in stamps: 250 ms. */
export const CEILING_LEAD = 1024000;

/** Node names that refused entries are counted under, before the rest is counted as one. */
export const MAX_NAMES = 64;

/** Entries forgotten or stripped in one batch. */
export const SLICE = 1000;

/** Entries read at a time, where many of them may be of no interest. */
export const PAGE = 1000;

/**
 * A batch is written when it has so many changes, however many entries are merged in one call. In memory a
 * batch is nothing that survives together, and what it is made of should die young.
 */
export const MAX_CHANGES = 4096;
export const MAX_CHANGES_IN_MEMORY = 32;
