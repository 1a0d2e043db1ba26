import type { Entry } from "@dnd/store";

/** Bytes of values that a page is meant to have. */
const pageBytes = 1024 * 1024;

const firstEntries = 4;
/** Whatever the sizes so far: the next page can have a large value for each key. */
const maxEntries = 32;

/**
 * How many entries are read in one go. A page is read, values and all, before its size is known; so it is short
 * at first and where values were large. A million small ones come in pages of 32, and what is held of large ones is
 * a few megabytes, not a data set.
 */
export class PageSize {
  #entries = firstEntries;

  /** Entries to read now. */
  get entries(): number {
    return this.#entries;
  }

  /** A page was read. */
  add(page: readonly Entry[]): void {
    if (page.length === 0) return;
    const bytes = page.reduce((sum, { value }) => sum + value.length, 0);
    const fitting = Math.floor((pageBytes * page.length) / Math.max(1, bytes));
    this.#entries = Math.max(1, Math.min(maxEntries, 2 * this.#entries, fitting));
  }
}
