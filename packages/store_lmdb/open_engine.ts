import { openEngineWith } from "./_open_engine.ts";
import type { LmdbEngine } from "./lmdb_engine.ts";
import type { LmdbEngineOptions } from "./lmdb_engine_options.ts";

/**
 * Opens the durable engine of a map. It belongs to this process until it is closed.
 *
 * @throws {DataFolderError} if the folder is in use, damaged, or of another version or cluster
 *
 * @example
 * ```ts
 * import { VersionedMap } from "@dnd/store";
 * import { openEngine } from "@dnd/store-lmdb";
 *
 * const engine = await openEngine({ folder: "./data" });
 * const map = new VersionedMap({ node: "a", engine, clock: Date.now });
 * map.put("user1", new TextEncoder().encode("Jack"));
 * await map.committed(); // on disk
 * await map.close();
 * ```
 */
export function openEngine(options: LmdbEngineOptions): Promise<LmdbEngine> {
  return openEngineWith(options);
}
