import type { NodeCore } from "../node_core.ts";
import type { Tokens } from "../token_file.ts";

/** What a body may be. */
export interface BodyLimit {
  /** Most bytes. */
  readonly bytes: number;
  /** The code when there are more. */
  readonly code: "value-too-large" | "body-too-large";
}

/** Counts requests; the numbers go out with `/metrics`. */
export interface RequestObserver {
  /** A request was answered. */
  answered(route: string, method: string, status: number, elapsedMs: number): void;
}

/** One line of an access log. */
export interface AccessLine {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly elapsedMs: number;
}

/** The part of a pino logger that HTTP uses. */
export interface HttpLogger {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** What all requests of a node share. */
export interface HttpContext {
  readonly node: NodeCore;
  /** How large a value may be. */
  readonly valueLimit: BodyLimit;
  /** Longest time for a whole body, in milliseconds. */
  readonly bodyMs: number;
  readonly logger: HttpLogger;
  /** Whether each request gets a line in the log. */
  readonly accessLog: boolean;
  /** The tokens, read again at each request: a new token file may have come. Undefined: none needed. */
  tokens(): Tokens | undefined;
  /** Further names in `Host` on a loopback bind. */
  readonly allowHosts: ReadonlySet<string>;
  /** Origins of web pages that may use the API. */
  readonly allowOrigins: ReadonlySet<string>;
  /** Whether requests must come with a client certificate of the configured authority. */
  readonly clientCertificates: boolean;
  readonly observer: RequestObserver | undefined;
  /** The text of `/metrics` and its type. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}
