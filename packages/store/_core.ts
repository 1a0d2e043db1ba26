import type { Engine, EntryChange, LeafCorrection } from "./engine.ts";
import { CEILING_LEAD, MAX_NAMES } from "./_sizes.ts";
import { DamagedError } from "./engine.ts";
import { DigestTree } from "./digest_tree.ts";
import { HybridClock } from "./hybrid_clock.ts";
import { MAX_VALUE_BYTES } from "./limits.ts";
import type { MapState } from "./map_state.ts";
import { makeEntry } from "./_make_entry.ts";
import { MemoryEngine } from "./memory_engine.ts";
import type { NowOptions, VersionedMapOptions } from "./map_options.ts";
import { msOf, stampOf } from "./version.ts";
import { NO_BYTES, type StoredEntry } from "./stored_entry.ts";
import { Watchers, eventOf } from "./_watchers.ts";
import { hashKey, lastHash } from "./hash.ts";
import { checkCount, checkNode, checkObject, checkTime } from "./_check.ts";

/** What a batch carries beside its changes. */
export interface WriteExtras {
  readonly now?: number | undefined;
  readonly meta?: ReadonlyMap<string, Uint8Array | undefined> | undefined;
  readonly corrections?: readonly LeafCorrection[] | undefined;
  readonly lowerCeiling?: boolean | undefined;
}

/**
 * What all operations of a map share: its engine, clock, digest, figures and watchers, and the one way
 * in which anything changes, {@linkcode Core.write}.
 */
export class Core {
  declare readonly node: string;
  declare readonly engine: Engine;
  declare readonly clock: HybridClock;
  declare readonly tree: DigestTree;
  declare readonly state: MapState;
  declare readonly watchers: Watchers;
  declare readonly maxDriftMs: number;
  declare readonly maxValueBytes: number;

  /** What happened since the map was made: see `MapStatistics`. */
  readonly counts: Record<"applied" | "superseded" | "refused" | "correctedLeaves", number> = {
    applied: 0,
    superseded: 0,
    refused: 0,
    correctedLeaves: 0,
  };
  readonly refusedByNode: Map<string, number> = new Map<string, number>();

  /**
   * One entry of each usual form, without TTL. V8 throws optimized code away when the last object of a form that it
   * was made for is collected, and entries live briefly: each full collection made puts and gets slow anew.
   */
  readonly usual: readonly StoredEntry[] = [undefined, ""].map((contentType) =>
    makeEntry({ key: "", value: NO_BYTES, version: { time: 0, node: "" }, contentType }, 0),
  );

  readonly #wallClock: (() => number) | undefined;

  constructor(options: VersionedMapOptions) {
    checkObject("options", options);
    const { node, engine = new MemoryEngine() } = options;
    const { maxDriftMs = 500, maxValueBytes = MAX_VALUE_BYTES } = options;
    checkNode(node);
    checkCount("maxDriftMs", maxDriftMs, 0);
    checkCount("maxValueBytes", maxValueBytes, 0);
    this.node = node;
    this.engine = engine;
    this.maxDriftMs = maxDriftMs;
    this.maxValueBytes = Math.min(maxValueBytes, MAX_VALUE_BYTES);
    this.#wallClock = options.clock;
    const watchers = new Watchers(engine);
    this.watchers = watchers;
    const { state, ceiling, leafSums } = engine.open({
      committed: () => watchers.release(),
      failed: (error) => watchers.each((watcher) => watcher.fail(error)),
    });
    this.state = state;
    this.tree = new DigestTree(leafSums);
    this.clock = new HybridClock(Math.max(state.clock, ceiling)); // rule 7
  }

  /**
   * The moment of a call.
   *
   * @throws {InputTypeError | InputRangeError} if there is none, or it is no time
   */
  now(options: NowOptions | undefined): number {
    const now = options?.now ?? this.#wallClock?.();
    checkTime("now", now);
    return now;
  }

