import type { CallOptions, ClusterMember, CopyProgress, Explanation } from "@dnd/client";
import type { HeldBack } from "@dnd/replication";
import type { Entry, VersionedMap } from "@dnd/store";
import type { Followed, FollowOptions } from "../node_core.ts";
import type { NodeClock } from "../node_clock.ts";
import type { NodeData } from "../node_data.ts";
import type { NodeLogger } from "../node_logger.ts";
import type { ResolvedNodeOptions } from "../node_options.ts";

/** What a link to the others is made of. */
export interface LinkParts {
  readonly options: ResolvedNodeOptions;
  readonly data: NodeData;
  readonly map: VersionedMap;
  readonly logger: NodeLogger;
  readonly name: string;
  /** The time to go by; the link tells it what the others' clocks say (rule 8). */
  readonly clock: NodeClock;
  /** The map has changed by another member's write. */
  readonly onChanged: () => void;
  /** Somebody else runs with this node's id (rule 19). */
  readonly onCopy: () => void;
}

/** What a node knows of the others, and what it does with them. */
export interface ClusterLink {
  /** Gossip address told to the others, `host:port`. */
  readonly address: string;
  /** Gossip port. */
  readonly port: number;
  readonly ready: boolean;
  readonly alone: boolean;
  /** Why the node is not ready. */
  reasons(): readonly string[];
  readonly copy: CopyProgress | undefined;
  /** Who keeps deletes from being forgotten at present, and why (rule 10). */
  readonly heldBack: HeldBack | undefined;
  /** Local writes are on their way to the others. */
  written(entries: readonly Entry[]): void;
  writeTargets(): number;
  /**
   * The moment by which values expire, ms since 1970: a clock that is ahead drops nothing before its time
   * (rule 8). 0 until some other member's clock was heard.
   */
  expiryNow(now: number): number;
  /**
   * The moment by which a reader takes values for expired, ms since 1970: not that of a clock which most others
   * contradict (rule 8). Undefined while none of theirs was heard, for at most 10 s from the start.
   */
  readNow(now: number): number | undefined;
  liveTargets(): number;
  follow(entry: Entry, needed: number, options: FollowOptions): Promise<Followed>;
  members(): readonly ClusterMember[];
  explain(key: string, options: CallOptions): Promise<Explanation>;
  join(peers: readonly string[]): Promise<void>;
  leave(options: CallOptions): Promise<void>;
  forget(node: string): Promise<void>;
  /** Tells the others where HTTP is. */
  setHttpAddress(address: string): void;
  /** Resolves at the moment when the node is ready. */
  whenReady(): Promise<void>;
  /** Figures for the metrics, by name. */
  figures(): Promise<Readonly<Record<string, number>>>;
  /** Replaces the keys of gossip and peer streams: the first seals, all open. */
  setKeys(keys: readonly Uint8Array[]): Promise<void>;
  /** Says "stopped" to the others and closes the sockets. */
  stop(): Promise<void>;
}
