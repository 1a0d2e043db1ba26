import { VersionedMap, type VersionedMapOptions } from "@dnd/store";
import { checkMapOptions } from "./_check_options.ts";
import { type DataFolder, openDataFolder } from "./data_folder.ts";
import type { LmdbEngineOptions } from "./lmdb_engine_options.ts";
import { openEngine } from "./open_engine.ts";

/** How {@linkcode openMap} opens a map. */
export interface OpenMapOptions
  extends LmdbEngineOptions, Omit<Partial<VersionedMapOptions>, "engine"> {}

/**
 * Opens a durable map in a folder, which is made if it does not exist. It belongs to this process until
 * `map.close()`. The map's clock is the wall clock unless `clock` says otherwise; its node id is the
 * folder's, unless `node` says otherwise.
 *
 * @throws {DataFolderError} if the folder is in use, damaged, or of another version
 * @throws {InputTypeError | InputRangeError} that says which option is wrong, or does not exist
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
 */
export async function openMap(options: OpenMapOptions): Promise<VersionedMap> {
  checkMapOptions(options);
  const { folder, node, clock, maxDriftMs, maxValueBytes, ...rest } = options;
  const isOurs = typeof folder === "string";
  const dataFolder: DataFolder = isOurs ? await openDataFolder(folder) : folder;
  try {
    const engine = await openEngine({ closesFolder: isOurs, ...rest, folder: dataFolder });
    return new VersionedMap({
      node: node ?? dataFolder.id,
      engine,
      clock: clock ?? Date.now,
      ...(maxDriftMs === undefined ? {} : { maxDriftMs }),
      ...(maxValueBytes === undefined ? {} : { maxValueBytes }),
    });
  } catch (error) {
    if (isOurs) await dataFolder.close();
    throw error;
  }
}
