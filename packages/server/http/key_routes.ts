import { encodeValue, isJsonType } from "@dnd/client";
import { z } from "zod";
import { deletePrefix } from "../delete_prefix.ts";
import { valueText, timeText } from "../entry_text.ts";
import { decodeBase64 } from "../import_entries.ts";
import { listKeys } from "../list_keys.ts";
import { invalidArgument } from "../node_error.ts";
import { runBatch, type BatchStep, type BatchStepResult } from "../run_batch.ts";
import { requireRole } from "./admission.ts";
import { jsonAnswer, type Answer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import { itemJson, itemSchema } from "./item_json.ts";
import { problemError, toProblem } from "./problem.ts";
import { jsonBodyProblems, readJson } from "./read_json.ts";
import { check, readQuery, switchParameter, ttlParameter } from "./read_query.ts";
import { refuseConditions } from "./refuse_conditions.ts";
import type { Route } from "./route.ts";

const listQuery = z.strictObject({
  prefix: z.string().optional(),
  limit: z
    .string()
    .regex(/^[0-9]{1,9}$/, "write a number from 1 to 1000")
    .transform(Number)
    .meta({ description: "1 to 1000, default 100" })
    .optional(),
  cursor: z.string().optional(),
  values: switchParameter.optional(),
  delimiter: z.string().optional(),
});

const noQuery = z.strictObject({});
const deleteQuery = z.strictObject({ prefix: z.string() });

const ttlField = z.union([z.int().positive().meta({ description: "seconds" }), ttlParameter]);

/** The body of a batch. Its operations are checked one by one: a bad one fails alone. */
const batchBody = z.strictObject({ ops: z.array(z.unknown()) });

const operationSchema = z.discriminatedUnion("op", [
  z.strictObject({
    op: z.literal("put"),
    key: z.string(),
    value: z.unknown(),
    encoding: z.enum(["json", "utf8", "base64"]).optional(),
    contentType: z.string().optional(),
    ttl: ttlField.optional(),
  }),
  z.strictObject({ op: z.literal("get"), key: z.string() }),
  z.strictObject({ op: z.literal("delete"), key: z.string() }),
  z.strictObject({ op: z.literal("touch"), key: z.string(), ttl: ttlField.optional() }),
]);

const documentedBatch = z.strictObject({ ops: z.array(operationSchema).max(1000) });

const maxBatchBytes = 16 * 1024 * 1024;

/** The routes of many keys. */
export const keyRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/kv",
    name: "listKeys",
    summary: "Lists keys in the order of their UTF-8 bytes",
    role: "read",
    query: listQuery,
    answers: {
      200: {
        description: "A page",
        type: "application/json",
        schema: z.strictObject({
          items: z.array(itemSchema),
          prefixes: z.array(z.string()).optional(),
          cursor: z.string().optional(),
        }),
        headers: ["Dnd-Event"],
      },
    },
    problems: ["invalid-argument", "not-ready", "storage-failed", "internal"],
    handle: list,
  },
  {
    method: "DELETE",
    path: "/kv",
    name: "deletePrefix",
    summary: "Deletes all keys that start so",
    role: "write",
    query: deleteQuery,
    answers: {
      200: {
        description: "How many were deleted",
        type: "application/json",
        schema: z.strictObject({ deleted: z.int().nonnegative() }),
      },
    },
    problems: [
      "invalid-argument",
      "not-ready",
      "storage-failed",
      "storage-full",
      "too-many-requests",
      "internal",
    ],
    handle: removePrefix,
  },
  {
    method: "POST",
    path: "/batch",
    name: "runBatch",
    summary: "Runs up to 1,000 operations; not atomic, each has its own status",
    role: "read",
    query: noQuery,
    body: {
      type: "application/json",
      schema: documentedBatch,
      description: "The operations; puts, deletes and touches need the role write",
    },
    answers: {
      200: {
        description: "The results, in the order of the operations",
        type: "application/json",
        schema: z.strictObject({
          results: z.array(
            z.strictObject({
              status: z.int(),
              key: z.string(),
              etag: z.string().optional(),
              contentType: z.string().optional(),
              size: z.int().nonnegative().optional(),
              expires: z.iso.datetime().optional(),
              existed: z.boolean().optional(),
              encoding: z.enum(["json", "utf8", "base64"]).optional(),
              value: z.unknown().optional(),
              code: z.string().optional(),
              title: z.string().optional(),
              detail: z.string().optional(),
              type: z.string().optional(),
              outcome: z.string().optional(),
            }),
          ),
        }),
      },
    },
    problems: [...jsonBodyProblems, "invalid-argument", "forbidden"],
    handle: batch,
  },
];

