import type { Engine } from "./engine.ts";
import type { Entry } from "./entry.ts";
import type { MapState } from "./map_state.ts";

/** How a map is made. */
export interface VersionedMapOptions {
  /** The id of this node: 1 to 32 characters of `[a-z0-9]`. It goes into the versions of its writes. */
  readonly node: string;

  /** Where the entries are kept. Default: a new `MemoryEngine`. */
  readonly engine?: Engine;

  /**
   * How far ahead of trusted time a version may be that `merge` takes, in milliseconds. Default 500.
   * Higher: nodes with worse clocks can write, and their writes win for longer over later ones.
   */
  readonly maxDriftMs?: number;

  /** The largest value that `put` takes, in bytes. Default and maximum: 16 MiB. */
  readonly maxValueBytes?: number;

  /** Milliseconds since 1970, for instance `Date.now`. With a clock, `now` is optional everywhere. */
  readonly clock?: () => number;
}

/** The moment of a call. */
export interface NowOptions {
  /** Milliseconds since 1970. Default: the map's clock, if it has one. */
  readonly now?: number;
}

/** How a value is put. */
export interface PutOptions extends NowOptions {
  /** After how many milliseconds it is gone: 1 to 100 years. Default: never. */
  readonly ttlMs?: number;

  /** The media type: 1 to 255 bytes of printable ASCII. Default: none. */
  readonly contentType?: string;
}

/** What became of one entry of a merge. */
export type MergeResult =
  /** It won, and is what the map holds now. */
  | "applied"
  /** The map holds this very version, or a newer one. */
  | "superseded"
  /** Not taken; see {@linkcode RefusalReason}. */
  | "refused";

/**
 * Why an entry was refused:
 *
 * - `drift`: its version is more than `maxDriftMs` ahead of trusted time (rule 8)
 * - `below-horizon`: a rumor at or below the horizon, for a key that is not held (rule 1)
 * - `hash`: its content hash is not the hash of its content
 */
export type RefusalReason = "drift" | "below-horizon" | "hash";

/** An entry that a merge did not take. */
export interface Refusal {
  /** Its index among the merged entries. */
  readonly index: number;
  readonly entry: Entry;
  readonly reason: RefusalReason;

  /** How far its version is ahead of trusted time, in milliseconds; negative if it is behind. */
  readonly aheadMs: number;
}

/** How entries of other replicas are merged. */
export interface MergeOptions extends NowOptions {
  /**
   * Trusted time, in milliseconds since 1970: the later of wall time and the median of the members'
   * clocks (rule 8). Drift is measured against the later of this and `now`. Default: `now`.
   */
  readonly trustedNow?: number;

  /**
   * Values that have expired by then are dropped at once, in milliseconds since 1970. Earlier than `now`
   * where the wall clock may be ahead: what is dropped too early does not come back. Default: `now`.
   */
  readonly expiryNow?: number;

  /**
   * Whether these came as rumors and not in an exchange: one at or below the horizon for a key that
   * is not held is refused (rule 1). Default: false.
   */
  readonly rumor?: boolean;

  /** Named values to store in the same batch: what the layers above promise about these entries. */
  readonly meta?: Readonly<Record<string, Uint8Array | undefined>>;

  /** Called for each refused entry, when the merge is done and before it returns. */
  readonly onRefused?: (refusal: Refusal) => void;

  /**
   * Called for each entry that carries this map's own node id and a stamp at or above its durable
   * ceiling: this node runs on a copy of another's data, or the other way round (rule 19). The entry
   * is merged as any other.
   */
  readonly onCopy?: (entry: Entry) => void;
}

/** Which entries are listed. Keys compare by their UTF-8 bytes. */
export interface EntriesOptions extends NowOptions {
  /** Only keys that begin with this. Default: all. */
  readonly prefix?: string;

  /** Only keys from this one on. */
  readonly from?: string;

  /** Only keys after this one: the last key of the page before. */
  readonly after?: string;

  /** Only keys before this one. */
  readonly before?: string;

  /** At most so many entries. Default: all. */
  readonly limit?: number;

  /** Whether tombstones and expired entries are listed too. Default: false. */
  readonly all?: boolean;
}

/** How changes are watched. */
export interface WatchOptions {
  /** Only keys that begin with this. Default: all. */
  readonly prefix?: string;

  /** Only this key. */
  readonly key?: string;

  /** Begin with the changes after this counter. Default: with the next change. */
  readonly after?: number;

  /**
   * How many changes wait for a slow reader before they are replaced by one `reset`. Default 1,024.
   * Higher: more memory for each watcher, fewer resets.
   */
  readonly bufferSize?: number;

  /** How many bytes of values wait at most, before the same happens. Default 16 MiB. */
  readonly bufferBytes?: number;

  /** Ends the watch. */
  readonly signal?: AbortSignal;
}

/** A change of one key. */
export interface EntryEvent {
  /** `expire`: its TTL has passed. */
  readonly type: "put" | "delete" | "expire";
  readonly key: string;

  /** The entry. Of an `expire` its value may be gone. */
  readonly entry: Entry;

  /** The map's counter after this change. An expiry has that of the entry. */
  readonly counter: number;
}

/** Changes are missing here: list again, then go on from `counter`. */
export interface ResetEvent {
  readonly type: "reset";
  readonly reason: ResetReason;
  readonly counter: number;
}

/** One change, as `watch` and `changesSince` give it. */
export type Change = EntryEvent | ResetEvent;

/** `slow-reader`: the buffer was full. `log-truncated`: the log does not reach back so far. */
export type ResetReason = "slow-reader" | "log-truncated";

/** Figures of a map. */
export interface MapStatistics extends Readonly<MapState> {
  /** Results of merges since the map was made. */
  readonly applied: number;
  readonly superseded: number;
  readonly refused: number;

  /** Entries refused for drift, by the node that made them (at most 64 names, the rest is `*`). */
  readonly refusedByNode: Readonly<Record<string, number>>;

  readonly watchers: number;

  /** Watchers that got a `reset` because they were slow. */
  readonly resets: number;

  /** Leaf sums that were found wrong and corrected. */
  readonly correctedLeaves: number;

  /** Keys whose records are damaged. */
  readonly damaged: number;
}
