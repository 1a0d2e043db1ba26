import type { StoredEntry, VersionedMap } from "@dnd/store";
import { DamagedError } from "@dnd/store";

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
  | "entries"
  | "merge"
  | "reap"
  | "forget"
  | "restamp"
  | "damaged"
  | "getMeta"
  | "setMeta"
  | "statistics"
>;

/** Reads what is held of a key; a damaged record counts as absent (the map marks it, rule 6). */
export function peekSafely(map: ReplicaMap, key: string): StoredEntry | undefined {
  try {
    return map.peek(key);
  } catch (error) {
    if (error instanceof DamagedError) return undefined;
    throw error;
  }
}
