import { isJsonType } from "@dnd/client";
import { decode } from "../entry_text.ts";
import type { Exchange } from "./exchange.ts";
import { problemError, type ProblemCode } from "./problem.ts";
import { readBody } from "./read_body.ts";

/** What reading a JSON body may be answered with. */
export const jsonBodyProblems: readonly ProblemCode[] = [
  "invalid-json",
  "body-too-large",
  "unsupported-media-type",
  "timeout",
];

/** How a JSON body is read. */
export interface JsonBodyOptions {
  /** What a body of no bytes stands for. Default: it is no JSON, so it is refused. */
  readonly whenEmpty?: unknown;
}

/**
 * Reads a JSON body whatever its declared type says, like the rest of the API.
 *
 * @throws {DndError} one of {@linkcode jsonBodyProblems}
 */
export async function readJson(
  exchange: Exchange,
  maxBytes: number,
  options: JsonBodyOptions = {},
): Promise<unknown> {
  const type = exchange.request.headers["content-type"];
  if (
    type !== undefined &&
    !isJsonType(type) &&
    // What `curl -d` and a `fetch` of a text send when nobody says otherwise.
    !/^(?:application\/x-www-form-urlencoded|text\/plain)\s*(?:;|$)/i.test(type)
  ) {
    throw problemError("unsupported-media-type", `The body must be application/json, not ${type}`);
  }
  const limit = { bytes: maxBytes, code: "body-too-large" } as const;
  const text = await readBody(exchange, limit, decode);
  if (text === undefined) throw problemError("invalid-json", "The body is not UTF-8");
  if (text === "" && "whenEmpty" in options) return options.whenEmpty;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw problemError(
      "invalid-json",
      `The body is not JSON (${error instanceof Error ? error.message : ""})`,
    );
  }
}
