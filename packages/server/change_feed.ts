import type { Change, Entry, Version, VersionedMap } from "@dnd/store";

/** A committed change of one key. */
export interface FeedChange {
  readonly type: "put" | "delete" | "expire";
  readonly key: string;
  readonly entry: Entry;
  /** The map's counter behind this change. */
  readonly counter: number;
}

/** Gets the changes of one commit, in order; must not throw. */
export type FeedListener = (changes: readonly FeedChange[]) => void;

/** Where a watch begins. */
export interface FeedStart {
  /** Changes above this counter follow. */
  readonly counter: number;
  /** What has expired from here on in {@link ChangeFeed.expiredFrom} follows too. */
  readonly expiries: number;
  /** Set when changes before may be missing: the reason. */
  readonly reset?: string;
}

/** Something that has expired: no write says so, so the map's change index does not know when. */
interface Expiry {
  readonly key: string;
  readonly version: Version;
  /** Where the feed stood. */
  readonly counter: number;
}

/** Changes that are handed out in one go. */
const pageChanges = 500;

/** Expiries that are remembered for readers that come back. Beyond, such a reader gets a reset. */
const defaultMaxExpiries = 10_000;

/**
 * The feed of committed changes (rule 9: nothing is told before it is durable). It holds no history of
 * its own: the map's change index is the history, so a reader that comes back asks there. Only what has
 * expired is remembered here, the last 10,000 of it: a reader that comes back is told what has expired
 * since the change that it saw last, and is so now; it may have heard of some of it before.
 *
 * An id is `node.generation.counter`, because a counter means something only within its generation.
 */
export class ChangeFeed {
  readonly #map: VersionedMap;
  readonly #id: string;
  readonly #generation: number;
  readonly #prefix: string;
  readonly #onError: (error: unknown) => void;
  /** Each with what it wants called when the feed closes. */
  readonly #listeners = new Map<FeedListener, () => void>();
  readonly #maxExpiries: number;
  /** The oldest has number `#firstExpiry`. */
  #expiries: Expiry[] = [];
  #firstExpiry = 0;
  /** Where the feed stood at the last expiry that is not remembered any more. */
  #expiryFloor = -1;
  #cursor = 0;
  #pumping = false;
  #closed = false;

  /**
   * @param map the entries
   * @param options whose changes they are, and who hears that reading them failed
   */
  constructor(
    map: VersionedMap,
    options: {
      readonly id: string;
      readonly generation: number;
      readonly onError: (error: unknown) => void;
      /** Expiries that are remembered. Default 10,000. Higher: more memory, fewer resets. */
      readonly maxExpiries?: number;
    },
  ) {
    this.#map = map;
    this.#id = options.id;
    this.#generation = options.generation;
    this.#prefix = `${options.id}.${options.generation}.`;
    this.#onError = options.onError;
    this.#maxExpiries = options.maxExpiries ?? defaultMaxExpiries;
  }

  /** The id of a change. */
  idOf(counter: number): string {
    return this.#prefix + String(counter);
  }

  /** Everything up to this counter has been handed to the listeners. */
  get cursor(): number {
    return this.#listeners.size === 0 ? this.#map.committedCounter : this.#cursor;
  }

