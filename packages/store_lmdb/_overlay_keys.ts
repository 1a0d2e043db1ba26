import { compareKeys } from "@dnd/store";
import { sortedByKey } from "./_sorting.ts";

/** Keys that came since the last sort are looked at one by one, up to so many. */
const MOST_UNSORTED = 256;

/**
 * The keys of an overlay in their order. Sorted when a range is first asked for; what comes later is
 * merged in when it has grown, so a scan beside a stream of writes does not sort all of them each time.
 */
export class OverlayKeys {
  #sorted: readonly string[];
  readonly #added = new Set<string>();

  /** @param keys each once */
  constructor(keys: Iterable<string>) {
    this.#sorted = sorted(keys);
  }

  /** A key that was not in the overlay. It may be among the sorted ones, from before it was dropped. */
  add(key: string): void {
    this.#added.add(key);
  }

  /**
   * The keys of the overlay from a key on, in their order, and those that were not sorted yet, wherever they are.
   *
   * @param isThere whether a key is still in the overlay
   */
  from(start: string, isThere: (key: string) => boolean, size: number): KeysFrom {
    if (this.#added.size > MOST_UNSORTED || this.#sorted.length > 2 * size + MOST_UNSORTED) {
      const kept = this.#sorted.filter((key) => isThere(key) && !this.#added.has(key));
      const added = sorted([...this.#added].filter(isThere));
      this.#sorted = merged(kept, added);
      this.#added.clear();
    }
    return { inOrder: this.#inOrder(start), unsorted: this.#added };
  }

  *#inOrder(start: string): Iterable<string> {
    const keys = this.#sorted;
    let low = 0;
    for (let high = keys.length; low < high;) {
      const middle = (low + high) >>> 1;
      if (compareKeys(keys[middle] ?? "", start) < 0) low = middle + 1;
      else high = middle;
    }
    for (; low < keys.length; low += 1) {
      const key = keys[low] ?? "";
      if (!this.#added.has(key)) yield key;
    }
  }
}

/** What {@linkcode OverlayKeys.from} finds; some may not be in the overlay any more. */
export interface KeysFrom {
  readonly inOrder: Iterable<string>;
  readonly unsorted: Iterable<string>;
}

function sorted(keys: Iterable<string>): string[] {
  return sortedByKey(Array.from(keys, (key) => ({ key }))).map(({ key }) => key);
}

function merged(a: readonly string[], b: readonly string[]): string[] {
  const keys: string[] = [];
  let next = 0;
  for (const key of a) {
    for (let other = b[next]; other !== undefined && compareKeys(other, key) < 0; other = b[next]) {
      keys.push(other);
      next += 1;
    }
    keys.push(key);
  }
  for (; next < b.length; next += 1) keys.push(b[next] ?? "");
  return keys;
}
