import { z } from "zod";
import { parseDuration } from "../duration.ts";
import type { WriteConcern } from "@dnd/client";
import type { Exchange } from "./exchange.ts";
import { problemError } from "./problem.ts";

const nothing: Readonly<Record<string, never>> = {};

/**
 * Reads and checks the query. An unknown name is refused: a typo in `?tll=90` must not store for ever.
 *
 * @param schema a strict object of texts
 * @throws {DndError} `invalid-argument` naming the parameter
 */
export function readQuery<T extends z.ZodType>(exchange: Exchange, schema: T): z.output<T> {
  const values: Record<string, string> = Object.create(null) as Record<string, string>;
  if (exchange.query !== undefined && exchange.query !== "") {
    for (const part of exchange.query.split("&")) {
      if (part === "") continue;
      const mark = part.indexOf("=");
      const name = decodeQuery(mark === -1 ? part : part.slice(0, mark));
      const value = mark === -1 ? "" : decodeQuery(part.slice(mark + 1));
      if (name in values) {
        throw problemError("invalid-argument", `The query names ${JSON.stringify(name)} twice`);
      }
      values[name] = value;
    }
  }
  return check(schema, { ...nothing, ...values }, "query");
}

function decodeQuery(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw problemError("invalid-argument", `The query is not percent-encoded UTF-8: ${text}`);
  }
}

/** Checks a value with a schema; the first issue becomes the error. */
export function check<T extends z.ZodType>(schema: T, value: unknown, what: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.join(".") ?? "";
  const message = issue?.message ?? "not valid";
  const why = message.endsWith("received undefined") ? "it is missing" : message;
  throw problemError(
    "invalid-argument",
    `Cannot use the ${what}: ${path === "" ? "" : `${path}: `}${why}`,
  );
}

/** `?ttl=90` or `15m`. */
export const ttlParameter = z
  .string()
  .transform((text, context) => {
    const ttlMs = parseDuration(text, { bare: "s" });
    if (ttlMs !== undefined) return ttlMs;
    context.addIssue({
      code: "custom",
      message: "write seconds, or a number with ms, s, m, h or d",
    });
    return z.NEVER;
  })
  .meta({ description: "time to live: seconds, or a number with s, m, h or d", examples: ["15m"] });

/** `?timeout=2s`. */
export const timeoutParameter = z
  .string()
  .transform((text, context) => {
    const timeoutMs = parseDuration(text, { bare: "s" });
    if (timeoutMs !== undefined && timeoutMs <= 3_600_000) return timeoutMs;
    context.addIssue({ code: "custom", message: "write a time like 500ms or 2s, at most 1h" });
    return z.NEVER;
  })
  .meta({ description: "longest wait for other members, default 10s", examples: ["2s"] });

/** `?w=`. */
export const concernParameter = z
  .string()
  .transform((text, context): WriteConcern => {
    if (text === "one" || text === "quorum" || text === "all") return text;
    if (/^[1-9][0-9]{0,5}$/.test(text)) return Number(text);
    context.addIssue({ code: "custom", message: "write a number from 1, one, quorum or all" });
    return z.NEVER;
  })
  .meta({
    description: "members that must hold the write before the answer: a number, one, quorum, all",
    examples: ["quorum"],
  });

/** A switch: `true` or `false`, nothing else. */
export const switchParameter = z
  .enum(["true", "false"], { error: "write true or false" })
  .transform((text) => text === "true");
