import type { StoredEntry } from "./stored_entry.ts";

/**
 * Entries by a time, the earliest first: a binary heap from which entries are not taken out when they
 * are replaced, but skipped when they come up. When half of it is of no use any more, it is swept.
 */
export class TimeHeap {
  readonly #isHeld: (entry: StoredEntry) => boolean;
  #times: number[] = [];
  #items: StoredEntry[] = [];
  #stale = 0;

  /** @param isHeld whether the map still holds this very entry */
  constructor(isHeld: (entry: StoredEntry) => boolean) {
    this.#isHeld = isHeld;
  }

  push(time: number, entry: StoredEntry): void {
    let i = this.#times.length;
    this.#times.push(time);
    this.#items.push(entry);
    while (i > 0) {
      const parent = (i - 1) >>> 1;
      if ((this.#times[parent] ?? 0) <= time) break;
      this.#swap(i, parent);
      i = parent;
    }
  }

  /** Takes note that one of the entries here was replaced or went. */
  spoil(): void {
    this.#stale += 1;
    if (this.#stale <= this.#times.length / 2 + 64) return;
    const kept = this.#items.flatMap((item, i) =>
      this.#isHeld(item) ? [{ item, time: this.#times[i] ?? 0 }] : [],
    );
    this.#times = [];
    this.#items = [];
    this.#stale = 0;
    for (const { item, time } of kept) this.push(time, item);
  }

  /** The earliest time; `undefined` if nothing is here. */
  first(): number | undefined {
    for (;;) {
      const item = this.#items[0];
      if (item === undefined) return undefined;
      if (this.#isHeld(item)) return this.#times[0];
      this.#pop();
      this.#stale -= 1;
    }
  }

  /** At most `limit` entries up to a time, the earliest first. They stay. */
  due(upTo: number, limit: number): StoredEntry[] {
    const found: StoredEntry[] = [];
    const times: number[] = [];
    while (found.length < limit) {
      const time = this.first();
      const item = this.#items[0];
      if (time === undefined || item === undefined || time > upTo) break;
      found.push(item);
      times.push(time);
      this.#pop();
    }
    found.forEach((item, i) => this.push(times[i] ?? 0, item));
    return found;
  }

  #pop(): void {
    const time = this.#times.pop();
    const item = this.#items.pop();
    const size = this.#times.length;
    if (time === undefined || item === undefined || size === 0) return;
    this.#times[0] = time;
    this.#items[0] = item;
    for (let i = 0; ;) {
      let child = 2 * i + 1;
      if (child >= size) return;
      if (child + 1 < size && (this.#times[child + 1] ?? 0) < (this.#times[child] ?? 0)) child += 1;
      if ((this.#times[child] ?? 0) >= time) return;
      this.#swap(i, child);
      i = child;
    }
  }

  #swap(i: number, j: number): void {
    const time = this.#times[i] ?? 0;
    const item = this.#items[i];
    const other = this.#items[j];
    if (item === undefined || other === undefined) return;
    this.#times[i] = this.#times[j] ?? 0;
    this.#times[j] = time;
    this.#items[i] = other;
    this.#items[j] = item;
  }
}