  /** Bytes that may lie in a frame or a pool that somebody else writes into, as they are handed to the engine. */
  copy(bytes: Uint8Array): Uint8Array {
    if (bytes.length === 0) return NO_BYTES;
    return this.engine.copiesValues ? bytes : new Uint8Array(bytes);
  }

  /** A stamp for a local write, below the durable ceiling (rule 7). */
  stamp(now: number): number {
    const stamp = this.clock.peek(now);
    if (stamp >= this.engine.ceiling) this.engine.raiseCeiling(stamp + CEILING_LEAD);
    this.clock.observe(stamp);
    return stamp;
  }

  /**
   * What the engine holds. A record that is found damaged leaves the digest first, so that the next
   * exchange brings it again (rule 6).
   *
   * @throws {DamagedError} if the record is damaged
   */
  read(key: string): StoredEntry | undefined {
    try {
      return this.engine.get(key);
    } catch (error) {
      if (error instanceof DamagedError && !error.marked) this.#markDamaged(error);
      throw error;
    }
  }

  /** What a write replaces; `null` if that is damaged, which counts as nothing and is mended by it. */
  readForWrite(key: string): StoredEntry | undefined | null {
    const { engine } = this;
    if (engine.mayHold !== undefined && hashKey(key) > 0 && !engine.mayHold(lastHash[0] ?? 0)) {
      return undefined;
    }
    try {
      return this.read(key);
    } catch (error) {
      if (error instanceof DamagedError) return null;
      throw error;
    }
  }

  /** Applies changes, all or none: engine, then figures, digest and watchers. */
  write(changes: readonly EntryChange[], extras: WriteExtras = {}): void {
    const { state } = this;
    for (const change of changes) {
      this.#tally(change.previous, -1);
      this.#tally(change.entry, 1);
    }
    state.clock = this.clock.last;
    const { now = 0, lowerCeiling, meta, corrections } = extras;
    const ceiling = Math.max(this.clock.last, stampOf(now)) + CEILING_LEAD;
    this.engine.write({ changes, state, ceiling, lowerCeiling, meta, corrections });
    for (const { entry, previous, damagedHead } of changes) {
      const out = previous ?? damagedHead;
      this.tree.toggle(
        ((entry ?? out)?.keyHash ?? 0) >>> 17,
        (entry?.fingerprintHigh ?? 0) ^ (out?.fingerprintHigh ?? 0),
        (entry?.fingerprintLow ?? 0) ^ (out?.fingerprintLow ?? 0),
      );
    }
    corrections?.forEach(({ leaf, high, low }) => this.tree.toggle(leaf, high, low));
  }

  /** Tells the watchers what was written. */
  announce(changes: readonly EntryChange[]): void {
    const { watchers } = this;
    if (watchers.size === 0) return;
    for (const { entry } of changes) if (entry !== undefined) watchers.push(eventOf(entry));
    watchers.release();
  }

  /** Counts a refused entry under the node that made it (rule 8), with bounded memory. */
  countRefused(node: string): void {
    this.counts.refused += 1;
    const counts = this.refusedByNode;
    const name = counts.has(node) || counts.size < MAX_NAMES ? node : "*";
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }

  #tally(entry: StoredEntry | undefined, sign: 1 | -1): void {
    if (entry === undefined) return;
    const { state } = this;
    if (entry.deleted) state.tombstones += sign;
    else if (entry.stripped) state.expired += sign;
    else state.live += sign;
    state.valueBytes += sign * entry.value.length;
  }

  #markDamaged({ key, head }: DamagedError): void {
    const { state } = this;
    // nobody can tell what the record was; a hash without content is that of a tombstone
    if (head !== undefined && state.live > 0) state.live -= 1;
    state.changesFloor = Math.max(state.changesFloor, state.counter);
    this.write([{ key, entry: undefined, previous: undefined, damaged: true, damagedHead: head }]);
  }
}

/** How far a stamp is ahead of a moment, in milliseconds. */
export function aheadMs(stamp: number, now: number): number {
  return msOf(stamp) - now;
}
