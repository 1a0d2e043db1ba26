import type { Entry, Head, StoredEntry } from "@dnd/store";

/**
 * What replication needs of the map it replicates. `VersionedMap` of `@dnd/store` is one; the type
 * checker compares the two where they are wired.
 */
export interface ReplicaMap {
  /** The id of this node. */
  readonly node: string;

  /** One up for each applied entry. */
  readonly counter: number;

  /** Entries held, tombstones among them. */
  readonly size: number;

  /** The horizon of rule 1, a stamp. */
  readonly horizon: number;

  /** The number of hash algorithm and seed. */
  readonly algorithm: number;

  /**
   * Reads the clock such that every later stamp of this node is above the result, after a crash too:
   * it lies below the durable ceiling (rule 7).
   */
  readClock(options: { readonly now: number }): number;

  /** Makes sure that every later stamp is above this one. */
  observeClock(stamp: number, options: { readonly now: number }): void;

  /** The root digest: 8 bytes. */
  digest(): Uint8Array;

  /** The 32 sums below a node of the digest tree, 8 bytes each. */
  digestChildren(level: number, index: number): Uint8Array;

  /** Heads of the entries below a node of the digest tree (level 3: a leaf; deeper: a part of one). */
  leafHeads(level: number, index: number): Iterable<Head>;

  /** The entry of a key as held: tombstones and expired ones too. `undefined` if damaged or absent. */
  record(key: string): StoredEntry | undefined;

  merge(
    entries: readonly Entry[],
    options: { readonly now: number; readonly rumor?: boolean },
  ): readonly MergeOutcome[];

  /** Takes one version out of the map and leaves no tombstone (rule 1: set aside). */
  drop(entry: Entry): boolean;

  /** Raises the horizon and forgets at most `limit` entries; returns how many. */
  reap(horizon: number, limit: number): number;

  /** Entries with stamps above this one, the earliest first. */
  entriesAbove(stamp: number, limit: number): readonly StoredEntry[];

  /** Rule 8: gives all entries above the stamp new stamps, in their old order, and sets the clock back. */
  restamp(above: number, options: { readonly now: number }): number;

  /** Keys whose records are damaged. */
  damaged(limit: number): readonly string[];

  meta(name: string): Uint8Array | undefined;

  /** Sets a named value, durable with everything written before. */
  setMeta(name: string, value: Uint8Array): void;
}

/** What became of a merged entry. */
export type MergeOutcome = "applied" | "superseded" | "refused";
