import { appendFileSync, closeSync, fstatSync, fsyncSync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";
import { openDataFolder, openEngine } from "@dnd/store-lmdb";
import type { NodeData } from "./node_data.ts";

/**
 * Opens a data folder and the durable engine in it.
 *
 * @throws {DataFolderError} when it is in use, of another cluster, or cannot be read
 */
export async function openFolder(path: string, cluster: string): Promise<NodeData> {
  const folder = await openDataFolder(path, { cluster });
  try {
    const engine = await openEngine({ folder });
    return {
      get id() {
        return folder.id;
      },
      get generation() {
        return folder.generation;
      },
      engine,
      volatile: false,
      copy: (target) => engine.copy(target),
      raiseGeneration: (above) => {
        folder.raiseGeneration(above);
        return folder.generation;
      },
      renew: () => folder.renew(),
      setAside: (text) => {
        const file = join(folder.path, "set-aside.ndjson");
        appendDurably(file, text);
        syncFolder(folder.path); // its name too: the file may be new
        return file;
      },
      close: async () => {
        await engine.close();
        await folder.close();
      },
    };
  } catch (error) {
    await folder.close();
    throw error;
  }
}

function syncFolder(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Appends all of a text, or nothing: half a line would spoil the next one. */
function appendDurably(file: string, text: string): void {
  const descriptor = openSync(file, "a", 0o600);
  try {
    const { size } = fstatSync(descriptor);
    try {
      appendFileSync(descriptor, text);
      fsyncSync(descriptor);
    } catch (error) {
      ftruncateSync(descriptor, size);
      throw error;
    }
  } finally {
    closeSync(descriptor);
  }
}
