import {
  LARGE,
  LENGTH_BITS,
  LENGTH_MASK,
  MAX_SLAB_BYTES,
  MAX_SMALL_BYTES,
  SLACK,
} from "./_sizes.ts";
import { NO_BYTES } from "./stored_entry.ts";

/**
 * The bytes of values, copied; small ones packed into slabs. A buffer of its own costs each value an
 * allocation outside of the heap and two objects.
 *
 * A slab lives as long as one value in it: overwritten values would be kept alive by a neighbour that
 * stays. So when more than half of what was handed out is waste, a sweep goes over the rows and moves
 * what is still held to new slabs, a few entries with each write, as the cleaner of a log-structured
 * store does. Slabs are never written to twice, so bytes that somebody still reads stay what they were.
 *
 * A value is found by the number of its slab and its span: where it begins, and its length.
 */
export class ValueSlabs {
  /** By number, rising. */
  readonly #slabs = new Map<number, ArrayBufferLike>();

  /** Values in buffers of their own, by row. */
  readonly #large = new Map<number, Uint8Array>();

  /** Where the last value was put. */
  slab: number = LARGE;
  span: number = 0;

  /** The slab that is being filled, and how far it is. */
  #number = LARGE;
  #filling: Uint8Array = NO_BYTES;
  #at = 0;

  /** Bytes of small values that are held, and that were handed out and not swept since. */
  #held = 0;
  #used = 0;

  /** Of those, the ones handed out before the sweep began; the last slab that is to go. */
  #before = 0;
  #lastOld = LARGE;

  /** The row that a sweep has come to, and the one that it ends at. */
  #cursor = 0;
  #end = 0;

  /** Copies the value of a row; `slab` and `span` say where to. */
  add(row: number, bytes: Uint8Array): void {
    const { length } = bytes;
    this.slab = LARGE;
    this.span = 0;
    if (length > MAX_SMALL_BYTES) this.#large.set(row, new Uint8Array(bytes));
    if (length > MAX_SMALL_BYTES || length === 0) return;
    if (this.#at + length > this.#filling.length) this.#begin();
    const at = this.#at;
    this.#filling.set(bytes, at);
    this.#at = at + length;
    this.#used += length;
    this.#held += length;
    this.slab = this.#number;
    this.span = (at << LENGTH_BITS) | length;
  }

  #begin(): void {
    const size = Math.max(1024, 2 * this.#filling.length);
    this.#filling = new Uint8Array(Math.min(MAX_SLAB_BYTES, size));
    this.#number += 1;
    this.#slabs.set(this.#number, this.#filling.buffer);
    this.#at = 0;
  }

  /** The bytes of a value, without a copy. */
  view(row: number, slab: number, span: number): Uint8Array {
    if (slab === LARGE) return this.#large.get(row) ?? NO_BYTES;
    const buffer = this.#slabs.get(slab) ?? NO_BYTES.buffer;
    return new Uint8Array(buffer, span >>> LENGTH_BITS, span & LENGTH_MASK);
  }

  /** A value goes. */
  remove(row: number, slab: number, span: number): void {
    this.#held -= span & LENGTH_MASK;
    if (slab === LARGE) this.#large.delete(row);
  }

  /** The row that a sweep looks at next; -1 if there is none under way. */
  next(rows: number): number {
    if (this.#cursor < this.#end) return this.#cursor++;
    if (this.#end > 0) {
      for (const number of this.#slabs.keys()) {
        if (number <= this.#lastOld) this.#slabs.delete(number);
      }
      this.#used -= this.#before;
      this.#cursor = this.#end = 0;
    } else if (this.#used > 2 * this.#held + SLACK) {
      this.#lastOld = this.#number;
      this.#before = this.#used;
      this.#end = rows;
      this.#begin();
    }
    return -1;
  }

  /** Whether a value is in a slab that is to go. */
  isOld(slab: number): boolean {
    return slab !== LARGE && slab <= this.#lastOld;
  }
}
