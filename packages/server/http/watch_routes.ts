import { checkKey } from "@dnd/client";
import { z } from "zod";
import { invalidArgument } from "../node_error.ts";
import type { Answer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import { readQuery, switchParameter } from "./read_query.ts";
import type { Route } from "./route.ts";
import type { WatchHub } from "./watch_hub.ts";

const watchQuery = z.strictObject({
  prefix: z.string().optional(),
  key: z.string().min(1, "write a key, or leave it out").optional(),
  values: switchParameter.optional(),
  after: z
    .string()
    .min(1, "write the id of an event, or leave it out")
    .meta({ description: "continue behind this id; Last-Event-ID beats it" })
    .optional(),
});

/** The route of watches. */
export function watchRoutes(hub: WatchHub): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/watch",
      name: "watch",
      summary: "Follows changes as server-sent events: put, delete, expire, reset",
      role: "read",
      query: watchQuery,
      headers: { "Last-Event-ID": "continue behind this id" },
      answers: { 200: { description: "The events", type: "text/event-stream" } },
      problems: ["invalid-argument", "key-too-large"],
      handle: (exchange) => watch(exchange, hub),
    },
  ];
}

function watch(exchange: Exchange, hub: WatchHub): Answer {
  const { prefix, key, values = false, after } = readQuery(exchange, watchQuery);
  if (prefix !== undefined && key !== undefined) {
    throw invalidArgument("Cannot watch: give a prefix or a key, not both");
  }
  if (key !== undefined) checkKey(key);
  const last = exchange.header("last-event-id");
  return {
    status: 200,
    headers: [
      ...["Content-Type", "text/event-stream; charset=utf-8"],
      // no-transform and X-Accel-Buffering: a proxy that collects events defeats them.
      ...["Cache-Control", "no-cache, no-transform", "X-Accel-Buffering", "no"],
    ],
    body: async (response, signal) => {
      // An idle watch is no idle connection.
      response.socket?.setTimeout(0);
      response.socket?.setNoDelay(true);
      await hub.serve(
        response,
        { prefix, key, values },
        { after: last === undefined || last === "" ? after : last, signal },
      );
    },
  };
}
