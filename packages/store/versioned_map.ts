import type {
  Change,
  EntriesOptions,
  MapStatistics,
  MergeOptions,
  MergeResult,
  NowOptions,
  PutOptions,
  WatchOptions,
  VersionedMapOptions,
} from "./map_options.ts";
import {
  checkContentType,
  checkCount,
  checkKey,
  checkMeta,
  checkObject,
  checkText,
  checkTypes,
  checkTime,
  checkValue,
} from "./_check.ts";
import { digestChildren, digestEntries, digestNode } from "./_digest_calls.ts";
import { expireEntries, forgetEntries, reapEntries } from "./_forgetting.ts";
import { NO_BYTES, type Head, type StoredEntry } from "./stored_entry.ts";
import type { Content } from "./hash.ts";
import { Core } from "./_core.ts";
import type { Engine } from "./engine.ts";
import type { Entry } from "./entry.ts";
import { MAX_STAMP, MAX_TTL_MS } from "./limits.ts";
import { type Version, stampOf } from "./version.ts";
import { changesAfter } from "./_changes.ts";
import { makeEntry } from "./_make_entry.ts";
import { isLive, listEntries } from "./_list_entries.ts";
import { mergeInto } from "./_merge.ts";
import { restampEntries } from "./_restamp.ts";

const PUT_OPTION = /^(now|ttlMs|contentType)$/;

const TOMBSTONE: Content = { value: NO_BYTES, deleted: true };

/**
 * A map of keys to bytes that can be written on many replicas and merged in any order: the last write of
 * a key wins, everywhere the same one.
 *
 * It does no I/O, sets no timer and reads no clock: each call says what time it is, or the map is made
 * with a `clock`. Reads and writes are synchronous, whatever the engine; with a durable one
 * {@linkcode VersionedMap.committed} says when what was written is safe.
 *
 * @example
 * ```ts
 * import { VersionedMap } from "@dnd/store";
 *
 * const a = new VersionedMap({ node: "a", clock: Date.now });
 * const b = new VersionedMap({ node: "b", clock: Date.now });
 * const entry = a.put("user1", new TextEncoder().encode("Jack"));
 * b.merge([entry]);
 * const name = new TextDecoder().decode(b.get("user1")?.value); // "Jack"
 * ```
 */
export class VersionedMap {
  readonly #core: Core;

  /**
   * @throws {InputTypeError | InputRangeError} if an option is not what it should be
   * @throws {StorageError} if the engine cannot be opened
   */
  constructor(options: VersionedMapOptions) {
    this.#core = new Core(options);
  }

  /** The id of this node. */
  get node(): string {
    return this.#core.node;
  }

  /** Where the entries are kept. */
  get engine(): Engine {
    return this.#core.engine;
  }

  /**
   * Puts a value. The map takes a copy of the bytes.
   *
   * @param key 1 to 1,024 bytes of UTF-8
   * @returns the entry, to be sent to other replicas
   * @throws {InputTypeError | InputRangeError} that says what is wrong with key, value or options
   * @throws {StorageError} if the engine cannot take it: `storage-full`, `storage-failed`, `overloaded`
   */
  put(key: string, value: Uint8Array, options?: PutOptions): Entry {
    const core = this.#core;
    const now = core.now(options);
    // one that is misspelt would go unheard, and its value live for ever
    for (const name in options) if (name !== "now") checkText("option", name, PUT_OPTION);
    checkValue(value, core.maxValueBytes);
    const contentType = options?.contentType;
    if (contentType !== undefined) checkContentType(contentType);
    const ttlMs = options?.ttlMs;
    let expiresAt: number | undefined;
    if (ttlMs !== undefined) {
      checkTime("ttlMs", ttlMs, "1 ms to 100 years", 1, MAX_TTL_MS);
      expiresAt = Math.floor(now + ttlMs);
    }
    return this.#write(key, now, { value: core.copy(value), contentType, expiresAt });
  }

  /**
   * The live entry of a key: neither deleted nor expired.
   *
   * @throws {InputTypeError | InputRangeError} if the key is no key
   * @throws {DamagedError} if its record fails the checksum
   */
  get(key: string, options?: NowOptions): Entry | undefined {
    const core = this.#core;
    const entry = core.read(key);
    if (entry === undefined) {
      checkKey(key);
      core.now(options);
      return undefined;
    }
    return isLive(entry, core.now(options)) ? entry : undefined;
  }

  /** Whether a key has a live entry; throws what {@linkcode get} throws. */
  has(key: string, options?: NowOptions): boolean {
    return this.get(key, options) !== undefined;
  }

  /**
   * Deletes a key, whether it is there or not: another replica may hold it.
   *
   * @returns the tombstone, to be sent to other replicas
   * @throws what {@linkcode put} throws
   */
  delete(key: string, options?: NowOptions): Entry {
    return this.#write(key, this.#core.now(options), TOMBSTONE);
  }

