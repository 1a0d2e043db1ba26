import {
  DndError,
  checkKey,
  etagToVersion,
  isJsonType,
  versionToMs,
  type ImportFailure,
  type ImportResult,
} from "@dnd/client";
import type { Entry } from "@dnd/store";
import { z } from "zod";
import type { NodeCore } from "./node_core.ts";
import { invalidArgument, toNodeError } from "./node_error.ts";
import { beginPut, checkContentType, valueTooLarge } from "./put_value.ts";
import { unknownType } from "./entry_text.ts";

/** Failures that are listed; the rest is only counted. */
const maxFailures = 1000;

/** Lines between two waits for the disk. */
const sliceLines = 500;
const sliceBytes = 4 * 1024 * 1024;

/** What a replica must take (rule 4): the bound of an import that keeps versions. */
const maxReplicaValueBytes = 16 * 1024 * 1024;

/** A line of an export; what is missing has a default, so that files made by hand work too. */
export const importLineSchema = z.strictObject({
  key: z.string(),
  encoding: z.enum(["utf8", "base64"]).default("utf8"),
  value: z.string(),
  contentType: z.string().optional(),
  expires: z.iso.datetime({ offset: true }).optional(),
  etag: z.string().optional(),
});

type ImportLine = z.output<typeof importLineSchema>;

/** How lines are stored. */
export interface ImportEntriesOptions {
  /** Merge with the old versions instead of writing anew. */
  readonly keepVersions?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A line, or why it is none. */
export type LineText = string | { readonly error: DndError };

/**
 * Stores lines of an export. A bad line stops nothing; a write that the storage refuses ends it.
 *
 * @param lines the lines without their ends; blank ones are passed over
 */
export async function importEntries(
  node: NodeCore,
  lines: AsyncIterable<LineText>,
  options: ImportEntriesOptions = {},
): Promise<ImportResult & { readonly failedCount: number }> {
  const failed: ImportFailure[] = [];
  let failedCount = 0;
  let imported = 0;
  let number = 0;
  let slice: Entry[] = [];
  let bytes = 0;
  try {
    for await (const line of lines) {
      options.signal?.throwIfAborted();
      number += 1;
      if (typeof line === "string" && line.trim() === "") continue;
      try {
        if (typeof line !== "string") throw line.error;
        const entry = importLine(node, parseLine(line), options.keepVersions === true);
        if (entry !== undefined) slice.push(entry);
        bytes += line.length;
        imported += 1;
      } catch (error) {
        const known = toNodeError(error);
        // Busy or full is nothing about this line: the whole import stops there.
        if (!(known instanceof DndError) || known.status > 413) throw known;
        failedCount += 1;
        if (failed.length < maxFailures) {
          failed.push({ line: number, code: known.code, detail: known.message });
        }
      }
      if (slice.length >= sliceLines || bytes >= sliceBytes) {
        await node.written(slice);
        slice = [];
        bytes = 0;
      }
    }
    if (slice.length > 0) await node.written(slice);
  } catch (error) {
    throw toNodeError(error);
  }
  return { imported, failed, failedCount };
}

function parseLine(text: string): ImportLine {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new DndError("invalid-json", "The line is not JSON", { status: 400 });
  }
  const result = importLineSchema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.join(".") ?? "";
  throw invalidArgument(`${path === "" ? "" : `${path}: `}${issue?.message ?? "not a line"}`);
}

function lineBytes(line: ImportLine): Uint8Array {
  if (line.encoding === "utf8") {
    if (/\p{Surrogate}/u.test(line.value)) {
      throw invalidArgument("value: a lone surrogate cannot be written in UTF-8");
    }
    return new TextEncoder().encode(line.value);
  }
  return decodeBase64(line.value);
}

/** Strict base64: Node's own decoder skips what it does not know. */
export function decodeBase64(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) {
    throw invalidArgument("value: not base64");
  }
  return new Uint8Array(Buffer.from(text, "base64"));
}

function importLine(node: NodeCore, line: ImportLine, keepVersions: boolean): Entry | undefined {
  checkKey(line.key);
  const bytes = lineBytes(line);
  const contentType = line.contentType ?? unknownType;
  if (isJsonType(contentType) && line.contentType !== undefined) checkJson(bytes);
  const now = node.now();
  const expiresAt = line.expires === undefined ? undefined : Date.parse(line.expires);
  if (expiresAt !== undefined && !(expiresAt >= 0)) throw invalidArgument("expires: not a time");
  if (!keepVersions) {
    if (expiresAt !== undefined && expiresAt <= now) {
      throw invalidArgument(`expires: ${line.expires} is in the past`);
    }
    const ttlMs = expiresAt === undefined ? {} : { ttlMs: expiresAt - now };
    return beginPut(node, line.key, bytes, { contentType, now, ...ttlMs }).entry;
  }
  node.checkOpen();
  checkContentType(contentType);
  if (bytes.length > maxReplicaValueBytes) throw valueTooLarge(bytes.length, node);
  const version = line.etag === undefined ? undefined : etagToVersion(line.etag);
  if (version === undefined) {
    throw invalidArgument("etag: needed to keep the version, as an export writes it");
  }
  const entry: Entry = {
    key: line.key,
    value: bytes,
    version,
    contentType,
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
  const [result] = node.map.merge([entry], { now });
  if (result === "refused") {
    throw invalidArgument(
      `etag: the version is of ${new Date(versionToMs(version)).toISOString()}, too far ahead of the clock`,
    );
  }
  return result === "applied" ? entry : undefined;
}

function checkJson(bytes: Uint8Array): void {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw new DndError("invalid-json", "The value is not JSON, but its type says so", {
      status: 400,
      outcome: "not-applied",
    });
  }
}