  /** How many listen. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /**
   * Where to begin behind an id.
   *
   * @param after the id of a change; undefined: with the next change
   */
  startAfter(after: string | undefined): FeedStart {
    const live = this.cursor;
    const now = { counter: live, expiries: this.#firstExpiry + this.#expiries.length };
    if (after === undefined) return now;
    const counter = this.#counterOf(after);
    if (typeof counter === "string") return { ...now, reset: counter };
    if (counter <= this.#expiryFloor) {
      return { ...now, reset: "more has expired since than is remembered" };
    }
    const [first] = this.#map.changesSince(counter, { limit: 1 });
    if (first?.type === "reset") {
      return { ...now, reset: "the change log does not reach back so far" };
    }
    const index = this.#expiries.findIndex((expiry) => expiry.counter >= counter);
    return { counter, expiries: index === -1 ? now.expiries : this.#firstExpiry + index };
  }

  /** The counter of an id that this feed has given, or why it is none. */
  #counterOf(id: string): number | string {
    const [, node, generation, counter] =
      /^([a-z0-9]{1,32})\.([1-9][0-9]{0,15})\.(0|[1-9][0-9]{0,15})$/.exec(id) ?? [];
    if (node !== undefined && node !== this.#id) return "the id is of another node";
    if (counter === undefined) return "the id is none that a node gives";
    const run = Number(generation) - this.#generation;
    if (run < 0) return "the id is from before the node's last start";
    if (run > 0 || Number(counter) > this.#map.counter) return "the id has not been given yet";
    return Number(counter);
  }

  /**
   * What has expired behind a point and is so now. Of what was written above `counter` the changes tell.
   *
   * @param from `expiries` of a {@link FeedStart}, or `next` of the call before
   * @param counter up to here the reader has been given the changes
   */
  expiredFrom(
    from: number,
    counter: number,
  ): { readonly changes: readonly FeedChange[]; readonly next: number } {
    const changes: FeedChange[] = [];
    const next = this.#firstExpiry + this.#expiries.length;
    if (from >= next) return { changes, next };
    for (const { key, version } of this.#expiries.slice(Math.max(0, from - this.#firstExpiry))) {
      const entry = this.#map.peek(key);
      if (entry === undefined || entry.counter > counter) continue;
      const { time, node } = entry.version;
      if (time !== version.time || node !== version.node) continue;
      changes.push({ type: "expire", key, entry, counter });
    }
    return { changes, next };
  }

  /**
   * Committed changes above a counter that the listeners have been given already; what is newer comes
   * to the listeners.
   *
   * @returns the changes, how far they reach, and whether a gap was found (then list again)
   */
  page(counter: number): {
    readonly changes: readonly FeedChange[];
    readonly counter: number;
    readonly gap: boolean;
  } {
    return this.#read(counter, this.cursor);
  }

  /** Hears of changes from {@link cursor} on, and of the end of the feed. @returns ends it */
  listen(listener: FeedListener, onClose: () => void = () => undefined): () => void {
    if (this.#listeners.size === 0) this.#cursor = this.#map.committedCounter;
    this.#listeners.set(listener, onClose);
    this.poke();
    return () => void this.#listeners.delete(listener);
  }

  /** Something was written: tell the listeners once it is durable. */
  poke(): void {
    if (this.#pumping || this.#closed || this.#listeners.size === 0) return;
    this.#pumping = true;
    this.#pump().then(
      () => {
        this.#pumping = false;
        // Something may have been written between its last look and this one.
        if (this.#cursor < this.#map.counter) this.poke();
      },
      (error: unknown) => {
        this.#pumping = false;
        this.#onError(error);
      },
    );
  }

  /** Entries have expired: tell the listeners. */
  expired(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const counter = this.cursor;
    for (const { key, version } of entries) this.#expiries.push({ key, version, counter });
    const tooMany = this.#expiries.length - this.#maxExpiries;
    if (tooMany > 0) {
      this.#expiryFloor = this.#expiries[tooMany - 1]?.counter ?? counter;
      this.#expiries = this.#expiries.slice(tooMany);
      this.#firstExpiry += tooMany;
    }
    if (this.#listeners.size === 0) return;
    this.#tell(entries.map((entry) => ({ type: "expire", key: entry.key, entry, counter })));
  }

  /** Nothing is told any more. */
  close(): void {
    this.#closed = true;
    const ends = [...this.#listeners.values()];
    this.#listeners.clear();
    for (const end of ends) end();
  }

  async #pump(): Promise<void> {
    while (this.#cursor < this.#map.counter && this.#listeners.size > 0 && !this.#closed) {
      await this.#map.committed();
      while (this.#cursor < this.#map.committedCounter && this.#listeners.size > 0) {
        const { changes, counter } = this.#read(this.#cursor, this.#map.committedCounter);
        this.#cursor = counter;
        this.#tell(changes);
      }
    }
  }

  #read(after: number, upTo: number) {
    const changes: FeedChange[] = [];
    if (after >= upTo) return { changes, counter: after, gap: false };
    const page: readonly Change[] = this.#map.changesSince(after, { limit: pageChanges });
    let gap = false;
    let counter = after;
    for (const change of page) {
      if (change.type === "reset") {
        gap = true;
        counter = Math.max(counter, Math.min(change.counter, upTo));
        continue;
      }
      if (change.counter > upTo) return { changes, counter: upTo, gap };
      changes.push(change);
      counter = change.counter;
    }
    // A page that is not full is the end: counters behind it were taken over by later writes.
    return { changes, counter: page.length < pageChanges ? upTo : counter, gap };
  }

  #tell(changes: readonly FeedChange[]): void {
    if (changes.length === 0) return;
    for (const listener of [...this.#listeners.keys()]) listener(changes);
  }
}
