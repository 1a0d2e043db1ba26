import { z } from "zod";
import { readQuery } from "./read_query.ts";
import type { Route } from "./route.ts";

const noQuery = z.strictObject({});

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>dnd</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:3em auto;padding:0 1em}</style>
<h1>dnd</h1>
<p>This is a node of a replicated key-value store.</p>
<ul>
<li><a href="/cluster">The cluster and its members</a>
<li><a href="/kv">Keys</a>
<li><a href="/health/ready">Whether this node is ready</a>
<li><a href="/metrics">Metrics</a>
<li><a href="/openapi.json">The API (OpenAPI 3.1)</a>
</ul>
</html>
`;

/** The page of links at the root. */
export const pageRoute: Route = {
  method: "GET",
  path: "/",
  name: "page",
  summary: "A page of links",
  role: "read",
  query: noQuery,
  answers: { 200: { description: "The page", type: "text/html; charset=utf-8" } },
  problems: ["invalid-argument"],
  handle: (exchange) => {
    readQuery(exchange, noQuery);
    return {
      status: 200,
      headers: [
        ...["Content-Type", "text/html; charset=utf-8"],
        ...["X-Content-Type-Options", "nosniff", "X-Frame-Options", "DENY"],
        ...["Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"],
      ],
      body: page,
    };
  },
};

/** The metrics in Prometheus' text format. */
export const metricsRoute: Route = {
  method: "GET",
  path: "/metrics",
  name: "metrics",
  summary: "Prometheus text",
  role: "read",
  query: noQuery,
  answers: {
    200: { description: "The metrics", type: "text/plain; version=0.0.4; charset=utf-8" },
  },
  problems: ["internal"],
  handle: async (exchange) => {
    readQuery(exchange, noQuery);
    const { contentType, text } = await exchange.context.metrics();
    return { status: 200, headers: ["Content-Type", contentType], body: text };
  },
};
