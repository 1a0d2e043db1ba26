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
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { crc32 } from "node:zlib";
import { ALGORITHM } from "@dnd/store/engine";
import { LAYOUT, OLD_LAYOUT } from "./_rows.ts";
import { DataFolderError } from "./data_folder_error.ts";
import { type OwnerLock, takeOwnerLock } from "./_owner_lock.ts";
import { replaceFile, syncFolder } from "./_durable_files.ts";
import { makeFolderDeep } from "./_make_folder.ts";

/** The level of the digest tree whose nodes are the partitions of the ring (rule 14). */
export const PARTITION_LEVEL = 2;

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

interface Identity {
  readonly layout: number;
  readonly algorithm: number;
  readonly partitionLevel: number;
  readonly id: string;
  readonly generation: number;
  readonly cluster?: string | undefined;

  /** Present in a backup: the node that it was made of. */
  readonly backupOf?: string | undefined;
}

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
    writeIdentity(folder, { ...this.#identity, backupOf: this.id });
  }

  async close(): Promise<void> {
    await this.#lock.release();
  }

  #replace(identity: Identity): void {
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

/** Whether there is a data file. LMDB takes one without a byte for a new one. */
function hasData(path: string): boolean {
  return (statSync(join(path, "data.mdb"), { throwIfNoEntry: false })?.size ?? 0) > 0;
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

function identityPath(path: string): string {
  return join(path, "identity.json");
}

function writeIdentity(path: string, identity: Identity): void {
  const body = JSON.stringify(identity);
  const check = crc32(body).toString(16).padStart(8, "0");
  replaceFile(identityPath(path), `${body}\n${check}\n`);
}

function readIdentity(path: string): Identity | undefined {
  let content: string;
  try {
    content = readFileSync(identityPath(path), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new DataFolderError("unreadable", `Cannot read ${identityPath(path)}: ${text(error)}`, {
      cause: error,
    });
  }
  const [body = "", check = ""] = content.split("\n");
  if (check !== crc32(body).toString(16).padStart(8, "0")) {
    throw new DataFolderError(
      "damaged",
      `Cannot open the data folder ${path}: identity.json is damaged. ` +
        "Delete that file to keep the data under a new node id, or restore a backup",
    );
  }
  return JSON.parse(body) as Identity;
}

function checkIdentity(
  path: string,
  identity: Identity | undefined,
  { cluster }: DataFolderOptions,
): void {
  if (identity === undefined) return;
  for (const [name, found, known] of [
    ["layout", identity.layout, LAYOUT],
    ["hash algorithm", identity.algorithm, ALGORITHM],
    ["partition level", identity.partitionLevel, PARTITION_LEVEL],
  ] as const) {
    if (found === known || (name === "layout" && found === OLD_LAYOUT)) continue;
    throw new DataFolderError(
      "version",
      `Cannot open the data folder ${path}: its ${name} is ${found}, this version knows ${known}. ` +
        "Use the version of dnd that wrote it, or export there and import here",
    );
  }
  if (identity.backupOf !== undefined && !hasData(path)) {
    throw new DataFolderError(
      "damaged",
      `Cannot open the data folder ${path}: it holds a backup that was cut short. Use another one`,
    );
  }
  if (cluster !== undefined && identity.cluster !== undefined && identity.cluster !== cluster) {
    throw new DataFolderError(
      "cluster",
      `Cannot open the data folder ${path}: it belongs to cluster "${identity.cluster}", ` +
        `not to "${cluster}". Name that cluster, or another folder`,
    );
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
