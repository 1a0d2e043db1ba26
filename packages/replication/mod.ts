/**
 * Replication for `@dnd/store` maps: rumors, anti-entropy exchange, receipts. A pure core; inputs are
 * method calls, outputs are effects.
 *
 * @module
 */
export * from "./believed_clock.ts";
export * from "./difference_detector.ts";
export * from "./entry_bytes.ts";
export * from "./entry_frames.ts";
export * from "./exchange_error.ts";
export * from "./exchange_session.ts";
export * from "./held_back.ts";
export * from "./member_table.ts";
export * from "./outbox.ts";
export * from "./part_assembler.ts";
export * from "./recent_digests.ts";
export * from "./replica_map.ts";
export * from "./replication_effect.ts";
export * from "./replication_event.ts";
export * from "./replication_options.ts";
export * from "./replication_metrics.ts";
export * from "./replicator.ts";
export * from "./replicator_types.ts";
export * from "./trusted_time.ts";
export * from "./waiting_buffer.ts";
export * from "./wire.ts";
export type * from "./_exchange_host.ts";
