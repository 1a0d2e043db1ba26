import { StorageError } from "@dnd/store";
import { readdirSync, renameSync, rmdirSync, rmSync, statfsSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { checkPath } from "./_check_options.ts";
import { type DataFile, settleCopy } from "./_data_file.ts";
import { syncFile, syncFolder } from "./_durable_files.ts";
import { makeFolderDeep } from "./_make_folder.ts";
import type { DataFolder } from "./data_folder.ts";
import { DataFolderError } from "./data_folder_error.ts";

/**
 * Makes a consistent copy of a data folder, marked as a backup (rule 19), while it is being used. One that
 * fails leaves nothing behind; one that is cut short has no data file, and is refused when it is opened.
 *
 * @throws {DataFolderError} `not-empty`
 * @throws {StorageError} `storage-full` when the copy finds no room
 */
export async function backUp(
  { dataFolder, file }: { readonly dataFolder: DataFolder; readonly file: DataFile },
  folder: string,
): Promise<void> {
  checkPath("folder", folder);
  const target = resolve(folder);
  if (isInside(target, dataFolder.path)) {
    throw new DataFolderError(
      "not-empty",
      `Cannot back up into ${target}: it lies in the data folder itself`,
    );
  }
  const made = makeTarget(target);
  const path = join(target, "data.mdb");
  const part = `${path}.part`;
  try {
    dataFolder.markBackup(target); // first: a copy that was cut short is no node's data either
    await file.environment.copy(part);
    await settleCopy(part);
    syncFile(part);
    rmSync(`${part}-lock`, { force: true });
    renameSync(part, path);
    syncFolder(target);
  } catch (error) {
    const full = noRoom(target, error); // before there is room again
    removeFiles(target);
    if (made !== undefined) removeFolders(target, made);
    throw full ?? error;
  }
}

/** Whether a path lies in a folder, or is that. */
function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || !(way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way));
}

/** @returns the topmost folder that was made; undefined if all were there */
function makeTarget(target: string): string | undefined {
  let made: string | undefined;
  try {
    made = makeFolderDeep(target);
  } catch (error) {
    throw noRoom(dirname(target), error) ?? error;
  }
  if (readdirSync(target).length > 0) {
    throw new DataFolderError("not-empty", `Cannot back up into ${target}: it is not empty`);
  }
  return made;
}

/** What a copy consists of, and what is on the way to it. */
const ours = ["data.mdb", "data.mdb.part", "data.mdb.part-lock"];
const marks = ["identity.json", "identity.json.next"];

/** The mark goes last: as long as there is anything, it says what it is. */
function removeFiles(target: string): void {
  try {
    for (const name of [...ours, ...marks]) rmSync(join(target, name), { force: true });
  } catch {
    // The reason why the copy failed says more.
  }
}

/** From the lowest to the topmost one that was made, as far as nobody has put something into them. */
function removeFolders(lowest: string, topmost: string): void {
  try {
    for (let at = lowest; at.length >= topmost.length; at = dirname(at)) rmdirSync(at);
  } catch {
    // Somebody has: what is theirs stays.
  }
}

/** Of the file system by name, of a commit by number; lmdb's copy tells of it in the system's words only. */
const noRoomCodes = new Set<unknown>(["ENOSPC", "EDQUOT", "EFBIG", 28, 122, 27]);
const noRoomWords = /No space left on device|Disk quota exceeded|File too large/;
const cutShortCodes = new Set<unknown>(["EIO", 5]);
/** Less than this is not enough for one more piece of a copy. */
const pieceBytes = 1024 * 1024;

function noRoom(folder: string, error: unknown): StorageError | undefined {
  const { code, message } = error as Error & { readonly code?: unknown };
  const isFull = noRoomCodes.has(code) || noRoomWords.test(message);
  // A write that was cut short: of a full disk, or of one that dies.
  const isCutShort = cutShortCodes.has(code) || /Input\/output error/.test(message);
  if (!isFull && !(isCutShort && freeBytes(folder) < pieceBytes)) return undefined;
  return new StorageError(
    "storage-full",
    `Cannot back up into ${folder}: there is no room on its disk (${message})`,
    { outcome: "not-applied", cause: error },
  );
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
