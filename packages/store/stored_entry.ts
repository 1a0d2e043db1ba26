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

/** What a {@linkcode StoredEntry} is made from. An engine that reads a record gives all of it back. */
export interface StoredEntryFields extends Head {
  readonly value: Uint8Array;
  readonly contentType?: string | undefined;
  readonly expiresAt?: number | undefined;
  readonly deleted?: boolean | undefined;
  readonly extra?: Uint8Array | undefined;

  /** The value of the map's counter when this entry was applied. */
  readonly counter: number;

  /** Whether it expired and its value, type and unknown fields were dropped (rule 10). */
  readonly stripped?: boolean | undefined;
}

/** The value of everything that has none. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/**
 * An entry as a map and its engine hold it. To a user it is an {@linkcode Entry} and nothing else:
 * what the map keeps beside it (hashes, counter, links) is private, so two replicas' entries are
 * deeply equal when they hold the same, and printing one shows what it says.
 *
 * All numbers but `counter` are signed 32-bit integers, which V8 keeps without a box.
 */
export class StoredEntry implements Entry, Head {
  readonly key: string;
  value: Uint8Array;
  readonly version: Version;
  declare readonly contentType?: string;
  declare readonly expiresAt?: number;
  declare readonly deleted?: true;
  declare readonly extra?: Uint8Array;

  readonly #keyHash: number;
  readonly #hashHigh: number;
  readonly #hashLow: number;
  readonly #fingerprintHigh: number;
  readonly #fingerprintLow: number;
  readonly #counter: number;
  readonly #stripped: boolean;
  #older: StoredEntry | undefined = undefined;
  #newer: StoredEntry | undefined = undefined;

  constructor(fields: StoredEntryFields) {
    this.key = fields.key;
    this.value = fields.value;
    this.version = fields.version;
    this.#keyHash = fields.keyHash;
    this.#hashHigh = fields.hashHigh;
    this.#hashLow = fields.hashLow;
    this.#fingerprintHigh = fields.fingerprintHigh;
    this.#fingerprintLow = fields.fingerprintLow;
    this.#counter = fields.counter;
    this.#stripped = fields.stripped === true;
    if (fields.contentType !== undefined) this.contentType = fields.contentType;
    if (fields.expiresAt !== undefined) this.expiresAt = fields.expiresAt;
    if (fields.deleted === true) this.deleted = true;
    if (fields.extra !== undefined) this.extra = fields.extra;
  }

  get keyHash(): number {
    return this.#keyHash;
  }

  get hashHigh(): number {
    return this.#hashHigh;
  }

  get hashLow(): number {
    return this.#hashLow;
  }

  get fingerprintHigh(): number {
    return this.#fingerprintHigh;
  }

  get fingerprintLow(): number {
    return this.#fingerprintLow;
  }

  /** The value of the map's counter when this entry was applied here. */
  get counter(): number {
    return this.#counter;
  }

  /** Whether it expired and its value, type and unknown fields were dropped (rule 10). */
  get stripped(): boolean {
    return this.#stripped;
  }

  /** The content hash as 8 bytes, big-endian. */
  get hash(): Uint8Array {
    return toBytes(this.#hashHigh, this.#hashLow);
  }

  /** Puts the same bytes at another place: for an engine that moves its values in memory. */
  move(value: Uint8Array): void {
    this.value = value;
  }

  /** The neighbours in the change list of an engine that keeps entries in memory. */
  get older(): StoredEntry | undefined {
    return this.#older;
  }

  set older(entry: StoredEntry | undefined) {
    this.#older = entry;
  }

  get newer(): StoredEntry | undefined {
    return this.#newer;
  }

  set newer(entry: StoredEntry | undefined) {
    this.#newer = entry;
  }
}
