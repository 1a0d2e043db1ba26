import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { z } from "zod";
import { exportEntries } from "../export_entries.ts";
import { importEntries, importLineSchema } from "../import_entries.ts";
import { requireRole } from "./admission.ts";
import { jsonAnswer, type Answer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import { readLines } from "./read_body.ts";
import { readQuery } from "./read_query.ts";
import { refuseConditions } from "./refuse_conditions.ts";
import type { Route } from "./route.ts";

const exportQuery = z.strictObject({ prefix: z.string().optional() });
const importQuery = z.strictObject({
  keep: z.literal("versions", { error: 'write "versions"' }).optional(),
});

/** A value of 16 MiB whose every byte is escaped as six characters, and the rest of its line. */
const maxLineBytes = 6 * 16 * 1024 * 1024 + 16 * 1024;

/** The routes that move a whole data set. */
export const transferRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/export",
    name: "export",
    summary: "All entries in key order, a line each; the bytes survive",
    role: "read",
    query: exportQuery,
    answers: {
      200: { description: "The lines", type: "application/x-ndjson", schema: importLineSchema },
    },
    problems: ["invalid-argument", "not-ready", "storage-failed", "internal"],
    handle: exportLines,
  },
  {
    method: "POST",
    path: "/import",
    name: "import",
    summary: "Stores the lines of an export; a bad line stops nothing",
    role: "write",
    query: importQuery,
    body: {
      type: "application/x-ndjson",
      schema: importLineSchema,
      description: "The lines; with `?keep=versions` (role admin) they keep their old versions",
    },
    answers: {
      200: {
        description: "What was stored, and what was not; the first 1,000 failures are listed",
        type: "application/json",
        schema: z.strictObject({
          imported: z.int().nonnegative(),
          failed: z.array(
            z.strictObject({ line: z.int().positive(), code: z.string(), detail: z.string() }),
          ),
          failedCount: z.int().optional(),
        }),
      },
    },
    problems: [
      "invalid-argument",
      "unsupported-media-type",
      "too-many-requests",
      "storage-failed",
      "storage-full",
      "internal",
    ],
    handle: importLines,
  },
];

function exportLines(exchange: Exchange): Answer {
  const { prefix = "" } = readQuery(exchange, exportQuery);
  const chunks = exportEntries(exchange.context.node, prefix)[Symbol.iterator]();
  // Made before the head goes out: a storage that fails is an answer, and no connection that breaks.
  let chunk = chunks.next();
  return {
    status: 200,
    headers: ["Content-Type", "application/x-ndjson", "Cache-Control", "no-cache"],
    body: async (response, signal) => {
      for (; chunk.done !== true; chunk = chunks.next()) {
        if (signal.aborted) return;
        // Nothing is read ahead of the client: a slow one holds one chunk, not the data set.
        if (!response.write(chunk.value)) await once(response, "drain", { signal });
        else await nextTurn();
      }
    },
  };
}

async function importLines(exchange: Exchange): Promise<Answer> {
  const query = readQuery(exchange, importQuery);
  refuseConditions(exchange);
  const keepVersions = query.keep === "versions";
  if (keepVersions) requireRole(exchange, "admin");
  const lines = readLines(exchange, maxLineBytes);
  const result = await importEntries(exchange.context.node, lines, { keepVersions });
  const { imported, failed, failedCount } = result;
  return jsonAnswer({
    imported,
    failed,
    ...(failedCount > failed.length ? { failedCount } : {}),
  });
}
