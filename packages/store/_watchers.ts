import type { Change, EntryEvent, ResetReason, WatchOptions } from "./map_options.ts";
import type { Engine } from "./engine.ts";
import type { StoredEntry } from "./stored_entry.ts";
import { Watcher } from "./_watcher.ts";

/** All watchers of one map. Without any, a write costs one comparison. */
export class Watchers {
  readonly #engine: Engine;
  readonly #all = new Set<Watcher>();
  #resets = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  get size(): number {
    return this.#all.size;
  }

  get resets(): number {
    return this.#resets;
  }

  watch(
    options: WatchOptions,
    source: { page: (after: number) => Change[]; counter: () => number },
  ): Watcher {
    const watcher: Watcher = new Watcher({
      ...options,
      ...source,
      committed: () => this.#engine.committedCounter,
      onEnd: () => this.#all.delete(watcher),
      onReset: () => (this.#resets += 1),
    });
    if (options.signal?.aborted !== true) this.#all.add(watcher);
    return watcher;
  }

  /** An entry was written: this is passed on when it is committed (rule 9). */
  changed(entry: StoredEntry): void {
    const event = eventOf(entry);
    for (const watcher of this.#all) watcher.push(event);
  }

  /** An entry has expired. */
  expired(entry: StoredEntry): void {
    const event: EntryEvent = { type: "expire", key: entry.key, entry, counter: entry.counter };
    for (const watcher of this.#all) watcher.push(event);
  }

  /** Changes are missing here, for everybody. */
  reset(reason: ResetReason, counter: number): void {
    for (const watcher of this.#all) watcher.reset(reason, counter);
  }

  /** More is committed. */
  release(): void {
    for (const watcher of this.#all) watcher.release();
  }

  fail(error: Error): void {
    for (const watcher of this.#all) watcher.fail(error);
  }

  end(): void {
    for (const watcher of this.#all) watcher.end();
  }
}

/** The change that an entry stands for. */
export function eventOf(entry: StoredEntry): EntryEvent {
  const type = entry.deleted === true ? "delete" : entry.stripped ? "expire" : "put";
  return { type, key: entry.key, entry, counter: entry.counter };
}
