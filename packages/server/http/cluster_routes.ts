import { z } from "zod";
import { peerFault } from "../check_peer.ts";
import { jsonAnswer, type Answer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import { parseKeyPath } from "./key_path.ts";
import { jsonBodyProblems, readJson } from "./read_json.ts";
import { check, readQuery } from "./read_query.ts";
import type { Route } from "./route.ts";

const noQuery = z.strictObject({});
const done = z.strictObject({});
const maxBodyBytes = 64 * 1024;

const memberState = z.enum(["alive", "suspect", "stopped", "dead", "left", "forgotten"]);

const clusterSchema = z.strictObject({
  cluster: z.string(),
  node: z.string(),
  name: z.string(),
  version: z.string(),
  protocol: z.int(),
  generation: z.int(),
  counter: z.int(),
  digest: z.string(),
  keys: z.int(),
  ready: z.boolean(),
  members: z.array(
    z.strictObject({
      id: z.string(),
      name: z.string(),
      address: z.string(),
      httpAddress: z.string().nullable(),
      state: memberState,
      self: z.boolean(),
      incarnation: z.int(),
      generation: z.int(),
      stalled: z.boolean(),
      skewed: z.boolean(),
      rttMs: z.number().nullable(),
    }),
  ),
  copy: z
    .strictObject({ peer: z.string(), keys: z.int(), bytes: z.int(), percent: z.number() })
    .optional(),
});

const explanationSchema = z.strictObject({
  key: z.string(),
  etag: z.string().optional(),
  reason: z.string(),
  members: z.array(
    z.strictObject({
      node: z.string(),
      name: z.string(),
      state: memberState,
      counts: z.boolean(),
      answer: z.enum(["holds", "absent", "unreachable"]),
      etag: z.string().optional(),
      deleted: z.boolean().optional(),
      expires: z.iso.datetime().optional(),
      size: z.int().optional(),
      winner: z.boolean().optional(),
    }),
  ),
});

const peer = z.string().superRefine((text, context) => {
  const fault = peerFault(text);
  if (fault === undefined) return;
  context.addIssue({ code: "custom", message: `${JSON.stringify(text)} is no peer: ${fault}` });
});

const joinBody = z.strictObject({ peers: z.array(peer).min(1).max(100) });
/** A body with anything in it means something else than that this node leaves. */
const leaveBody = z.strictObject({});
const forgetBody = z.strictObject({ node: z.string().regex(/^[a-z0-9]{1,32}$/, "not a node id") });
const backupBody = z.strictObject({ folder: z.string().min(1).max(4096) });

/** The routes of an operator. */
export const clusterRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/cluster",
    name: "cluster",
    summary: "The answering node and the members it knows",
    role: "read",
    query: noQuery,
    answers: {
      200: { description: "The cluster", type: "application/json", schema: clusterSchema },
    },
    problems: ["internal"],
    handle: (exchange) => {
      readQuery(exchange, noQuery);
      return jsonAnswer(exchange.context.node.clusterInfo());
    },
  },
  {
    method: "POST",
    path: "/cluster/join",
    name: "join",
    summary: "Calls further peers",
    role: "admin",
    query: noQuery,
    body: { type: "application/json", schema: joinBody, description: "`host:port` of each peer" },
    answers: {
      200: { description: "They are called from now on", type: "application/json", schema: done },
    },
    problems: [...jsonBodyProblems, "internal"],
    handle: async (exchange) => {
      readQuery(exchange, noQuery);
      const { peers } = check(joinBody, await readJson(exchange, maxBodyBytes), "body");
      await exchange.context.node.join(peers);
      return jsonAnswer({});
    },
  },
  {
    method: "POST",
    path: "/cluster/leave",
    name: "leave",
    summary: "Leaves the cluster after one complete exchange with a ready member (rule 2)",
    role: "admin",
    query: noQuery,
    body: {
      type: "application/json",
      schema: leaveBody,
      description: "Nothing, or an empty object: the node that answers is the one that leaves",
      optional: true,
    },
    answers: { 200: { description: "It has left", type: "application/json", schema: done } },
    problems: [...jsonBodyProblems, "conflict", "not-ready", "storage-failed", "internal"],
    handle: async (exchange) => {
      readQuery(exchange, noQuery);
      check(leaveBody, await readJson(exchange, maxBodyBytes, { whenEmpty: {} }), "body");
      await exchange.context.node.leave({});
      return jsonAnswer({});
    },
  },
  {
    method: "POST",
    path: "/cluster/forget",
    name: "forget",
    summary: "Forgets a dead member (rule 3)",
    role: "admin",
    query: noQuery,
    body: { type: "application/json", schema: forgetBody, description: "Its id" },
    answers: { 200: { description: "It is forgotten", type: "application/json", schema: done } },
    problems: [...jsonBodyProblems, "conflict", "internal"],
    handle: async (exchange) => {
      readQuery(exchange, noQuery);
      const { node } = check(forgetBody, await readJson(exchange, maxBodyBytes), "body");
      await exchange.context.node.forget(node);
      return jsonAnswer({});
    },
  },
  {
    method: "POST",
    path: "/backup",
    name: "backup",
    summary: "Makes a consistent copy in a folder of the node's machine, while serving",
    role: "admin",
    query: noQuery,
    body: {
      type: "application/json",
      schema: backupBody,
      description: "A folder that is not there yet",
    },
    answers: {
      200: {
        description: "The copy is complete",
        type: "application/json",
        schema: z.strictObject({ folder: z.string() }),
      },
    },
    problems: [...jsonBodyProblems, "conflict", "storage-failed", "storage-full", "internal"],
    handle: async (exchange) => {
      readQuery(exchange, noQuery);
      const { folder } = check(backupBody, await readJson(exchange, maxBodyBytes), "body");
      return jsonAnswer(await exchange.context.node.backup(folder));
    },
  },
  {
    method: "GET",
    path: "/explain/{key}",
    name: "explain",
    summary: "Each member's version of the key, and why the winner won",
    role: "read",
    query: noQuery,
    answers: {
      200: { description: "The versions", type: "application/json", schema: explanationSchema },
    },
    problems: ["invalid-key", "key-too-large", "internal"],
    handle: explain,
  },
];

async function explain(exchange: Exchange, rest: string): Promise<Answer> {
  const key = parseKeyPath(rest);
  readQuery(exchange, noQuery);
  const { signal } = exchange;
  return jsonAnswer(await exchange.context.node.explain(key, { signal }));
}
