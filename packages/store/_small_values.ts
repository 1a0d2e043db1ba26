import type { ChangeList } from "./_change_list.ts";
import type { StoredEntry } from "./stored_entry.ts";

/** Values up to this length share slabs; longer ones have a buffer of their own. */
const MAX_SMALL = 1024;

/** Slabs begin small, for small maps, and double up to this. */
const MAX_SLAB_BYTES = 64 * 1024;

/** Waste that is not worth a sweep, in bytes. */
const SLACK = 1024 * 1024;

/** Entries moved with each write while a sweep is under way. */
const MOVES = 4;

/**
 * The bytes of small values, packed into slabs. A buffer of its own costs each value an allocation
 * outside of the heap and two objects, which is most of the time and of the memory that a small put
 * takes.
 *
 * A slab lives as long as one value in it: overwritten values would be kept alive by a neighbour that
 * stays. So when more than half of what was handed out is waste, a sweep follows the change list from
 * the oldest entry on and moves what is still held to new slabs, a few entries with each write, as the
 * cleaner of a log-structured store does. Slabs are never written to twice, so bytes that somebody
 * still reads stay what they were.
 */
export class SmallValues {
  readonly #log: ChangeList;
  #slab: ArrayBuffer = new ArrayBuffer(0);
  #at = 0;
  /** Bytes of small values that are held. */
  #held = 0;
  /** Bytes handed out and not swept since. */
  #used = 0;
  /** Of those, the ones handed out before the sweep began. */
  #before = 0;
  #cursor: StoredEntry | undefined;
  #lastCounter = 0;

  constructor(log: ChangeList) {
    this.#log = log;
  }

  /** A copy of some bytes. */
  keep(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    if (length > MAX_SMALL) return new Uint8Array(bytes);
    if (this.#at + length > this.#slab.byteLength) {
      this.#slab = new ArrayBuffer(
        Math.min(MAX_SLAB_BYTES, 2 * Math.max(1024, this.#slab.byteLength)),
      );
      this.#at = 0;
    }
    const copy = new Uint8Array(this.#slab, this.#at, length);
    copy.set(bytes);
    this.#at += length;
    this.#used += length;
    return copy;
  }

  /** An entry was put in. */
  added(entry: StoredEntry): void {
    const { length } = entry.value;
    if (length <= MAX_SMALL) this.#held += length;
    if (this.#cursor !== undefined) this.#sweep();
    else if (this.#used > 2 * this.#held + SLACK) this.#begin(entry.counter);
  }

  /** An entry will be taken out, or replaced by another one in its place. */
  removing(entry: StoredEntry): void {
    const { length } = entry.value;
    if (length <= MAX_SMALL) this.#held -= length;
    if (this.#cursor === entry) this.#cursor = entry.newer;
  }

  #begin(counter: number): void {
    this.#cursor = this.#log.oldest;
    this.#lastCounter = counter;
    this.#before = this.#used;
    this.#at = this.#slab.byteLength; // begins a new slab: the old ones are to go
  }

  #sweep(): void {
    for (let i = 0; i < MOVES; i += 1) {
      const entry = this.#cursor;
      if (entry === undefined || entry.counter > this.#lastCounter) {
        this.#cursor = undefined;
        this.#used -= this.#before;
        return;
      }
      const { length } = entry.value;
      if (length > 0 && length <= MAX_SMALL) entry.move(this.keep(entry.value));
      this.#cursor = entry.newer;
    }
  }
}
