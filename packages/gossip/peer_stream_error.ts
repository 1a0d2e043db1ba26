/** Why a peer stream could not be opened, or ended early. */
export type PeerStreamErrorCode =
  | "unreachable" // no route, no answer to the connection attempt, reset
  | "connection-refused" // nobody listens there
  | "timeout" // no hello, no progress in a frame or in sending, idle too long
  | "malformed" // bytes that are no frame, or a frame out of place
  | "too-large" // a frame above the limit of this moment
  | "unauthenticated" // keys differ, or one side has none
  | "wrong-cluster"
  | "wrong-version"
  | "wrong-node" // another node than the one asked for lives there
  | "refused" // the other side said no; `refusal` has its word and reason
  | "overflow" // more was sent than the other side takes
  | "unknown-member"
  | "not-running"
  | "closed"; // ended by this side

/** What the other side said when it refused. */
export interface StreamRefusal {
  code: string;
  detail: string;
  retryAfterMs: number;
}

/**
 * A peer stream could not be opened, or ended before its time. The node itself is not affected.
 *
 * @example
 * ```ts
 * import { PeerStreamError } from "@dnd/gossip";
 * new PeerStreamError("timeout", "no hello within 5000 ms").code; // "timeout"
 * ```
 */
export class PeerStreamError extends Error {
  override readonly name = "PeerStreamError";
  /** Stable, for programs. */
  readonly code: PeerStreamErrorCode;
  /** Set when `code` is `refused`, and for `wrong-cluster` and its like when the other side said it. */
  readonly refusal: StreamRefusal | undefined;

  /**
   * @param code why
   * @param detail for people, with the address
   * @param options `refusal`: what the other side said; `cause`: the system's error
   */
  constructor(
    code: PeerStreamErrorCode,
    detail: string,
    options: { refusal?: StreamRefusal; cause?: unknown } = {},
  ) {
    super(detail, { cause: options.cause });
    this.code = code;
    this.refusal = options.refusal;
  }
}

/** The error of a socket in the words of this package. */
export function fromSocketError(error: NodeJS.ErrnoException, what: string): PeerStreamError {
  if (error instanceof PeerStreamError) return error;
  const code = error.code ?? "";
  const detail = `${what}: ${error.message.split("\n")[0] ?? code}`;
  if (code === "ECONNREFUSED")
    return new PeerStreamError("connection-refused", detail, { cause: error });
  if (code.startsWith("ERR_SSL") || code.startsWith("ERR_TLS") || code === "EPROTO") {
    return new PeerStreamError("unauthenticated", detail, { cause: error });
  }
  return new PeerStreamError("unreachable", detail, { cause: error });
}
