import { z } from "zod";
import { jsonAnswer, textAnswer } from "./answer.ts";
import { readQuery } from "./read_query.ts";
import type { Route } from "./route.ts";

const noQuery = z.strictObject({});

const readinessSchema = z.strictObject({
  ready: z.boolean(),
  alone: z.boolean().optional(),
  reasons: z.array(z.string()).optional(),
});

/** The routes of health checks: no token, certificate or host is needed. */
export const healthRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/health",
    name: "health",
    summary: "Whether the process serves",
    query: noQuery,
    answers: { 200: { description: "It serves", type: "text/plain; charset=utf-8" } },
    problems: ["invalid-argument"],
    handle: (exchange) => {
      readQuery(exchange, noQuery);
      return textAnswer("OK");
    },
  },
  {
    method: "GET",
    path: "/health/ready",
    name: "readiness",
    summary: "Whether the node is ready: first exchange complete, store writable, clock not skewed",
    query: noQuery,
    answers: {
      200: { description: "Ready", type: "application/json", schema: readinessSchema },
      503: {
        description: "Not ready",
        type: "application/json",
        schema: readinessSchema,
        headers: ["Retry-After"],
      },
    },
    problems: ["invalid-argument"],
    handle: (exchange) => {
      readQuery(exchange, noQuery);
      const readiness = exchange.context.node.readiness();
      return jsonAnswer(readiness, {
        status: readiness.ready ? 200 : 503,
        headers: readiness.ready ? [] : ["Retry-After", "1"],
      });
    },
  },
];
