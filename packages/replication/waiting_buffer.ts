import type { Entry } from "@dnd/store";
import { compareVersions, msOf } from "@dnd/store";

/**
 * Entries whose stamps are a little early wait here until trusted time has come up to them (rule 8): a
 * clock that is two seconds ahead delays its node's writes at the others, and loses none.
 */
export class WaitingBuffer {
  readonly #limit: number;
  readonly #entries = new Map<string, { entry: Entry; from: string }>();

  constructor(options: { readonly waitingEntries: number }) {
    this.#limit = options.waitingEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @returns `false` if the buffer is full: the next exchange brings the entry again */
  add(entry: Entry, from: string): boolean {
    const held = this.#entries.get(entry.key);
    if (held === undefined && this.#entries.size >= this.#limit) return false;
    if (held === undefined || compareVersions(entry.version, held.entry.version) > 0) {
      this.#entries.set(entry.key, { entry, from });
    }
    return true;
  }

  /** Takes out what is not early any more. */
  take(upToMs: number): { readonly entry: Entry; readonly from: string }[] {
    const due: { entry: Entry; from: string }[] = [];
    for (const [key, item] of this.#entries) {
      if (msOf(item.entry.version.time) > upToMs) continue;
      this.#entries.delete(key);
      due.push(item);
    }
    return due;
  }

  /** The earliest moment at which something is due; `undefined` if nothing waits. */
  nextMs(): number | undefined {
    let next: number | undefined;
    for (const { entry } of this.#entries.values()) {
      const ms = msOf(entry.version.time);
      if (next === undefined || ms < next) next = ms;
    }
    return next;
  }
}
