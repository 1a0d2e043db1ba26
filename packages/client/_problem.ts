import { DndError, type Outcome } from "./dnd_error.ts";

/** The fields of a problem document (RFC 9457) that dnd uses. */
interface Problem {
  readonly code?: unknown;
  readonly title?: unknown;
  readonly detail?: unknown;
  readonly outcome?: unknown;
  readonly acked?: unknown;
  readonly needed?: unknown;
}

function isOutcome(value: unknown): value is Outcome {
  return value === "not-applied" || value === "partial" || value === "unknown";
}

function retryAfterMs(headers: Headers): number | undefined {
  const seconds = Number(headers.get("retry-after") ?? "x");
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

/**
 * Turns an answer that is no success into an error.
 *
 * @param what what could not be done: "put \"user1\""
 * @param write whether it was a write: then the error has an outcome, `unknown` unless the node says
 *   better or refused the request itself (4xx)
 * @param response its status and headers
 * @param body its body as text
 */
export function problemError(
  what: string,
  write: boolean,
  response: { readonly status: number; readonly headers: Headers; readonly url?: string },
  body: string,
): DndError {
  const { status, headers } = response;
  const requestId = headers.get("x-request-id") ?? undefined;
  const problem = parse(headers, body);
  if (problem === undefined) {
    return new DndError(
      "invalid-response",
      `Cannot ${what}: ${response.url || "the server"} answered ${status} without a problem document; is it a dnd node?`,
      { status, ...(write ? { outcome: "unknown" } : {}), ...(requestId ? { requestId } : {}) },
    );
  }
  return errorOf(what, write, problem, {
    status,
    requestId,
    retryAfterMs: retryAfterMs(headers),
  });
}

/** The same for one operation of a batch. */
export function resultError(what: string, status: number, problem: object): DndError | undefined {
  const { code } = problem as Problem;
  if (typeof code !== "string") return undefined;
  return errorOf(what, true, problem, { status, requestId: undefined, retryAfterMs: undefined });
}

function parse(headers: Headers, body: string): Problem | undefined {
  if (!(headers.get("content-type") ?? "").startsWith("application/problem+json")) return undefined;
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null && "code" in value ? value : undefined;
  } catch {
    return undefined;
  }
}

function errorOf(
  what: string,
  write: boolean,
  problem: Problem,
  context: {
    readonly status: number;
    readonly requestId: string | undefined;
    readonly retryAfterMs: number | undefined;
  },
): DndError {
  const { status } = context;
  const detail = typeof problem.detail === "string" ? problem.detail : problem.title;
  const outcome = isOutcome(problem.outcome)
    ? problem.outcome
    : status >= 400 && status < 500
      ? "not-applied"
      : "unknown";
  const text = typeof detail === "string" ? detail : String(problem.code);
  const message = text.startsWith("Cannot ") ? text : `Cannot ${what}: ${text}`;
  return new DndError(String(problem.code), message, {
    status,
    ...(write ? { outcome } : {}),
    ...(typeof problem.acked === "number" ? { acked: problem.acked } : {}),
    ...(typeof problem.needed === "number" ? { needed: problem.needed } : {}),
    ...(context.requestId === undefined ? {} : { requestId: context.requestId }),
    ...(context.retryAfterMs === undefined ? {} : { retryAfterMs: context.retryAfterMs }),
  });
}
