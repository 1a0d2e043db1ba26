import type { StoredEntry } from "./stored_entry.ts";

/**
 * Entries by a time, the earliest first: a binary heap from which entries are not taken out when they
 * are replaced, but skipped when they come up. When half of it is of no use any more, it is swept.
 */
export class TimeHeap {
  readonly #timeOf: (entry: StoredEntry) => number | undefined;
  readonly #isHeld: (entry: StoredEntry) => boolean;
  #items: StoredEntry[] = [];
  #stale = 0;

  /**
   * @param timeOf the time of an entry, always the same; those without one do not belong here
   * @param isHeld whether the map still holds this very entry
   */
  constructor(
    timeOf: (entry: StoredEntry) => number | undefined,
    isHeld: (entry: StoredEntry) => boolean,
  ) {
    this.#timeOf = timeOf;
    this.#isHeld = isHeld;
  }

  /** Puts an entry in, if it belongs here. */
  push(entry: StoredEntry): void {
    const time = this.#timeOf(entry);
    if (time === undefined) return;
    const items = this.#items;
    let i = items.length;
    items.push(entry);
    while (i > 0) {
      const above = (i - 1) >>> 1;
      const parent = items[above];
      if (parent === undefined || this.#time(above) <= time) break;
      items[i] = parent;
      i = above;
    }
    items[i] = entry;
  }

  /** Takes note that an entry was replaced or went. */
  spoil(entry: StoredEntry): void {
    if (this.#timeOf(entry) === undefined) return;
    this.#stale += 1;
    if (this.#stale <= this.#items.length / 2 + 64) return;
    const items = this.#items.filter(this.#isHeld);
    this.#items = [];
    this.#stale = 0;
    for (const item of items) this.push(item);
  }

  /** The earliest time; `undefined` if nothing is here. */
  first(): number | undefined {
    for (;;) {
      const [item] = this.#items;
      if (item === undefined) return undefined;
      if (this.#isHeld(item)) return this.#timeOf(item);
      this.#pop();
      this.#stale -= 1;
    }
  }

  /** At most `limit` entries up to a time, the earliest first. They stay. */
  due(upTo: number, limit: number): StoredEntry[] {
    const found: StoredEntry[] = [];
    while (found.length < limit) {
      const time = this.first();
      const [item] = this.#items;
      if (time === undefined || item === undefined || time > upTo) break;
      found.push(item);
      this.#pop();
    }
    for (const item of found) this.push(item);
    return found;
  }

  #pop(): void {
    const items = this.#items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return;
    const time = this.#timeOf(last) ?? 0;
    let i = 0;
    for (;;) {
      let below = 2 * i + 1;
      if (below + 1 < items.length && this.#time(below + 1) < this.#time(below)) below += 1;
      const child = items[below];
      if (child === undefined || this.#time(below) >= time) break;
      items[i] = child;
      i = below;
    }
    items[i] = last;
  }

  #time(i: number): number {
    const item = this.#items[i];
    return (item && this.#timeOf(item)) ?? Infinity;
  }
}
