import { isAscii } from "node:buffer";
import { isJsonType, versionToEtag, versionToMs, type Receipt } from "@dnd/client";
import type { Entry } from "@dnd/store";
import { z } from "zod";
import { readsValue } from "../conditions.ts";
import { deleteValue } from "../delete_value.ts";
import { decode, timeText, unknownType } from "../entry_text.ts";
import { getValue } from "../get_value.ts";
import { isLater, Later } from "../later.ts";
import { putValue, type PutValueOptions } from "../put_value.ts";
import type { WriteOptions } from "../write.ts";
import type { Answer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import { parseKeyPath } from "./key_path.ts";
import { problemError, type ProblemCode } from "./problem.ts";
import { readBody } from "./read_body.ts";
import { concernParameter, readQuery, timeoutParameter, ttlParameter } from "./read_query.ts";
import type { Route } from "./route.ts";

const putQuery = z.strictObject({
  ttl: ttlParameter.optional(),
  w: concernParameter.optional(),
  timeout: timeoutParameter.optional(),
});
const deleteQuery = putQuery.omit({ ttl: true });
const noQuery = z.strictObject({});
/** What most writes have: nothing that a schema would have to look at. */
const noParameters: z.output<typeof putQuery> = {};

const writeHeaders = ["ETag", "Dnd-Replicas", "Dnd-Event", "Dnd-Superseded"];
const writeProblems: readonly ProblemCode[] = [
  "invalid-key",
  "key-too-large",
  "invalid-argument",
  "precondition-failed",
  "not-ready",
  "quorum-unavailable",
  "timeout",
  "too-many-requests",
  "storage-failed",
  "storage-full",
  "internal",
];
const conditionHeaders = {
  "If-Match": "write only if the answering node holds one of these; advisory between nodes",
  "If-None-Match":
    "write only if the answering node holds none of these; `*`: only if there is none",
};

/** The routes of one value. */
export const valueRoutes: readonly Route[] = [
  ...(["PUT", "POST"] as const).map((method): Route => ({
    method,
    path: "/kv/{key}",
    name: method === "PUT" ? "putValue" : "postValue",
    summary: "Stores a value",
    role: "write",
    query: putQuery,
    headers: conditionHeaders,
    body: {
      type: "*/*",
      description:
        "The value. Without a type, or with application/x-www-form-urlencoded (what `curl -d` sends), it is JSON. JSON is checked and stored as it was sent; anything else is bytes with their type",
    },
    answers: {
      200: {
        description: "Stored, and durable on as many members as asked for",
        type: "text/plain; charset=utf-8",
        headers: writeHeaders,
      },
    },
    problems: [...writeProblems, "invalid-json", "value-too-large", "unsupported-media-type"],
    handle: put,
  })),
  {
    method: "GET",
    path: "/kv/{key}",
    name: "getValue",
    summary: "Reads a value",
    role: "read",
    query: noQuery,
    headers: {
      "If-Match": "answer 412 if the value is none of these",
      "If-Unmodified-Since":
        "answer 412 if the value is newer; looked at only without If-Match, and only if it is a date",
      "If-None-Match": "answer 304 if the value is still one of these",
      "If-Modified-Since":
        "answer 304 if the value is no newer; looked at only without If-None-Match, and only if it is a date",
    },
    answers: {
      200: {
        description: "The bytes as they were stored",
        type: "*/*",
        headers: ["ETag", "Last-Modified", "Dnd-Expires"],
      },
      304: {
        description: "The value is still the one that the caller knows",
        headers: ["ETag", "Last-Modified", "Dnd-Expires"],
      },
    },
    problems: [
      "invalid-key",
      "key-too-large",
      "invalid-argument",
      "not-found",
      "precondition-failed",
      "not-ready",
      "storage-failed",
      "internal",
    ],
    handle: get,
  },
  {
    method: "DELETE",
    path: "/kv/{key}",
    name: "deleteValue",
    summary: "Deletes a key",
    role: "write",
    query: deleteQuery,
    headers: conditionHeaders,
    answers: {
      204: { description: "Deleted", headers: ["Dnd-Existed", ...writeHeaders] },
    },
    problems: writeProblems,
    handle: remove,
  },
];

/**
 * The media type of a request. Absent, or what `curl -d` sends: JSON, as it has always been.
 *
 * @throws {DndError} `unsupported-media-type` for JSON that is not in UTF-8
 */
function requestType(exchange: Exchange): string {
  const type = exchange.request.headers["content-type"];
  if (type === undefined || type === "" || type === "application/json") return "application/json";
  if (/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) return "application/json";
  if (isJsonType(type)) {
    const charset = /;\s*charset\s*=\s*"?([^\s";]*)/i.exec(type)?.[1]?.toLowerCase();
    if (charset !== undefined && charset !== "utf-8" && charset !== "utf8") {
      throw problemError(
        "unsupported-media-type",
        `JSON must be in UTF-8, not ${JSON.stringify(charset)}`,
      );
    }
  }
  return type;
}

function writeOptions(exchange: Exchange, query: z.output<typeof putQuery>): WriteOptions {
  checkWriteHeaders(exchange);
  const { headers } = exchange.request;
  return {
    w: query.w,
    timeoutMs: query.timeout,
    ifMatch: headers["if-match"],
    ifNoneMatch: headers["if-none-match"],
    signal: query.w === undefined ? undefined : exchange.signal,
  };
}