  /**
   * Merges entries of other replicas: in any order, any number of times.
   *
   * @returns for each entry `applied`, `superseded` or `refused`
   * @throws {InputTypeError | InputRangeError} if an entry is malformed; none was merged then
   * @throws {StorageError} if the engine cannot take them; none was merged then
   */
  merge(entries: Iterable<Entry>, options?: MergeOptions): MergeResult[] {
    return mergeInto(this.#core, entries, options);
  }

  /**
   * Entries sorted by the UTF-8 bytes of their keys. In memory the first listing sorts all keys.
   *
   * @throws {InputTypeError | InputRangeError} if an option is not what it should be
   */
  entries(options: EntriesOptions = {}): Entry[] {
    return listEntries(this.#core, options);
  }

  /** What is held of a key, live or not: a value, a tombstone, an expired entry. */
  peek(key: string): StoredEntry | undefined {
    return this.#core.read(key);
  }

  /** How many keys have a value. Those that expired count until {@linkcode expire} was called. */
  get size(): number {
    return this.#core.state.live;
  }

  /** How many changes were applied: one up per applied entry. */
  get counter(): number {
    return this.#core.state.counter;
  }

  /**
   * The committed changes after a counter, in their order; of several changes of a key the last one.
   *
   * @param counter the counter of the last change that was seen; 0 for all
   * @returns one `reset` alone when the log does not reach back so far, because deletes were forgotten
   * since, or when the counter is that of another map
   */
  changesSince(counter: number, { limit = Infinity }: { readonly limit?: number } = {}): Change[] {
    checkCount("counter", counter, 0);
    checkCount("limit", limit, 1);
    return changesAfter(this.#core, counter, limit);
  }

  /**
   * Follows the changes of all keys, of a prefix, or of one key, as they are committed. The watch ends
   * with `return()` (so with the `for await` that reads it), with its signal, or with the map.
   *
   * A slow reader gets one `reset` in place of what it missed.
   *
   * @throws {StorageError} `closed` if the map was closed
   */
  watch(options: WatchOptions = {}): AsyncIterableIterator<Change, undefined> {
    const core = this.#core;
    checkObject("options", options);
    const { prefix = "", key = "", after = 0, bufferSize = 1, bufferBytes = 1 } = options;
    checkTypes({ prefix, key });
    checkCount("after", after, 0);
    checkCount("bufferSize", bufferSize, 1);
    checkCount("bufferBytes", bufferBytes, 1);
    core.engine.get(""); // a closed one says so: nothing would ever come
    return core.watchers.watch(options, {
      counter: () => core.state.counter,
      page: (after) => changesAfter(core, after, 256),
    });
  }

  /**
   * Finds what has expired since the last call, and drops its values. Expired entries read as absent
   * before that; this is what frees their memory and tells the watchers.
   *
   * @param options.limit at most so many; default all. Call again while it returns so many
   * @returns the entries, as they were
   */
  expire(options?: NowOptions & { readonly limit?: number }): Entry[] {
    const limit = options?.limit ?? Infinity;
    checkCount("limit", limit, 1);
    return expireEntries(this.#core, this.#core.now(options), limit);
  }

  /** When {@linkcode expire} has something to do next, in milliseconds since 1970. */
  get nextExpiry(): number | undefined {
    return this.#core.engine.firstDue("expiry");
  }

  /**
   * What the clock says now, for `heard` (rule 1): every write of this node from now on has a higher
   * stamp, and every one before is lower or equal and was applied here. Always below the durable
   * ceiling, so it stays true after a crash.
   */
  clock(options?: NowOptions): number {
    const { clock, engine } = this.#core;
    const wall = stampOf(this.#core.now(options));
    const reading = Math.min(Math.max(clock.last, wall), engine.ceiling - 1);
    clock.observe(reading);
    return Math.max(reading, 0);
  }

  /** Lifts the clock above a stamp: a joining node starts above the member that admits it (rule 1). */
  advanceClock(stamp: number): void {
    checkCount("stamp", stamp, 0, MAX_STAMP - 1);
    this.#core.clock.observe(stamp);
  }

  /** The durable ceiling: no stamp is issued at or above it (rule 7). `Infinity` in memory. */
  get ceiling(): number {
    return this.#core.engine.ceiling;
  }

  /** Up to which stamp deletes are forgotten (rule 1). */
  get horizon(): number {
    return this.#core.state.horizon;
  }

  /**
   * Raises the horizon, and forgets the tombstones and expired entries that it has passed: a function
   * of entry and horizon only (rule 1). Whoever calls this has proof that every replica holds them.
   *
   * @param horizon a stamp, as in `Version.time`; see `stampOf`. A lower one than before counts as that
   * @param limit at most so many entries; default all. Call again while it returns so many
   * @returns how many entries were stripped or forgotten
   */
  reap(horizon: number, limit: number = Infinity): number {
    checkCount("horizon", horizon, 0);
    checkCount("limit", limit, 1);
    return reapEntries(this.#core, Math.min(horizon, MAX_STAMP), limit);
  }

  /**
   * Takes entries out as if they had never been here, without a tombstone: a node that missed reaped
   * deletes sets aside what it alone holds below its peer's horizon (rule 1).
   *
   * @param entries keys, with the versions that are meant: another version of a key stays
   * @returns what was taken out
   */
  forget(entries: Iterable<{ readonly key: string; readonly version: Version }>): Entry[] {
    return forgetEntries(this.#core, entries);
  }

  /**
   * Gives all entries that are more than `maxDriftMs` ahead of trusted time new stamps of this node, in
   * their old order and in one commit, and sets the clock back (rule 8); a horizon that the wrong clock gave
   * goes back to an hour ago. One whose value was dropped because the wrong clock took it for expired becomes
   * a delete.
   *
   * @param options.trustedNow trusted time, in milliseconds since 1970; default `now`
   * @returns the entries with their new versions
   */
  restamp(options?: NowOptions & { readonly trustedNow?: number }): Entry[] {
    const trustedNow = options?.trustedNow ?? this.#core.now(options);
    checkTime("trustedNow", trustedNow);
    return restampEntries(this.#core, trustedNow);
  }

  /** The digest of everything held: 8 bytes, equal on replicas that hold the same. */
  digest(): Uint8Array {
    return digestNode(this.#core, 0, 0);
  }

  /** The sum of one node of the digest tree: level 0 (root) to 3 (leaves), 4 to 6 (parts of a leaf). */
  digestNode(level: number, index: number): Uint8Array {
    return digestNode(this.#core, level, index);
  }

  /** The 32 sums below a node of level 0 to 5, 8 bytes each: child `c` of `index` is `32 * index + c`. */
  digestChildren(level: number, index: number): Uint8Array {
    return digestChildren(this.#core, level, index);
  }

  /**
   * What is held below a node of level 3 (a leaf) to 6: keys, versions and hashes, by key hash and key,
   * tombstones among them. Listing a leaf checks its sum, and corrects one that is wrong (rule 6).
   */
  digestEntries(level: number, index: number): Head[] {
    return digestEntries(this.#core, level, index);
  }

  /**
   * Stores a named value, committed after everything that was written before it.
   *
   * @param bytes `undefined` deletes it
   * @param options.now also lifts the clock's ceiling to it (rule 7)
   */
  setMeta(name: string, bytes: Uint8Array | undefined, { now }: NowOptions = {}): void {
    const meta = new Map([[name, bytes]]);
    checkMeta(meta);
    if (now !== undefined) checkTime("now", now);
    this.#core.engine.admit(bytes?.length ?? 0);
    this.#core.write([], { meta, now });
  }

  /** A named value, as last stored. */
  getMeta(name: string): Uint8Array | undefined {
    return this.#core.engine.meta(name);
  }

  /**
   * Resolves when everything written so far is durable; at once in memory.
   *
   * @throws {StorageError} as rejection: `storage-failed`, with `outcome` `unknown`
   */
  committed(): Promise<void> {
    return this.#core.engine.committed();
  }

  /** The highest counter that is durable. */
  get committedCounter(): number {
    return this.#core.engine.committedCounter;
  }

  /** Keys whose records are damaged, at most `limit`. */
  damaged(limit: number = Infinity): string[] {
    checkCount("limit", limit, 0);
    return this.#core.engine.damaged(limit);
  }

  /** Figures, for metrics. */
  statistics(): MapStatistics {
    const { state, counts, refusedByNode, watchers, engine } = this.#core;
    return {
      ...state,
      ...counts,
      refusedByNode: Object.fromEntries(refusedByNode),
      watchers: watchers.size,
      resets: watchers.resets,
      damaged: engine.statistics().damaged,
    };
  }

  /** Ends the watches, commits what is waiting, and closes the engine. */
  async close(): Promise<void> {
    await this.#core.engine.close();
    this.#core.watchers.each((watcher) => watcher.end());
  }

  #write(key: string, now: number, { value, contentType, expiresAt, deleted }: Content): Entry {
    const core = this.#core;
    core.engine.admit(checkKey(key) + value.length); // rule 17: before the stamp
    const version = { time: core.stamp(now), node: core.node };
    const previous = core.readForWrite(key) ?? undefined;
    const fields = { key, value, version, contentType, expiresAt, deleted };
    const entry = makeEntry(fields, (core.state.counter += 1));
    const changes = [{ key, entry, previous }];
    core.write(changes, { now });
    core.announce(changes);
    return entry;
  }
}
