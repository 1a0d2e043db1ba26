import type { Entry, VersionedMap } from "@dnd/store";

/** What replication needs of the map it replicates: a part of `VersionedMap` of `@dnd/store`. */
export type ReplicaMap = Pick<
  VersionedMap,
  | "node"
  | "counter"
  | "horizon"
  | "ceiling"
  | "size"
  | "clock"
  | "advanceClock"
  | "digest"
  | "digestChildren"
  | "digestEntries"
  | "peek"
  | "merge"
  | "reap"
  | "restamp"
  | "damaged"
  | "getMeta"
  | "setMeta"
  | "statistics"
> & {
  /** Takes exactly this version out of the map and leaves no tombstone (rule 1: set aside). */
  drop(entry: Entry): boolean;
};
