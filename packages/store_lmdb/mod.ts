/**
 * The durable engine of `@dnd/store`: a versioned map in a folder, on LMDB.
 *
 * @example
 * ```ts
 * import { openMap } from "@dnd/store-lmdb";
 *
 * const map = await openMap({ folder: "./data" });
 * map.put("user1", new TextEncoder().encode("Jack"));
 * await map.committed(); // on disk
 * await map.close();
 * ```
 *
 * @module
 */
export * from "./data_folder.ts";
export * from "./data_folder_error.ts";
export * from "./lmdb_engine.ts";
export * from "./lmdb_engine_options.ts";
export * from "./open_engine.ts";
export * from "./open_map.ts";
export * from "./scrub.ts";
export * from "./verify_result.ts";
