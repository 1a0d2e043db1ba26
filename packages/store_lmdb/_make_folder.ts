import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a folder and those above it, for the owner alone. Node's own `recursive` never returns where the
 * file system answers "no such file" in a folder that is there, as `/proc` does: a typed path must not
 * hang a node.
 *
 * @param path absolute
 * @returns the topmost folder that was made; undefined if all were there
 * @throws {NodeJS.ErrnoException} as `mkdir`
 */
export function makeFolderDeep(path: string): string | undefined {
  try {
    mkdirSync(path, { mode: 0o700 });
    return path;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const above = dirname(path);
    if (code === "ENOENT" && above !== path && !existsSync(above)) {
      const made = makeFolderDeep(above);
      const last = makeFolderDeep(path);
      return made ?? last;
    }
    // There already, also where nothing may be made beside it (a read-only disk, the root).
    if (code !== "ENOENT" && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
      return undefined;
    }
    throw error;
  }
}
