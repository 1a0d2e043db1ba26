import { join } from "node:path";
import { checkEngineOptions } from "./_check_options.ts";
import { CeilingFile } from "./_ceiling_file.ts";
import { type DataFile, openDataFile } from "./_data_file.ts";
import { syncFolder } from "./_durable_files.ts";
import { type Environment, openEnvironment } from "./_environment.ts";
import { openDataFolder } from "./data_folder.ts";
import { LmdbEngine } from "./lmdb_engine.ts";
import type { LmdbEngineOptions } from "./lmdb_engine_options.ts";

/**
 * Opens an engine.
 *
 * @param open opens the data file; tests give one that fails
 */
export async function openEngineWith(
  options: LmdbEngineOptions,
  open: (path: string) => Promise<Environment> = openEnvironment,
): Promise<LmdbEngine> {
  checkEngineOptions(options);
  const { folder } = options;
  const dataFolder = typeof folder === "string" ? await openDataFolder(folder) : folder;
  let file: DataFile | undefined;
  try {
    file = await openDataFile(dataFolder.path, open);
    const ceiling = new CeilingFile(join(dataFolder.path, "ceiling"));
    syncFolder(dataFolder.path);
    return new LmdbEngine(options, { dataFolder, file, ceiling });
  } catch (error) {
    await file?.environment.close();
    if (options.closesFolder ?? typeof folder === "string") await dataFolder.close();
    throw error;
  }
}
