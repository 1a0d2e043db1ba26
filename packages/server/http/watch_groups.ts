/** What one watcher wants to see. */
export interface WatchFilter {
  readonly prefix?: string | undefined;
  readonly key?: string | undefined;
  readonly values: boolean;
}

/** Watchers that see the same bytes. */
export interface WatchGroup<W> {
  readonly filter: WatchFilter;
  readonly watchers: Set<W>;
}

type Groups<W> = readonly WatchGroup<W>[];

/**
 * Watchers by what they watch. The groups of a key are found by looking up its prefixes of the lengths
 * that are watched, so a change costs what its own watchers cost, however many others there are.
 */
export class WatchGroups<W> {
  readonly #byKey = new Map<string, Groups<W>>();
  readonly #byPrefix = new Map<string, Groups<W>>();
  /** How many prefixes of each length are watched. */
  readonly #lengths = new Map<number, number>();
  #size = 0;

  /** How many groups there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds a watcher. @returns takes it away again */
  add(watcher: W, filter: WatchFilter): () => void {
    const { key, prefix = "", values } = filter;
    const groups = key === undefined ? this.#byPrefix : this.#byKey;
    const name = key ?? prefix;
    const held = groups.get(name) ?? [];
    let group = held.find((one) => one.filter.values === values);
    if (group === undefined) {
      group = { filter, watchers: new Set() };
      groups.set(name, [...held, group]);
      this.#size += 1;
      if (key === undefined) this.#count(prefix.length, 1);
    }
    const { watchers } = group;
    watchers.add(watcher);
    return () => {
      if (!watchers.delete(watcher) || watchers.size > 0) return;
      const rest = (groups.get(name) ?? []).filter((one) => one !== group);
      if (rest.length > 0) groups.set(name, rest);
      else groups.delete(name);
      this.#size -= 1;
      if (key === undefined) this.#count(prefix.length, -1);
    };
  }

  /** Calls back with each group that watches a key. */
  forEach(key: string, call: (group: WatchGroup<W>) => void): void {
    this.#byKey.get(key)?.forEach(call);
    for (const length of this.#lengths.keys()) {
      if (length <= key.length) this.#byPrefix.get(key.slice(0, length))?.forEach(call);
    }
  }

  #count(length: number, change: 1 | -1): void {
    const count = (this.#lengths.get(length) ?? 0) + change;
    if (count > 0) this.#lengths.set(length, count);
    else this.#lengths.delete(length);
  }
}