function checkWriteHeaders({ request: { headers } }: Exchange): void {
  if (headers["if-unmodified-since"] !== undefined || headers["if-modified-since"] !== undefined) {
    throw problemError("invalid-argument", "Conditions by date are not supported; use If-Match");
  }
}

function put(exchange: Exchange, rest: string): PromiseLike<Answer> {
  const key = parseKeyPath(rest);
  const query = exchange.query === undefined ? noParameters : readQuery(exchange, putQuery);
  const contentType = requestType(exchange);
  checkWriteHeaders(exchange);
  const { context } = exchange;
  const { headers } = exchange.request;
  if (headers["content-range"] !== undefined) {
    throw problemError("invalid-argument", "Parts of a value cannot be stored (Content-Range)");
  }
  const options: PutValueOptions = {
    contentType,
    ttlMs: query.ttl,
    w: query.w,
    timeoutMs: query.timeout,
    ifMatch: headers["if-match"],
    ifNoneMatch: headers["if-none-match"],
    signal: query.w === undefined ? undefined : exchange.signal,
  };
  return readBody(exchange, context.valueLimit, (bytes) => {
    if (isJsonType(contentType)) checkJson(bytes, contentType);
    const receipt = putValue(context.node, key, bytes, options);
    if (!isLater(receipt)) return putAnswer(receipt);
    return receipt instanceof Later ? receipt.map(putAnswer) : receipt.then(putAnswer);
  });
}

function putAnswer(receipt: Receipt): Answer {
  return {
    status: 200,
    headers: receiptHeaders("Content-Type", "text/plain; charset=utf-8", receipt),
    body: "OK",
  };
}

function checkJson(bytes: Uint8Array, contentType: string): void {
  // Most JSON is ASCII, whose text is made by copying it.
  const text = Buffer.isBuffer(bytes) && isAscii(bytes) ? bytes.toString("latin1") : decode(bytes);
  try {
    if (text === undefined) throw new SyntaxError("it is not UTF-8");
    JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : "";
    throw problemError(
      "invalid-json",
      `The value is not JSON (${why}), but its type is ${contentType}; send other bytes with their Content-Type`,
    );
  }
}

/** The last value of Dnd-Replicas: it hardly ever changes. */
let replicas = { acked: 0, needed: 0, members: 0, text: "" };

function replicasText({ acked, needed, members }: Receipt): string {
  if (replicas.acked !== acked || replicas.needed !== needed || replicas.members !== members) {
    const text = `acked=${acked}, needed=${needed}, members=${members}`;
    replicas = { acked, needed, members, text };
  }
  return replicas.text;
}

function receiptHeaders(name: string, value: string, receipt: Receipt): string[] {
  const headers = [name, value, "ETag", receipt.etag, "Dnd-Replicas", replicasText(receipt)];
  if (receipt.event !== undefined) headers.push("Dnd-Event", receipt.event);
  if (receipt.superseded) headers.push("Dnd-Superseded", "true");
  return headers;
}

/** Node formats the date of an answer once a second; so do we with the dates of entries. */
let dateSecond = -1;
let dateText = "";

function httpDate(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}

function entryHeaders(entry: Entry, etag: string): string[] {
  const headers = [
    "Content-Type",
    entry.contentType ?? unknownType,
    "ETag",
    etag,
    "Last-Modified",
    httpDate(versionToMs(entry.version)),
    "Cache-Control",
    "no-cache",
    "X-Content-Type-Options",
    "nosniff",
    "Content-Security-Policy",
    "sandbox; default-src 'none'",
  ];
  if (entry.expiresAt !== undefined) headers.push("Dnd-Expires", timeText(entry.expiresAt));
  return headers;
}

function get(exchange: Exchange, rest: string): Answer {
  const key = parseKeyPath(rest);
  if (exchange.query !== undefined) readQuery(exchange, noQuery);
  const entry = getValue(exchange.context.node, key);
  if (entry === undefined) {
    throw problemError("not-found", `There is no key ${JSON.stringify(key)}`);
  }
  const etag = versionToEtag(entry.version);
  const headers = entryHeaders(entry, etag);
  if (exchange.mayBeConditional && !isWanted(exchange, entry, etag))
    return { status: 304, headers };
  return { status: 200, headers, body: entry.value };
}

function isWanted({ request: { headers } }: Exchange, entry: Entry, etag: string): boolean {
  return readsValue(
    { etag, modifiedMs: versionToMs(entry.version) },
    {
      ifMatch: headers["if-match"],
      ifNoneMatch: headers["if-none-match"],
      ifModifiedSince: headers["if-modified-since"],
      ifUnmodifiedSince: headers["if-unmodified-since"],
    },
  );
}

async function remove(exchange: Exchange, rest: string): Promise<Answer> {
  const key = parseKeyPath(rest);
  const query = readQuery(exchange, deleteQuery);
  const receipt = await deleteValue(
    exchange.context.node,
    key,
    writeOptions(exchange, { ...query, ttl: undefined }),
  );
  return {
    status: 204,
    headers: receiptHeaders("Dnd-Existed", String(receipt.existed), receipt),
  };
}
