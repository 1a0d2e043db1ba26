import type {
  Change,
  EntriesOptions,
  MapStatistics,
  MergeOptions,
  MergeResult,
  NowOptions,
  PutOptions,
  WatchOptions,
} from "./map_options.ts";
import type { Engine } from "./engine.ts";
import type { Entry } from "./entry.ts";
import type { Head, StoredEntry } from "./stored_entry.ts";

/** The surface of the map; the class of this name takes its place. */
export interface VersionedMap {
  readonly node: string;
  readonly engine: Engine;
  put(key: string, value: Uint8Array, options?: PutOptions): Entry;
  get(key: string, options?: NowOptions): Entry | undefined;
  has(key: string, options?: NowOptions): boolean;
  delete(key: string, options?: NowOptions): Entry;
  merge(entries: Iterable<Entry>, options?: MergeOptions): MergeResult[];
  entries(options?: EntriesOptions): Entry[];
  /** What is held of a key: a value, a tombstone or an expired entry. */
  peek(key: string): StoredEntry | undefined;
  readonly size: number;
  readonly counter: number;
  changesSince(counter: number, options?: { limit?: number }): Change[];
  watch(options?: WatchOptions): AsyncIterableIterator<Change>;
  expire(options?: NowOptions & { limit?: number }): Entry[];
  readonly nextExpiry: number | undefined;

  /** A stamp above everything issued or seen, not issued itself: "now" for `heard` (rule 1). */
  clock(options?: NowOptions): number;
  /** Lifts the clock to at least this stamp (a joining node, rule 1). */
  advanceClock(stamp: number): void;
  /** The durable clock ceiling. */
  readonly ceiling: number;
  readonly horizon: number;
  /** Raises the horizon, and forgets what it has passed, at most `limit` entries; returns how many. */
  reap(horizon: number, limit?: number): number;
  /** Rule 8: gives all entries more than maxDriftMs ahead of trusted time new stamps of this node. */
  restamp(options: NowOptions & { trustedNow?: number }): Entry[];

  /** The root of the digest: 8 bytes. */
  digest(): Uint8Array;
  /** The sum of a node of the tree: level 0 (root) to 3 (leaves), 4 to 6 (parts of a leaf). */
  digestNode(level: number, index: number): Uint8Array;
  /** The 32 sums below a node: 256 bytes. Levels 0 to 5. */
  digestChildren(level: number, index: number): Uint8Array;
  /** Heads of the entries below a node of level 3 to 6, by key hash and key; checks a leaf's sum. */
  digestEntries(level: number, index: number): Head[];

  setMeta(name: string, bytes: Uint8Array | undefined): void;
  getMeta(name: string): Uint8Array | undefined;
  committed(): Promise<void>;
  readonly committedCounter: number;
  /** Keys whose records are damaged. */
  damaged(limit?: number): string[];
  statistics(): MapStatistics;
  close(): Promise<void>;
}
