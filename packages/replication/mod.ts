/**
 * Replication for `@dnd/store` maps: rumors, anti-entropy exchange, receipts. A pure core; inputs are
 * method calls, outputs are effects.
 *
 * @module
 */
export * from "./replica_map.ts";
export * from "./replication_effect.ts";
export * from "./replication_event.ts";
export * from "./replication_options.ts";
export * from "./wire.ts";
