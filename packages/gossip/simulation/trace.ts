import type { Parcel } from "./parcel.ts";

/**
 * A running hash over everything that happened, in order: two runs with the same trace hash did the
 * same things at the same times (FNV-1a, two lanes of 32 bits).
 */
export class Trace {
  #a = 0x811c9dc5;
  #b = 0x01000193;

  /** Events folded in. */
  count = 0;

  /** Folds in one event: when, what, and its bytes if it has any; of a parcel its length. */
  add(at: number, what: number, load?: Uint8Array | Parcel): void {
    this.count += 1;
    this.#fold(Math.floor(at * 1000) | 0);
    this.#fold(what);
    if (load === undefined) return;
    if (load instanceof Uint8Array) {
      let a = this.#a;
      for (let i = 0; i < load.length; i += 1) a = Math.imul(a ^ (load[i] as number), 0x01000193);
      this.#a = a;
    }
    this.#fold(load.length);
  }

  #fold(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x01000193);
    this.#b = (Math.imul(this.#b ^ this.#a, 0x85ebca6b) ^ (this.#a >>> 15)) | 0;
  }

  /** 16 hex digits. */
  get hash(): string {
    return [this.#a, this.#b].map((lane) => (lane >>> 0).toString(16).padStart(8, "0")).join("");
  }
}
