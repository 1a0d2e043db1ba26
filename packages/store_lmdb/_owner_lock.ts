// One process, and one store in it, may use a data folder at a time (rule 19). Process ids in a file prove
// nothing: they are used again, and mean another process in each container. Node.js has no file locks, but
// lmdb does, and keeps them well: whoever opens a file of its holds an fcntl lock on the lock file beside
// it for as long as the process lives, however it ends, and whatever process ids its container shows it.
// When the last one is gone, the next to open clears the table of readers in it.
//
// So the owner is whoever stands in the table of readers of a file that holds no data. It enters itself
// inside a write transaction, of which lmdb lets one process at a time in: two that start together cannot
// both find the table empty. Who finds somebody there leaves without having entered, because leaving
// clears the rows of one's own process id, which in another container may be the owner's.
//
// The table is in the lock file beside it. The file itself says nothing, and after a power cut it may be
// anything: lmdb would map it and end the process. It is made anew then, whoever has it open.
import { rmSync } from "node:fs";
import type { RootDatabase, Transaction } from "lmdb";
import { withRoomyKeyBuffer } from "./_roomy_key_buffer.ts";
import { readMetaPages } from "./_meta_pages.ts";
import { DataFolderError } from "./data_folder_error.ts";

/** How often a taken folder is tried again, and how long apart: two that were refused may meet. */
const ATTEMPTS = 4;
const RETRY_MS = 50;

/** Files whose locks this process holds: to open another file in the place of one would end its lock. */
const held = new Set<string>();

/** A lock that this process holds until it is released, or the process ends. */
export interface OwnerLock {
  /** Lets go. Safe to call twice. */
  release(): Promise<void>;
}

/**
 * Takes the lock of a data folder.
 *
 * @param path of a file that exists for this lock only
 * @throws {DataFolderError} `in-use` if somebody else has it
 */
export async function takeOwnerLock(path: string, folder: string): Promise<OwnerLock> {
  const { open } = await import("lmdb");
  if (!held.has(path) && readMetaPages(path).problem !== undefined) rmSync(path);
  for (let attempt = 1; ; attempt += 1) {
    if (!held.has(path)) {
      const database = withRoomyKeyBuffer(() =>
        open({ path, noSubdir: true, maxDbs: 1, overlappingSync: false }),
      );
      const place = enter(database);
      if (place !== undefined) return new HeldLock(path, database, place);
      await database.close();
    }
    if (attempt === ATTEMPTS) {
      throw new DataFolderError(
        "in-use",
        `Cannot open the data folder ${folder}: another process, or another store of this one, ` +
          "uses it. Stop that one, or name another folder",
      );
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS * attempt));
  }
}

class HeldLock implements OwnerLock {
  readonly #path: string;
  readonly #database: RootDatabase;

  /** Held on to: the row in the table goes with it. */
  #place: Transaction | undefined;

  constructor(path: string, database: RootDatabase, place: Transaction) {
    held.add(path);
    this.#path = path;
    this.#database = database;
    this.#place = place;
  }

  async release(): Promise<void> {
    if (this.#place === undefined) return;
    this.#place.done();
    this.#place = undefined;
    await this.#database.close();
    held.delete(this.#path);
  }
}

function enter(database: RootDatabase): Transaction | undefined {
  return database.transactionSync(() => {
    database.readerCheck();
    const readers = database as RootDatabase & { readerList(): string };
    return /^\s*\d/m.test(readers.readerList()) ? undefined : database.useReadTransaction();
  });
}
