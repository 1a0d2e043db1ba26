import { StoredEntry } from "./stored_entry.ts";
import {
  COUNTER,
  DELETED,
  EXPIRES,
  EXPIRING,
  FINGERPRINT_HIGH,
  FINGERPRINT_LOW,
  FLAGS,
  HASH_HIGH,
  HASH_LOW,
  KEY_HASH,
  MOVES,
  NEWER,
  NONE,
  OLDER,
  PAGE_BITS,
  PAGE_MASK,
  SLAB,
  SPAN,
  STRIPPED,
  TIME,
} from "./_sizes.ts";
import { ValueSlabs } from "./_value_slabs.ts";

/** What many entries have in common, in one object for most of them. */
interface Origin {
  readonly node: string;
  readonly contentType: string | undefined;
  readonly extra: Uint8Array | undefined;
}

/**
 * The entries of a map in memory: each one a row of numbers, its key and origin in arrays, the bytes of its
 * value in a slab. An entry is made of them when somebody asks for it.
 *
 * Kept as objects, an entry is an object, a version, a boxed number and a view of bytes, about 300 bytes
 * that the collector moves twice before it lets them lie: that was a third of the time of a put, and
 * more memory than all that they say.
 *
 * The change log (counter -> key) is a list linked through the rows, because every put takes one out of the
 * middle and adds one at the end, and readers ask for the newest: an array would have to be compacted, a
 * sorted tree searched.
 */
export class EntryRows {
  /** The key of each row; empty for one that is free. */
  readonly keys: string[] = [];

  readonly #origins: (Origin | undefined)[] = [];
  readonly #words: Int32Array[] = [];
  readonly #numbers: Float64Array[] = [];
  readonly #free: number[] = [];
  readonly #values = new ValueSlabs();
  readonly #lastOrigins: Origin[] = [];
  #newest = NONE;

  /** Puts an entry into a new row, at the end of the change log. */
  add(entry: StoredEntry): number {
    const row = this.#free.pop() ?? this.keys.length;
    this.keys[row] = entry.key;
    if (row >> PAGE_BITS === this.#words.length) {
      const buffer = new ArrayBuffer(64 << PAGE_BITS);
      this.#words.push(new Int32Array(buffer));
      this.#numbers.push(new Float64Array(buffer));
    }
    this.#write(row, entry);
    this.#append(row);
    return row;
  }

  /** Puts an entry of the same key into the place of another. One of the same counter keeps its place. */
  replace(row: number, entry: StoredEntry): void {
    const counter = this.counter(row);
    this.#dropValue(row);
    this.#write(row, entry);
    if (entry.counter === counter) return;
    this.#unlink(row);
    this.#append(row);
  }

  /** Takes an entry out; its row may become that of another. */
  remove(row: number): void {
    this.#dropValue(row);
    this.#unlink(row);
    this.keys[row] = "";
    this.#origins[row] = undefined;
    this.#free.push(row);
  }

