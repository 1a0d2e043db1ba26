import type { Entry } from "./entry.ts";
import type { Version } from "./version.ts";
import { toBytes } from "./hash.ts";

/** What an engine knows of an entry without reading its value: enough to compare two replicas. */
export interface Head {
  readonly key: string;
  readonly version: Version;

  /** The upper 32 bits of the key's hash, as a signed integer: its place in the digest tree. */
  readonly keyHash: number;

  /** The content hash, as two signed 32-bit halves. */
  readonly hashHigh: number;
  readonly hashLow: number;

  /** The fingerprint, as two signed 32-bit halves: what the leaf sums are made of. */
  readonly fingerprintHigh: number;
  readonly fingerprintLow: number;
}

/** What a {@linkcode StoredEntry} says. */
export interface StoredEntryFields {
  readonly key: string;
  readonly value: Uint8Array;
  readonly version: Version;
  readonly contentType?: string | undefined;
  readonly expiresAt?: number | undefined;
  readonly deleted?: boolean | undefined;
  readonly extra?: Uint8Array | undefined;
}

/** What a map keeps beside it. An engine that reads a record gives all of it back. */
export interface EntryMarks extends Omit<Head, "key" | "version"> {
  /** The value of the map's counter when this entry was applied. */
  readonly counter: number;

  /** Whether it expired and its value, type and unknown fields were dropped (rule 10). */
  readonly stripped: boolean;
}

/** The value of everything that has none. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/**
 * An entry as a map and its engine hold it. To a user it is an {@linkcode Entry} and nothing else:
 * what the map keeps beside it (hashes, counter) is private, so two replicas' entries are
 * deeply equal when they hold the same, and printing one shows what it says.
 *
 * All marks but `counter` are signed 32-bit integers, which V8 keeps without a box.
 */
export class StoredEntry implements Entry, Head {
  // Declared, not defined: the constructor puts them in, and each definition would cost it a store more.
  declare readonly key: string;
  declare value: Uint8Array;
  declare readonly version: Version;
  declare readonly contentType?: string;
  declare readonly expiresAt?: number;
  declare readonly deleted?: true;
  declare readonly extra?: Uint8Array;

  // One field, not seven: V8 takes about 150 ns for each private field that it defines.
  readonly #marks: EntryMarks;

  /** @param marks kept as they are, so do not change them any more */
  constructor(fields: StoredEntryFields, marks: EntryMarks) {
    this.key = fields.key;
    this.value = fields.value;
    this.version = fields.version;
    this.#marks = marks;
    if (fields.contentType !== undefined) this.contentType = fields.contentType;
    if (fields.expiresAt !== undefined) this.expiresAt = fields.expiresAt;
    if (fields.deleted) this.deleted = true;
    if (fields.extra !== undefined) this.extra = fields.extra;
  }

  get keyHash(): number {
    return this.#marks.keyHash;
  }

  get hashHigh(): number {
    return this.#marks.hashHigh;
  }

  get hashLow(): number {
    return this.#marks.hashLow;
  }

  get fingerprintHigh(): number {
    return this.#marks.fingerprintHigh;
  }

  get fingerprintLow(): number {
    return this.#marks.fingerprintLow;
  }

  /** The value of the map's counter when this entry was applied here. */
  get counter(): number {
    return this.#marks.counter;
  }

  /** Whether it expired and its value, type and unknown fields were dropped (rule 10). */
  get stripped(): boolean {
    return this.#marks.stripped;
  }

  /** Everything that the map keeps beside what the entry says. */
  get marks(): EntryMarks {
    return this.#marks;
  }

  /** The content hash as 8 bytes, big-endian. */
  get hash(): Uint8Array {
    return toBytes([this.#marks.hashHigh, this.#marks.hashLow]);
  }

  /** Puts the same bytes at another place: for an engine that makes its own copy of them. */
  move(value: Uint8Array): void {
    this.value = value;
  }
}
