import type { Version } from "./version.ts";

/**
 * What a replica knows about one key: a value or a tombstone, and its version. A decoded wire entry
 * has this shape too, so a map merges it as it comes.
 *
 * Entries that a map gives out belong to the map: read them, never write into them or their bytes.
 */
export interface Entry {
  /** The key: 1 to 1,024 bytes of UTF-8. */
  readonly key: string;

  /** The bytes of the value. Empty for a tombstone and for an entry that has expired. */
  readonly value: Uint8Array;

  /** When it was written, and by whom: decides who wins. */
  readonly version: Version;

  /** The media type of the value: 1 to 255 bytes. Absent: not known. */
  readonly contentType?: string;

  /**
   * When the entry stops being there, in milliseconds since 1970. Absent: never. On a tombstone: it is not
   * forgotten before the horizon has passed this moment too (rule 1).
   */
  readonly expiresAt?: number;

  /** Whether this is a tombstone. Absent counts as `false`. */
  readonly deleted?: boolean;

  /** Fields of a newer protocol that this one does not know, kept and passed on as they came. */
  readonly extra?: Uint8Array;

  /**
   * The content hash: 8 bytes over the canonical encoding of everything but key and version (rule 5).
   * Optional on the way in, where it is checked if there is something to check it against; always
   * there, as an accessor, on what a map gives out. An expired entry whose value was dropped keeps
   * the hash of what it held, so it must travel with the entry.
   */
  readonly hash?: Uint8Array;
}
