import type { Change, EntryEvent, WatchOptions } from "./map_options.ts";
import type { Engine } from "./engine.ts";
import type { StoredEntry } from "./stored_entry.ts";
import { Watcher } from "./_watcher.ts";
import { convert } from "./_check.ts";

/** All watchers of one map. Without any, a write costs one comparison. */
export class Watchers {
  readonly #engine: Engine;
  readonly #all = new Set<Watcher>();

  /** Watchers that got a `reset` because they were slow. */
  resets = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  get size(): number {
    return this.#all.size;
  }

  watch(
    options: WatchOptions,
    source: { page: (after: number) => Change[]; counter: () => number },
  ): Watcher {
    const { signal } = options;
    const end = (): void => watcher.end();
    const watcher: Watcher = new Watcher({
      ...options,
      ...source,
      committed: () => this.#engine.committedCounter,
      onEnd: () => {
        this.#all.delete(watcher);
        signal?.removeEventListener("abort", end);
      },
      onReset: () => (this.resets += 1),
    });
    convert("signal", signal, "a signal", () =>
      signal?.addEventListener("abort", end, { once: true }),
    );
    this.#all.add(watcher);
    if (signal?.aborted) end();
    return watcher;
  }

  /** Calls each watcher. */
  each(act: (watcher: Watcher) => void): void {
    for (const watcher of this.#all) act(watcher);
  }

  /** A change was made, and is passed on when it is committed (rule 9). */
  push(event: EntryEvent): void {
    this.each((watcher) => watcher.push(event));
  }

  /** More is committed. */
  release(): void {
    this.each((watcher) => watcher.release());
  }
}

/** The change that an entry stands for. */
export function eventOf(entry: StoredEntry): EntryEvent {
  const type = entry.deleted ? "delete" : entry.stripped ? "expire" : "put";
  return { type, key: entry.key, entry, counter: entry.counter };
}
