import type { Entry } from "@dnd/store";
import { compareVersions, msOf } from "@dnd/store";
import { entryBytes } from "./entry_bytes.ts";

/** Bytes that wait at most: a node whose clock is seconds ahead may write large values. */
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * Entries whose stamps are a little early wait here until trusted time has come up to them (rule 8): a
 * clock that is two seconds ahead delays its node's writes at the others, and loses none.
 */
export class WaitingBuffer {
  readonly #limit: number;
  readonly #entries = new Map<string, { entry: Entry; from: string }>();
  #bytes = 0;

  constructor(options: { readonly waitingEntries: number }) {
    this.#limit = options.waitingEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** About what waits takes in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @returns `false` if the buffer is full: the next exchange brings the entry again */
  add(entry: Entry, from: string): boolean {
    const held = this.#entries.get(entry.key);
    if (held === undefined && this.#entries.size >= this.#limit) return false;
    if (held !== undefined && compareVersions(entry.version, held.entry.version) <= 0) return true;
    const more = entryBytes(entry) - (held === undefined ? 0 : entryBytes(held.entry));
    if (this.#bytes + more > MAX_BYTES) return false;
    this.#bytes += more;
    this.#entries.set(entry.key, { entry, from });
    return true;
  }

  /** Takes out what is not early any more. */
  take(upToMs: number): { readonly entry: Entry; readonly from: string }[] {
    const due: { entry: Entry; from: string }[] = [];
    for (const [key, item] of this.#entries) {
      if (msOf(item.entry.version.time) > upToMs) continue;
      this.#entries.delete(key);
      this.#bytes -= entryBytes(item.entry);
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
