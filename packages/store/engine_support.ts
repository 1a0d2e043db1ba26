/**
 * What writers of an {@linkcode Engine} need, and those who carry entries between replicas: stored entries
 * and their marks, the hashes, the places in the indexes of time, the digest tree. Who uses a map needs
 * nothing of it.
 *
 * ```ts
 * import { hashKey, lastHash } from "@dnd/store/engine";
 *
 * const bytes = hashKey("user1"); // 5, by the hash functions number ALGORITHM
 * const leaf = (lastHash[0] ?? 0) >>> 17; // its place in the digest
 * ```
 *
 * @module
 */
export * from "./content_hash.ts";
export * from "./digest_tree.ts";
export * from "./engine.ts";
export * from "./hash.ts";
export * from "./hybrid_clock.ts";
export * from "./index_times.ts";
export * from "./limits.ts";
export * from "./map_state.ts";
export * from "./stored_entry.ts";
