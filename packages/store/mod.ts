/**
 * A versioned map that converges: put it on many replicas, write to all of them, merge in any order, and
 * they end equal. No dependency, no I/O, no clock, any JavaScript runtime.
 *
 * ```ts
 * import { VersionedMap } from "@dnd/store";
 *
 * const now = Date.now();
 * const a = new VersionedMap({ node: "a" });
 * const b = new VersionedMap({ node: "b" });
 * const entry = a.put("user1", new TextEncoder().encode("Jack"), { now, ttlMs: 60_000 });
 * b.merge([entry], { now });
 * const value = b.get("user1", { now })?.value;
 * ```
 *
 * @module
 */
export * from "./codec.ts";
export * from "./compare_keys.ts";
export * from "./diff_digests.ts";
export * from "./engine.ts";
export * from "./entry.ts";
export * from "./errors.ts";
export * from "./map_options.ts";
export type * from "./map_state.ts";
export * from "./memory_engine.ts";
export * from "./merge_entries.ts";
export * from "./standard_schema.ts";
export type * from "./stored_entry.ts";
export * from "./typed_map.ts";
export * from "./version.ts";
export * from "./versioned_map.ts";
