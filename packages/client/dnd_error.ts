/**
 * What is known about a write that failed.
 *
 * - `not-applied`: nothing was stored; doing it again is safe.
 * - `partial`: stored, and it will spread, but fewer nodes than asked for confirmed it in time.
 * - `unknown`: it may have been stored (the connection broke, or the time ran out).
 */
export type Outcome = "not-applied" | "partial" | "unknown";

/**
 * A code that says what went wrong. The first group comes from the node (the `code` of its problem
 * document), the second from the client itself. The list is open: a newer node may send codes that
 * this version has no name for.
 */
export type DndErrorCode =
  | "invalid-key"
  | "key-too-large"
  | "invalid-json"
  | "invalid-argument"
  | "unauthorized"
  | "forbidden"
  | "origin-not-allowed"
  | "host-not-allowed"
  | "not-found"
  | "no-such-route"
  | "method-not-allowed"
  | "conflict"
  | "precondition-failed"
  | "value-too-large"
  | "body-too-large"
  | "unsupported-media-type"
  | "headers-too-large"
  | "too-many-requests"
  | "not-ready"
  | "quorum-unavailable"
  | "storage-failed"
  | "storage-full"
  | "internal"
  | "timeout"
  // From here on: found by the caller's side, `status` is 0. An embedded node says `closed` too.
  | "unreachable"
  | "port-blocked"
  | "invalid-response"
  | "closed"
  | (string & Record<never, never>);

/** Everything about a {@link DndError} besides its code and message. */
export interface DndErrorOptions {
  /** The HTTP status that belongs to the code; 0 (default) when no node answered. */
  readonly status?: number;
  /** For a write: what is known about it. Absent for reads. */
  readonly outcome?: Outcome;
  /** With `partial`: how many members have confirmed. */
  readonly acked?: number;
  /** With `partial`: how many members were asked for. */
  readonly needed?: number;
  /** The node's `X-Request-Id`, to look for in its log. */
  readonly requestId?: string;
  /** How long the node asks to wait before the next try, in milliseconds (`Retry-After`). */
  readonly retryAfterMs?: number;
  /** What caused it. */
  readonly cause?: unknown;
}

/**
 * The error that a {@link KeyValue} rejects with. Decide by `code`, never by the message.
 *
 * @example
 * ```ts
 * import { DndError } from "@dnd/client";
 *
 * const error = new DndError("value-too-large", "Cannot put: 2 MiB are more than 1 MiB", {
 *   status: 413,
 *   outcome: "not-applied",
 * });
 * if (error instanceof DndError && error.outcome === "not-applied") {
 *   // nothing was stored
 * }
 * ```
 */
export class DndError extends Error {
  override readonly name: string = "DndError";
  /** What went wrong. */
  readonly code: DndErrorCode;
  /** The HTTP status that belongs to the code; 0 when no node answered. */
  readonly status: number;
  /** For a failed write: what is known about it; undefined for reads. */
  readonly outcome: Outcome | undefined;
  /** With outcome `partial`: how many members have confirmed. */
  readonly acked: number | undefined;
  /** With outcome `partial`: how many members were asked for. */
  readonly needed: number | undefined;
  /** The node's `X-Request-Id`, to look for in its log. */
  readonly requestId: string | undefined;
  /** How long the node asks to wait before the next try, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  /**
   * @param code what went wrong
   * @param message a sentence for people: what could not be done, why, with the value
   * @param options status, outcome and the rest
   */
  constructor(code: DndErrorCode, message: string, options: DndErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 0;
    this.outcome = options.outcome;
    this.acked = options.acked;
    this.needed = options.needed;
    this.requestId = options.requestId;
    this.retryAfterMs = options.retryAfterMs;
  }
}