function list(exchange: Exchange): Answer {
  const query = readQuery(exchange, listQuery);
  const page = listKeys(exchange.context.node, query);
  const items = page.entries.map((entry) => itemJson(entry, query.values === true)).join(",");
  const prefixes =
    (query.delimiter ?? "") === "" ? "" : `,"prefixes":${JSON.stringify(page.prefixes)}`;
  const cursor = page.cursor === undefined ? "" : `,"cursor":${JSON.stringify(page.cursor)}`;
  return jsonAnswer(`{"items":[${items}]${prefixes}${cursor}}`, {
    headers: ["Dnd-Event", page.event, "Cache-Control", "no-cache"],
  });
}

async function removePrefix(exchange: Exchange): Promise<Answer> {
  const { prefix } = readQuery(exchange, deleteQuery);
  refuseConditions(exchange);
  const { signal } = exchange;
  return jsonAnswer({ deleted: await deletePrefix(exchange.context.node, prefix, { signal }) });
}

async function batch(exchange: Exchange): Promise<Answer> {
  readQuery(exchange, noQuery);
  refuseConditions(exchange);
  const { ops } = check(batchBody, await readJson(exchange, maxBatchBytes), "batch");
  const steps = ops.map(readStep);
  if (steps.some((step) => step.op !== "get")) requireRole(exchange, "write");
  const results = await runBatch(exchange.context.node, steps);
  return jsonAnswer(`{"results":[${results.map(resultJson).join(",")}]}`);
}

/** The key of an operation, however wrong the rest of it is. */
function stepKey(value: unknown): string {
  if (typeof value !== "object" || value === null || !("key" in value)) return "";
  return typeof value.key === "string" ? value.key : "";
}

function readStep(value: unknown): BatchStep {
  const key = stepKey(value);
  try {
    const step = check(operationSchema, value, "operation");
    if (step.op === "get" || step.op === "delete") return { op: step.op, key };
    const ttlMs = typeof step.ttl === "number" ? ttlOf(value, step.ttl) : undefined;
    if (step.op === "touch") return { op: "touch", key, ttlMs };
    return { op: "put", key, ttlMs, ...stepValue(step) };
  } catch (error) {
    return { op: "bad", key, error };
  }
}

/** A number in JSON is seconds; a text has been read as a duration already. */
function ttlOf(value: unknown, ttl: number): number {
  const { ttl: written } = value as { ttl?: unknown };
  return typeof written === "number" ? ttl * 1000 : ttl;
}

function stepValue(step: {
  readonly value: unknown;
  readonly encoding?: "json" | "utf8" | "base64" | undefined;
  readonly contentType?: string | undefined;
}) {
  const { value, contentType, encoding = "json" } = step;
  if (encoding === "json") {
    if (value === undefined) throw invalidArgument("Cannot use the operation: value is missing");
    const type = contentType ?? "application/json";
    if (!isJsonType(type)) {
      throw invalidArgument(`Cannot store JSON as ${type}: write an encoding of utf8 or base64`);
    }
    return { bytes: new TextEncoder().encode(JSON.stringify(value)), contentType: type };
  }
  if (typeof value !== "string") {
    throw invalidArgument(`Cannot use the operation: with encoding ${encoding} value is a string`);
  }
  if (encoding === "base64") {
    return encodeValue(decodeBase64(value), contentType ?? "application/octet-stream");
  }
  if (/\p{Surrogate}/u.test(value)) {
    throw invalidArgument("Cannot use the operation: value has a lone surrogate");
  }
  return encodeValue(value, contentType ?? "text/plain; charset=utf-8");
}

/** What a get or a touch of a key alone would say that is not there. */
function absent({ key, status }: BatchStepResult) {
  if (status !== 404) return {};
  return toProblem(problemError("not-found", `There is no key ${JSON.stringify(key)}`), false);
}

function resultJson(result: BatchStepResult): string {
  const { key, status, etag, entry, expiresAt, existed, error } = result;
  const head = JSON.stringify({
    status,
    key,
    etag,
    contentType: entry?.contentType,
    size: entry?.value.length,
    ...(expiresAt === undefined ? {} : { expires: timeText(expiresAt) }),
    existed,
    ...(error === undefined ? absent(result) : toProblem(error, true)),
  });
  if (entry === undefined) return head;
  const { encoding, json } = valueText(entry);
  return `${head.slice(0, -1)},"encoding":"${encoding}","value":${json}}`;
}
