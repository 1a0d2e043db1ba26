import { stampOf } from "@dnd/store";
import type { MemberTable } from "./member_table.ts";
import type { RecentDigests } from "./recent_digests.ts";
import type { ReplicaMap } from "./replica_map.ts";
import type { ReplicationEffect } from "./replication_effect.ts";
import type { ReplicationEvent } from "./replication_event.ts";
import type { ReplicationMetrics } from "./replication_metrics.ts";
import type { ResolvedReplicationOptions } from "./replication_options.ts";
import type { TrustedTime } from "./trusted_time.ts";

/** A member as replication sees it: what gossip says of it, and what its packets say. */
export interface Peer {
  readonly id: string;
  state: "alive" | "suspect" | "stopped" | "dead" | "left" | "forgotten";
  stalled: boolean;
  ready: boolean;
  /** What its own packets say of its seeds; absent: nothing yet. See `Readiness`. */
  awaitsSeeds?: boolean;
}

/** See {@linkcode Context.crossings}. */
export interface Crossing {
  readonly horizon: number;
  crossed: boolean;
}

/** What the parts of a replicator share. */
export interface Context {
  readonly map: ReplicaMap;
  readonly options: ResolvedReplicationOptions;
  readonly prng: () => number;
  readonly canSetAside: () => boolean;
  readonly table: MemberTable;
  readonly time: TrustedTime;
  readonly metrics: ReplicationMetrics;

  /**
   * By the number of its stream, each session in which this node takes the peer's state below a horizon: what else
   * comes below that meanwhile was not compared with the peer, who may have reaped its delete (rule 1).
   */
  readonly crossings: Map<number, Crossing>;

  /** What the map's digest was a moment ago. */
  readonly recent: RecentDigests;

  /** Members by id, this node not among them. */
  readonly peers: ReadonlyMap<string, Peer>;

  /** This node's generation. */
  generation: number;

  /** When the host was last told that a peer misbehaves. */
  readonly misbehavedAt: Map<string, number>;

  /** How late the event loop is, in milliseconds. */
  delayMs: number;

  emit(effect: ReplicationEffect): void;

  /** Calls back once all that the map holds now is durable; never, if that fails. */
  onCommitted(callback: (now: number) => void): void;
}

/** Tells the host. */
export function notify(context: Context, event: ReplicationEvent): void {
  context.emit({ type: "notify", event });
}

/** The host is told at most so often of one peer, and of so many peers: who misbehaves fills no log. */
const MISBEHAVED_EVERY_MS = 10_000;
const MISBEHAVED_PEERS = 64;

/** A peer sent what no peer may: counted always, told at a bounded rate. */
export function tellMisbehaved(context: Context, peer: string, detail: string, now: number): void {
  const { metrics, misbehavedAt } = context;
  metrics.misbehaved += 1;
  const at = misbehavedAt.get(peer);
  if (at !== undefined && Math.abs(now - at) < MISBEHAVED_EVERY_MS) return;
  if (at === undefined && misbehavedAt.size >= MISBEHAVED_PEERS) {
    for (const [other, then] of misbehavedAt) {
      if (Math.abs(now - then) >= MISBEHAVED_EVERY_MS) misbehavedAt.delete(other);
    }
    if (misbehavedAt.size >= MISBEHAVED_PEERS) return;
  }
  misbehavedAt.set(peer, now);
  notify(context, { type: "misbehaved", peer, detail });
}

/** The members that can be reached: alive or suspect, in the order of their ids. */
export function reachable(context: Context): string[] {
  const ids: string[] = [];
  for (const peer of context.peers.values()) if (isReachable(peer)) ids.push(peer.id);
  return ids.sort();
}

/**
 * The latest stamp that may be promised now. Later ones may be issued again once a clock that is ahead
 * has been set back (rule 8), so "heard up to there" would not be true for ever (rule 1).
 */
export function promiseLimit(context: Context, now: number): number {
  return stampOf(context.time.sober(now) - context.options.maxDriftMs);
}

/** Whether a member is said to be up. */
export function isReachable(peer: Peer): boolean {
  return peer.state === "alive" || peer.state === "suspect";
}

/** The moment that a reader goes by: see `Replicator.readNow`. */
export function readNow({ time, table }: Context, now: number): number | undefined {
  return !time.confirmed && table.others().length > 0 ? undefined : time.corrected(now);
}

/** The moment by which values expire: see `Replicator.expiryNow`. */
export function expiryNow({ time, table }: Context, now: number): number {
  // Until some other clock was heard: values that nobody else believes to have expired stay.
  return !time.confirmed && table.others().length > 0 ? 0 : time.sober(now);
}
