import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Role } from "../token_file.ts";
import type { HttpContext } from "./http_context.ts";

/** Distinguishes the request ids of two runs. */
const run = randomBytes(6).toString("hex");
let requests = 0;

/** An id for a request that has none. */
export function newRequestId(): string {
  return `${run}-${(requests = (requests + 1) % Number.MAX_SAFE_INTEGER).toString(36)}`;
}

const requestIdPattern = /^[\w.:/+=-]{1,128}$/;

/** A request and all that is known about it on its way to an answer. */
export class Exchange {
  readonly context: HttpContext;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  /** The raw path, not decoded. */
  readonly path: string;
  /** The raw query, without the question mark; undefined if there is none. */
  readonly query: string | undefined;
  /** The caller's `X-Request-Id`, or one of our own. */
  readonly requestId: string;
  readonly startedAt: number = performance.now();
  /** What the caller may do; undefined while it is not known or nothing is needed. */
  role: Role | undefined;
  /** Headers that admission adds to whatever is answered (CORS). */
  extraHeaders: readonly string[] = [];
  /** The route's pattern, for metrics. */
  route = "";
  /** Whether the caller waits for `100 Continue` before it sends the body. */
  expectsContinue = false;
  /** Whether there are headers whose names begin like `If-`. */
  mayBeConditional = false;
  /** Whether the connection is of no use after the answer. */
  closes = false;
  #abort: AbortController | undefined;

  /** @param context what all requests share */
  constructor(context: HttpContext, request: IncomingMessage, response: ServerResponse) {
    this.context = context;
    this.request = request;
    this.response = response;
    this.method = request.method ?? "GET";
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    this.path = mark === -1 ? url : url.slice(0, mark);
    this.query = mark === -1 ? undefined : url.slice(mark + 1);
    const given = request.headers["x-request-id"];
    this.requestId =
      typeof given === "string" && requestIdPattern.test(given) ? given : newRequestId();
  }

  /** A header's value; several of one name are one list. */
  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  /** Fires when the caller is gone before the answer is complete. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const controller = new AbortController();
      this.#abort = controller;
      this.response.once("close", () => {
        if (!this.response.writableFinished) controller.abort(new Error("the client is gone"));
      });
    }
    return this.#abort.signal;
  }
}
