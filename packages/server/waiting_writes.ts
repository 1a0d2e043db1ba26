import type { Entry } from "@dnd/store";

/** A write that waits for the disk. */
export interface WaitingWrite {
  readonly entry: Entry;
  /** Changes of the map that came by no single write of this node, when this one was made. */
  readonly others: number;
}

/**
 * The single writes of a node that wait for the disk, so that each can be told whether a newer one has
 * won meanwhile (rule 18) without its entry being read again from the disk that it has just gone to.
 */
export class WaitingWrites {
  readonly #newest = new Map<string, Entry>();
  #made = 0;

  /** How many keys wait. */
  get size(): number {
    return this.#newest.size;
  }

  /** @param counter the map's counter, with this write */
  begin(entry: Entry, counter: number): WaitingWrite {
    this.#made += 1;
    this.#newest.set(entry.key, entry);
    return { entry, others: counter - this.#made };
  }

  /**
   * A write waits no longer.
   *
   * @param counter the map's counter by now
   * @returns whether a newer one has won; undefined: others have changed the map too, look there
   */
  end({ entry, others }: WaitingWrite, counter: number): boolean | undefined {
    const newest = this.#newest.get(entry.key);
    if (newest === entry) this.#newest.delete(entry.key);
    return counter - this.#made === others ? newest !== entry : undefined;
  }
}
