import {
  SUMMARY_ANCHORED,
  SUMMARY_AWAITS_SEEDS,
  SUMMARY_DROPPED,
  SUMMARY_READY,
} from "@dnd/protocol";
import { ALGORITHM } from "@dnd/store/engine";
import type { Context } from "./_context.ts";
import type { ReplicatorParts } from "./_replicator_parts.ts";
import type { ReplicationStatus } from "./replicator_types.ts";
import type { OutgoingSummary } from "./wire.ts";

/**
 * The numbers that go into pings and acks (rule 11).
 *
 * @param now absent: the storage has failed, and no clock is told any more
 */
export function makeSummary(
  context: Context,
  parts: Pick<ReplicatorParts, "readiness" | "promises" | "occasions" | "rumors">,
  now: number | undefined,
): OutgoingSummary {
  const { map, table, generation } = context;
  const clock = now === undefined ? 0 : map.clock({ now }); // before the digest: see Summary.clock
  return {
    clock,
    generation,
    counter: map.counter,
    digest: map.digest(),
    algorithm: ALGORITHM,
    scope: new Uint8Array(0),
    horizon: map.horizon,
    flags:
      (parts.readiness.ready ? SUMMARY_READY : 0) |
      (parts.promises.anchored ? SUMMARY_ANCHORED : 0) |
      (parts.promises.awaitsSeeds ? SUMMARY_AWAITS_SEEDS : 0) |
      (parts.occasions.isUntold(parts.rumors.droppedAt) ? SUMMARY_DROPPED : 0),
    seen: table.announcedSeen,
  };
}

/** Where a replica stands. */
export function makeStatus(
  context: Context,
  parts: Pick<ReplicatorParts, "readiness" | "promises" | "exchanges" | "rumors">,
): ReplicationStatus {
  const { map, table, time } = context;
  const { stamp } = table.watermark();
  return {
    ready: parts.readiness.ready,
    alone: parts.promises.alone,
    skewed: parts.readiness.skewed,
    aheadMs: time.aheadMs(),
    seen: table.announcedSeen,
    watermark: stamp,
    horizon: map.horizon,
    heldBackBy: parts.promises.heldBack,
    exchanges: [...parts.exchanges.sessions.values()],
    skewedNodes: Object.fromEntries(parts.rumors.skewedNodes),
  };
}
