import type { Member } from "@dnd/protocol";
import type { SessionView } from "./_exchange_host.ts";
import type { HeldBack } from "./held_back.ts";
import type { ReplicaMap } from "./replica_map.ts";
import type { OutgoingMember } from "./wire.ts";

/** What a `Replicator` works with: comes from the one place that wires everything. */
export interface ReplicatorDependencies {
  /** The map of this node; its id is the node's. */
  readonly map: ReplicaMap;

  /** Uniform in [0, 1). The same numbers and inputs give the same effects. */
  readonly prng: () => number;

  /** The generation of this process. */
  readonly generation: number;

  /** The member table of the membership layer; default: what replication knows by itself. */
  readonly members?: () => readonly OutgoingMember[];

  /** Whether there are seeds to call, or members remembered; see `handleSeeds`. Default `false`. */
  readonly hasSeeds?: boolean;

  /**
   * Whether what `set-aside` effects gave is where it stays. While it is not, exchanges that would take more out of the map
   * end with `storage`, and are tried again. Default: always.
   */
  readonly canSetAside?: () => boolean;
}

/** What the membership layer says of a member; `MemberView` of `@dnd/gossip` is one. */
export interface MemberNews {
  readonly id: string;
  readonly state: Member["state"];
  readonly generation: number;
  readonly stalled?: boolean;
  readonly ready?: boolean;
  readonly seen?: number;
  readonly departed?: number;
}

/** Where a replica stands: for `/cluster`, readiness checks and metrics. */
export interface ReplicationStatus {
  /** Rule 12, and the clock is right. */
  readonly ready: boolean;
  readonly alone: boolean;
  readonly skewed: boolean;
  /** Own clock minus the median of all, in milliseconds. */
  readonly aheadMs: number;
  readonly seen: number;
  readonly watermark: number;
  readonly horizon: number;
  /** The member that holds the horizon back, if it is behind (rule 10). */
  readonly heldBackBy: HeldBack | undefined;
  /** Sessions under way. */
  readonly exchanges: readonly SessionView[];
  /** Entries refused for their stamps, by the node that made them (rule 8). */
  readonly skewedNodes: Readonly<Record<string, number>>;
}
