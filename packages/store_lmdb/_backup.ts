import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { type DataFile, settleCopy } from "./_data_file.ts";
import { syncFile, syncFolder } from "./_durable_files.ts";
import { makeFolderDeep } from "./_make_folder.ts";
import type { DataFolder } from "./data_folder.ts";
import { DataFolderError } from "./data_folder_error.ts";

/**
 * Makes a consistent copy of a data folder, marked as a backup (rule 19), while it is being used.
 *
 * @throws {DataFolderError} `not-empty`
 */
export async function backUp(
  { dataFolder, file }: { readonly dataFolder: DataFolder; readonly file: DataFile },
  folder: string,
): Promise<void> {
  const target = resolve(folder);
  makeFolderDeep(target);
  if (readdirSync(target).length > 0) {
    throw new DataFolderError("not-empty", `Cannot back up into ${target}: it is not empty`);
  }
  dataFolder.markBackup(target); // first: a copy that was cut short is no node's data either
  const path = join(target, "data.mdb");
  await file.environment.copy(path);
  await settleCopy(path);
  syncFile(path);
  syncFolder(target);
}