  #write(row: number, entry: StoredEntry): void {
    const { version, expiresAt = 0, contentType, extra, marks } = entry;
    const { node } = version;
    const numbers = this.#numbers[row >> PAGE_BITS] ?? new Float64Array();
    const words = this.#words[row >> PAGE_BITS] ?? new Int32Array();
    const at = (row & PAGE_MASK) << 4;
    const slot = node.charCodeAt(0);
    let origin = this.#lastOrigins[slot];
    if (origin?.node !== node || origin.contentType !== contentType || origin.extra !== extra) {
      origin = this.#lastOrigins[slot] = { node, contentType, extra };
    }
    this.#origins[row] = origin;
    numbers[(at >> 1) + TIME] = version.time;
    numbers[(at >> 1) + COUNTER] = marks.counter;
    numbers[(at >> 1) + EXPIRES] = expiresAt;
    words[at + KEY_HASH] = marks.keyHash;
    words[at + HASH_HIGH] = marks.hashHigh;
    words[at + HASH_LOW] = marks.hashLow;
    words[at + FINGERPRINT_HIGH] = marks.fingerprintHigh;
    words[at + FINGERPRINT_LOW] = marks.fingerprintLow;
    words[at + FLAGS] =
      (entry.deleted ? DELETED : 0) |
      (marks.stripped ? STRIPPED : 0) |
      (expiresAt > 0 ? EXPIRING : 0);
    this.#keepValue(row, entry.value);
  }

  /** The entry in a row. */
  entry(row: number): StoredEntry {
    const numbers = this.#numbers[row >> PAGE_BITS] ?? new Float64Array();
    const words = this.#words[row >> PAGE_BITS] ?? new Int32Array();
    const at = (row & PAGE_MASK) << 4;
    const origin = this.#origins[row];
    const flags = words[at + FLAGS] ?? 0;
    const expiresAt = numbers[(at >> 1) + EXPIRES] ?? 0;
    return new StoredEntry(
      {
        key: this.keys[row] ?? "",
        value: this.value(row),
        version: { time: numbers[(at >> 1) + TIME] ?? 0, node: origin?.node ?? "" },
        contentType: origin?.contentType,
        expiresAt: expiresAt === 0 ? undefined : expiresAt,
        deleted: (flags & DELETED) !== 0,
        extra: origin?.extra,
      },
      {
        keyHash: words[at + KEY_HASH] ?? 0,
        hashHigh: words[at + HASH_HIGH] ?? 0,
        hashLow: words[at + HASH_LOW] ?? 0,
        fingerprintHigh: words[at + FINGERPRINT_HIGH] ?? 0,
        fingerprintLow: words[at + FINGERPRINT_LOW] ?? 0,
        counter: numbers[(at >> 1) + COUNTER] ?? 0,
        stripped: (flags & STRIPPED) !== 0,
      },
    );
  }

  /** The value of a row, where it lies. */
  value(row: number): Uint8Array {
    return this.#values.view(row, this.#get(row, SLAB), this.#get(row, SPAN));
  }

  /** Whether a row may be in an index of time: it expires, or is a tombstone. */
  isTimed(row: number): boolean {
    return this.#get(row, FLAGS) !== 0;
  }

  counter(row: number): number {
    return this.#numbers[row >> PAGE_BITS]?.[((row & PAGE_MASK) << 3) + COUNTER] ?? 0;
  }

  /** Moves values that lie beside much waste, a few at a time. */
  tidy(): void {
    for (let i = 0; i < MOVES; i += 1) {
      const row = this.#values.next(this.keys.length);
      if (row === NONE) return;
      if (this.keys[row] === "" || !this.#values.isOld(this.#get(row, SLAB))) continue;
      const value = this.value(row);
      this.#dropValue(row);
      this.#keepValue(row, value);
    }
  }

  /** Rows with a counter above `after`, the lowest first: walks back from the newest. */
  changes(after: number, limit: number): number[] {
    let first = NONE;
    for (let row = this.#newest; row !== NONE && this.counter(row) > after;) {
      first = row;
      row = this.#get(row, OLDER);
    }
    const found: number[] = [];
    for (let row = first; row !== NONE && found.length < limit; row = this.#get(row, NEWER)) {
      found.push(row);
    }
    return found;
  }

  #keepValue(row: number, value: Uint8Array): void {
    this.#values.add(row, value);
    this.#set(row, SLAB, this.#values.slab);
    this.#set(row, SPAN, this.#values.span);
  }

  #dropValue(row: number): void {
    this.#values.remove(row, this.#get(row, SLAB), this.#get(row, SPAN));
  }

  #append(row: number): void {
    this.#set(row, OLDER, this.#newest);
    this.#set(row, NEWER, NONE);
    if (this.#newest !== NONE) this.#set(this.#newest, NEWER, row);
    this.#newest = row;
  }

  #unlink(row: number): void {
    const older = this.#get(row, OLDER);
    const newer = this.#get(row, NEWER);
    if (older !== NONE) this.#set(older, NEWER, newer);
    if (newer === NONE) this.#newest = older;
    else this.#set(newer, OLDER, older);
  }

  #get(row: number, word: number): number {
    return this.#words[row >> PAGE_BITS]?.[((row & PAGE_MASK) << 4) + word] ?? 0;
  }

  #set(row: number, word: number, value: number): void {
    const words = this.#words[row >> PAGE_BITS];
    if (words !== undefined) words[((row & PAGE_MASK) << 4) + word] = value;
  }
}
