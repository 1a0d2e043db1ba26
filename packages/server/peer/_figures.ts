import type { Replicator } from "@dnd/replication";

/** Counters and gauges of replication, by the names of the metrics. */
export function replicationFigures(
  replicator: Pick<Replicator, "metrics" | "status">,
): Record<string, number> {
  const figures: Record<string, number> = {};
  flatten("replication", replicator.metrics, figures);
  const { seen, watermark, horizon, aheadMs, exchanges } = replicator.status();
  Object.assign(figures, {
    ...{ replication_seen: seen, replication_watermark: watermark },
    ...{ replication_horizon: horizon, replication_clock_ahead_ms: aheadMs },
    replication_sessions: exchanges.length,
  });
  return figures;
}

/** Nested counters as names joined by `_`. */
export function flatten(prefix: string, counters: object, into: Record<string, number>): void {
  for (const [name, value] of Object.entries(counters) as [string, unknown][]) {
    if (typeof value === "number") into[`${prefix}_${name}`] = value;
    else if (typeof value === "object" && value !== null) flatten(`${prefix}_${name}`, value, into);
  }
}
