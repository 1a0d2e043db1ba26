import type {
  BackupResult,
  CallOptions,
  ClusterInfo,
  Explanation,
  Outcome,
  Readiness,
  Replication,
} from "@dnd/client";
import type { Entry, VersionedMap } from "@dnd/store";
import type { ChangeFeed } from "./change_feed.ts";
import type { GroupCommit } from "./group_commit.ts";
import type { WaitingWrites } from "./waiting_writes.ts";

/** What `follow` waits for. */
export interface FollowOptions {
  /** Longest wait in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the wait early. */
  readonly signal?: AbortSignal | undefined;
}

/** How far a followed write has come when the wait ended. */
export interface Followed extends Replication {
  /** Whether `acked` reached `needed`. */
  readonly ok: boolean;
  /** Whether a newer write has won meanwhile (rule 18). */
  readonly superseded: boolean;
}

/**
 * What the operations know of their node. HTTP is not among it: the same operations serve the REST API
 * and the embedded node.
 */
export interface NodeCore {
  /** Node id. */
  readonly id: string;
  /** One up at each start. */
  readonly generation: number;
  /** The entries. */
  readonly map: VersionedMap;
  /** The single writes that wait for the disk. */
  readonly writes: WaitingWrites;
  /** Committed changes, for watches. */
  readonly feed: ChangeFeed;
  /** The largest value that a client may write, in bytes. */
  readonly maxValueBytes: number;
  /** Milliseconds since 1970. */
  now(): number;
  /**
   * The moment by which values have expired: that of {@link now}, unless the others' clocks say that it is wrong
   * (rule 8). Undefined while there are others and none of their clocks was heard.
   */
  readNow(): number | undefined;
  /** Whether the node is ready (rule 12). */
  readonly ready: boolean;
  /** The same with the reasons. */
  readiness(): Readiness;
  /**
   * Asked before every write.
   *
   * @throws {DndError} when the node takes no writes: it is closing, or its storage has failed
   */
  checkOpen(): void;
  /**
   * Asked before every call of the library.
   *
   * @param what the call, for the message
   * @param outcome of a write
   * @throws {DndError} `closed`: the node is closed, or about to be
   */
  checkServing(what: string, outcome?: Outcome): void;
  /**
   * Takes entries that were just written to the map on their way to the other members.
   *
   * @returns resolves when they are durable here (at once with asynchronous durability)
   */
  written(entries: readonly Entry[]): GroupCommit | undefined;
  /** `n` of rule 18: ready members that are neither left nor forgotten, the dead included. */
  writeTargets(): number;
  /** How many of them are alive. */
  liveTargets(): number;
  /** Waits until so many members hold this entry, or a newer one, durably. */
  follow(entry: Entry, needed: number, options: FollowOptions): Promise<Followed>;
  clusterInfo(): ClusterInfo;
  explain(key: string, options: CallOptions): Promise<Explanation>;
  join(peers: readonly string[]): Promise<void>;
  leave(options: CallOptions): Promise<void>;
  forget(node: string): Promise<void>;
  backup(folder: string): Promise<BackupResult>;
}
