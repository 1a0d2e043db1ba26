import { DndError } from "@dnd/client";

/** What is fixed about an error code: its status, and a title that is the same every time. */
interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** Seconds of `Retry-After`. */
  readonly retryAfter?: number;
}

/** Every error code that the HTTP interface answers with. */
export const problemKinds = {
  "invalid-key": { status: 400, title: "The key is not valid" },
  "key-too-large": { status: 400, title: "The key is too large" },
  "invalid-json": { status: 400, title: "The body is not JSON" },
  "invalid-argument": { status: 400, title: "The request is not valid" },
  unauthorized: { status: 401, title: "A valid token is needed" },
  forbidden: { status: 403, title: "The token does not allow this" },
  "origin-not-allowed": { status: 403, title: "Web pages of this origin may not use the API" },
  "host-not-allowed": { status: 421, title: "The Host header names another host" },
  "not-found": { status: 404, title: "There is no such key" },
  "no-such-route": { status: 404, title: "There is no such route" },
  "method-not-allowed": { status: 405, title: "The route does not take this method" },
  conflict: { status: 409, title: "The state of the cluster does not allow this" },
  "precondition-failed": { status: 412, title: "The condition does not hold" },
  "value-too-large": { status: 413, title: "The value is too large" },
  "body-too-large": { status: 413, title: "The body is too large" },
  "unsupported-media-type": { status: 415, title: "The body's type or encoding is not supported" },
  "headers-too-large": { status: 431, title: "The headers are too large" },
  "too-many-requests": { status: 429, title: "The node is busy", retryAfter: 1 },
  "not-ready": { status: 503, title: "The node is not ready", retryAfter: 1 },
  "quorum-unavailable": { status: 503, title: "Too few members can confirm", retryAfter: 1 },
  "storage-failed": { status: 503, title: "The storage has failed", retryAfter: 30 },
  internal: { status: 500, title: "Something went wrong inside" },
  timeout: { status: 504, title: "It took too long" },
  "storage-full": { status: 507, title: "The disk is full" },
} as const satisfies Readonly<Record<string, ProblemKind>>;

/** A code of {@link problemKinds}. */
export type ProblemCode = keyof typeof problemKinds;

/** Whether a code is one that the HTTP interface answers with. */
export function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(problemKinds, code);
}

/** A problem document (RFC 9457) with the members that dnd adds. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly outcome?: string;
  readonly acked?: number;
  readonly needed?: number;
}

/** Makes the error of a code, with its status. */
export function problemError(
  code: ProblemCode,
  detail: string,
  options: ConstructorParameters<typeof DndError>[2] = {},
): DndError {
  return new DndError(code, detail, { status: problemKinds[code].status, ...options });
}

/**
 * The problem document of an error. Anything that is no {@link DndError} of a known code becomes
 * `internal`: its message stays inside.
 *
 * @param error what was thrown
 * @param write whether the request could have stored something: then `outcome` is always said
 */
export function toProblem(error: unknown, write: boolean): Problem {
  if (!(error instanceof DndError) || !isProblemCode(error.code)) {
    return {
      type: "urn:dnd:error:internal",
      title: problemKinds.internal.title,
      status: 500,
      code: "internal",
      detail: "The node's log has more under the id of this request",
      ...(write ? { outcome: "unknown" } : {}),
    };
  }
  const kind: ProblemKind = problemKinds[error.code];
  const outcome = error.outcome ?? (kind.status < 500 ? "not-applied" : "unknown");
  return {
    type: `urn:dnd:error:${error.code}`,
    title: kind.title,
    status: kind.status,
    code: error.code,
    detail: error.message,
    ...(write ? { outcome } : {}),
    ...(error.acked === undefined ? {} : { acked: error.acked }),
    ...(error.needed === undefined ? {} : { needed: error.needed }),
  };
}

/** Seconds to wait before the next try; undefined where waiting does not help. */
export function retryAfterOf(error: unknown, code: string): number | undefined {
  const kind: ProblemKind | undefined = isProblemCode(code) ? problemKinds[code] : undefined;
  if (kind?.retryAfter === undefined) return undefined;
  const own = error instanceof DndError ? error.retryAfterMs : undefined;
  return own === undefined ? kind.retryAfter : Math.max(1, Math.ceil(own / 1000));
}
