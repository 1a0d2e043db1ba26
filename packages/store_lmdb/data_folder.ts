// What makes a folder a node's own: its id and generation (rules 5 and 19), the cluster it belongs to, and
// the numbers of the formats inside. The id is new whenever the data is new to this place: an empty
// folder, a backup, or data whose identity is missing. So an empty disk never issues old versions again,
// and a copy never speaks in the name of the original.
//
//     identity.json      id, generation, cluster, formats, backup mark; with a checksum
//     data.mdb           the entries and everything committed with them (see _rows.ts)
//     ceiling            the clock ceiling between commits (see _ceiling_file.ts)
//     owner.mdb          the lock (see _owner_lock.ts)
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { StorageError } from "@dnd/store";
import { ALGORITHM, PARTITION_LEVEL } from "@dnd/store/engine";
import { LAYOUT } from "./_rows.ts";
import { DataFolderError } from "./data_folder_error.ts";
import { type OwnerLock, takeOwnerLock } from "./_owner_lock.ts";
import { syncFolder } from "./_durable_files.ts";
import { type Identity, checkIdentity, hasData, readIdentity, writeIdentity } from "./_identity.ts";
import { checkFolderOptions, checkPath } from "./_check_options.ts";
import { makeFolderDeep } from "./_make_folder.ts";

/** How a data folder is opened. */
export interface DataFolderOptions {
  /**
   * The name of the cluster that the data belongs to. A folder that says another one is refused; a new
   * one remembers it. Default: not asked, and not written into a new folder.
   */
  readonly cluster?: string | undefined;
}

/**
 * Why a node got a new id:
 *
 * - `new`: the folder was empty
 * - `backup`: it holds a backup
 * - `lost`: it holds data, and nothing says whose; or it is somebody's, and the data is gone
 * - `copy`: the node found out that it runs on a copy, and called {@linkcode DataFolder.renew}
 */
export type NewIdReason = "new" | "backup" | "lost" | "copy";

/** An open data folder: this process owns it until {@linkcode DataFolder.close}. */
export interface DataFolder {
  /** The absolute path. */
  readonly path: string;

  /** The node's id: 16 random bytes in hex. */
  readonly id: string;

  /** How many times the folder was opened under this id: 1 the first time, and durable. */
  readonly generation: number;

  /** The cluster that the data belongs to, if the folder says so. */
  readonly cluster: string | undefined;

  /** Why the id is new; `undefined` if it is the one that the folder had. */
  readonly newIdReason: NewIdReason | undefined;

  /** Takes a new id, durably: the node found out that it runs on a copy (rule 19). */
  renew(): void;

  /**
   * Raises the generation, durably, above what it is and above `above`: a forgotten node (rule 3).
   *
   * @throws {RangeError} if `above` is no whole number, which would let it fall
   */
  raiseGeneration(above?: number): void;

  /** Marks another folder as a backup of this one: opening it makes a new id. */
  markBackup(folder: string): void;

  /** Lets go of the folder. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Opens a data folder, making it if need be, and raises its generation: durable when this resolves, so
 * before the first packet can be sent (rule 19).
 *
 * @throws {DataFolderError} if it is in use, of another cluster, of an unknown version or damaged;
 * nothing in it has changed then
 * @throws {InputTypeError | InputRangeError} if `folder` is no path, or `cluster` no name of 1 to 64 bytes
 *
 * @example
 * ```ts
 * import { openDataFolder } from "@dnd/store-lmdb";
 *
 * const folder = await openDataFolder("./data", { cluster: "dnd" });
 * const { id, generation } = folder; // 32 hex characters; 1 the first time, 2 the next
 * await folder.close();
 * ```
 */
export async function openDataFolder(
  folder: string,
  options: DataFolderOptions = {},
): Promise<DataFolder> {
  checkPath("folder", folder);
  checkFolderOptions(options);
  const path = resolve(folder);
  makeFolder(path);
  checkIdentity(path, readIdentity(path), options);
  const lock = await takeOwnerLock(join(path, "owner.mdb"), path);
  try {
    const found = readIdentity(path); // nobody else writes it from here on
    checkIdentity(path, found, options);
    const reason = newIdReason(path, found);
    const kept = reason === undefined ? found : undefined;
    const identity: Identity = {
      layout: LAYOUT,
      algorithm: ALGORITHM,
      partitionLevel: PARTITION_LEVEL,
      id: kept?.id ?? newId(),
      generation: (kept?.generation ?? 0) + 1,
      cluster: options.cluster ?? found?.cluster,
    };
    writeIdentity(path, identity);
    return new OpenDataFolder(path, identity, lock, reason);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

class OpenDataFolder implements DataFolder {
  readonly path: string;
  #newIdReason: NewIdReason | undefined;
  #identity: Identity;
  readonly #lock: OwnerLock;
  #isClosed = false;

  constructor(
    path: string,
    identity: Identity,
    lock: OwnerLock,
    newIdReason: NewIdReason | undefined,
  ) {
    this.path = path;
    this.#newIdReason = newIdReason;
    this.#identity = identity;
    this.#lock = lock;
  }

  get id(): string {
    return this.#identity.id;
  }

  get generation(): number {
    return this.#identity.generation;
  }

  get cluster(): string | undefined {
    return this.#identity.cluster;
  }

  get newIdReason(): NewIdReason | undefined {
    return this.#newIdReason;
  }

  renew(): void {
    this.#replace({ ...this.#identity, id: newId(), generation: 1 });
    this.#newIdReason = "copy";
  }

  raiseGeneration(above: number = this.generation): void {
    if (!Number.isSafeInteger(above) || above < 0 || above >= Number.MAX_SAFE_INTEGER) {
      throw new RangeError(
        `Cannot raise the generation above ${String(above)}: it is no whole number that has a next`,
      );
    }
    this.#replace({ ...this.#identity, generation: Math.max(above, this.generation) + 1 });
  }

  markBackup(folder: string): void {
    this.#checkOpen();
    writeIdentity(folder, { ...this.#identity, backupOf: this.id });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#lock.release();
  }

  /** Another process may own it by now. */
  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new StorageError("closed", `Cannot change the data folder ${this.path}: it was closed`);
  }

  #replace(identity: Identity): void {
    this.#checkOpen();
    writeIdentity(this.path, identity);
    this.#identity = identity;
  }
}

function newId(): string {
  return randomBytes(16).toString("hex");
}

function newIdReason(path: string, found: Identity | undefined): NewIdReason | undefined {
  if (found === undefined) return hasData(path) ? "lost" : "new";
  if (found.backupOf !== undefined) return "backup";
  // The data is gone though there was some: under the old id, old stamps could be issued again.
  const used = existsSync(join(path, "ceiling")) && !hasData(path);
  return used ? "lost" : undefined;
}

function makeFolder(path: string): void {
  try {
    const made = makeFolderDeep(path);
    if (made === undefined) return;
    for (let at = path; at.length >= made.length; at = dirname(at)) syncFolder(dirname(at));
  } catch (error) {
    throw new DataFolderError("unreadable", `Cannot make the data folder ${path}: ${text(error)}`, {
      cause: error,
    });
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
