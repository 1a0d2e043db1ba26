// identity.json: whose data a folder holds. One line of JSON and its CRC-32, replaced as a whole (rule 19).
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { ALGORITHM, PARTITION_LEVEL } from "@dnd/store/engine";
import { replaceFile } from "./_durable_files.ts";
import { LAYOUT, OLD_LAYOUT } from "./_rows.ts";
import { DataFolderError } from "./data_folder_error.ts";

/** What the ids of nodes look like. */
const NODE_ID = /^[0-9a-f]{32}$/;

/** Whose data it is. */
export interface Identity {
  readonly layout: number;
  readonly algorithm: number;
  readonly partitionLevel: number;
  readonly id: string;
  readonly generation: number;
  readonly cluster?: string | undefined;

  /** Present in a backup: the node that it was made of. */
  readonly backupOf?: string | undefined;
}

/** Whether there is a data file. LMDB takes one without a byte for a new one. */
export function hasData(path: string): boolean {
  return (statSync(join(path, "data.mdb"), { throwIfNoEntry: false })?.size ?? 0) > 0;
}

function identityPath(path: string): string {
  return join(path, "identity.json");
}

/** Writes it, durably. */
export function writeIdentity(path: string, identity: Identity): void {
  const body = JSON.stringify(identity);
  const check = crc32(body).toString(16).padStart(8, "0");
  replaceFile(identityPath(path), `${body}\n${check}\n`);
}

/**
 * Reads it.
 *
 * @returns `undefined` if there is none
 * @throws {DataFolderError} `damaged` or `unreadable`
 */
export function readIdentity(path: string): Identity | undefined {
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
  if (check !== crc32(body).toString(16).padStart(8, "0")) throw damagedIdentity(path);
  let identity: unknown;
  try {
    identity = JSON.parse(body);
  } catch {
    throw damagedIdentity(path);
  }
  if (typeof identity !== "object" || identity === null) throw damagedIdentity(path);
  return identity as Identity;
}

function damagedIdentity(path: string): DataFolderError {
  return new DataFolderError(
    "damaged",
    `Cannot open the data folder ${path}: identity.json is damaged. ` +
      "Delete that file to keep the data under a new node id, or restore a backup",
  );
}

/** Whether everything that this version wants to know of a node is there, and what it should be. */
function isWhole({ id, generation, cluster, backupOf }: Partial<Identity>): boolean {
  const areTexts = [cluster, backupOf].every(
    (text) => text === undefined || typeof text === "string",
  );
  const isGeneration = Number.isSafeInteger(generation) && Number(generation) >= 0;
  return typeof id === "string" && NODE_ID.test(id) && isGeneration && areTexts;
}

/** @throws {DataFolderError} if this version, or a node of this cluster, cannot use the folder */
export function checkIdentity(
  path: string,
  identity: Identity | undefined,
  { cluster }: { readonly cluster?: string | undefined },
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
  if (!isWhole(identity)) throw damagedIdentity(path);
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
