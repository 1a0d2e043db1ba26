/** Why a socket could not be bound. */
export type BindErrorCode =
  "address-in-use" | "address-not-available" | "access-denied" | "bind-failed";

/**
 * A gossip socket could not be bound. Thrown by `GossipNode.start()`; nothing is left open then.
 *
 * @example
 * ```ts
 * import { BindError } from "@dnd/gossip";
 * new BindError("UDP", "127.0.0.1:5000", { code: "EADDRINUSE", message: "" }).code; // "address-in-use"
 * ```
 */
export class BindError extends Error {
  override readonly name = "BindError";
  /** Stable, for programs. */
  readonly code: BindErrorCode;
  /** What was to be bound. */
  readonly protocol: "UDP" | "TCP";
  /** `host:port` that was asked for. */
  readonly address: string;
  /** The system's error code, for example `EADDRINUSE`. */
  readonly systemCode: string | undefined;

  /**
   * @param protocol what was to be bound
   * @param address `host:port`
   * @param cause the system's error, or its code and message as they crossed threads
   */
  constructor(protocol: "UDP" | "TCP", address: string, cause: { code?: string; message: string }) {
    const code = bindErrorCode(cause.code);
    super(`Cannot bind ${protocol} ${address}: ${reasons[code] ?? cause.message}`, { cause });
    this.code = code;
    this.protocol = protocol;
    this.address = address;
    this.systemCode = cause.code;
  }
}

const reasons: Partial<Record<BindErrorCode, string>> = {
  "address-in-use":
    "the port is in use by another process; choose another port, or 0 for a free one",
  "address-not-available": "this machine has no such address",
  "access-denied": "not permitted (ports below 1024 need privileges)",
};

function bindErrorCode(code: string | undefined): BindErrorCode {
  if (code === "EADDRINUSE") return "address-in-use";
  if (code === "EADDRNOTAVAIL") return "address-not-available";
  if (code === "EACCES" || code === "EPERM") return "access-denied";
  return "bind-failed";
}
