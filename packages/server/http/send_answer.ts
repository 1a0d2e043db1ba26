import type { ServerResponse } from "node:http";
import { DndError } from "@dnd/client";
import type { Answer, BodyWriter } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import { retryAfterOf, toProblem } from "./problem.ts";

/** The answer that an error becomes. */
export function problemAnswer(exchange: Exchange, error: unknown): Answer {
  const { method } = exchange;
  const write = method !== "GET" && method !== "HEAD" && method !== "OPTIONS";
  const problem = toProblem(error, write);
  if (problem.code === "internal") {
    exchange.context.logger.error(
      { err: error, requestId: exchange.requestId, method, path: exchange.path },
      "a request failed inside",
    );
  }
  const headers: string[] = ["Content-Type", "application/problem+json"];
  const retryAfter = retryAfterOf(error, problem.code);
  if (retryAfter !== undefined) headers.push("Retry-After", String(retryAfter));
  if (problem.status === 401) headers.push("WWW-Authenticate", 'Bearer realm="dnd"');
  if (error instanceof MethodNotAllowed) headers.push("Allow", error.allow);
  return { status: problem.status, headers, body: JSON.stringify(problem) };
}

/** The route is there, the method is not. */
export class MethodNotAllowed extends DndError {
  readonly allow: string;

  /** @param allow the methods that are, for `Allow` */
  constructor(method: string, path: string, allow: string) {
    super("method-not-allowed", `Cannot ${method} ${path}: write one of ${allow}`, {
      status: 405,
      outcome: "not-applied",
    });
    this.allow = allow;
  }
}

/**
 * Sends an answer: the head in one piece, with what every answer carries.
 *
 * @returns a promise only for a body that is written piece by piece
 */
export function sendAnswer(exchange: Exchange, answer: Answer): Promise<void> | undefined {
  const { response, request, method } = exchange;
  const { status, body } = answer;
  if (response.destroyed || response.headersSent) return undefined;
  const length = bodyLength(body);
  const headers = [
    ...answer.headers,
    "Dnd-Node",
    exchange.context.node.id,
    "X-Request-Id",
    exchange.requestId,
    // Not known of a body that is written piece by piece, and no header of an answer without any.
    ...(typeof body === "function" || status === 204 || status === 304
      ? []
      : ["Content-Length", String(length)]),
  ];
  if (exchange.extraHeaders.length > 0) headers.push(...exchange.extraHeaders);
  // The caller still waits for 100 Continue: the body will not come, so the connection is of no more use.
  if (exchange.expectsContinue || exchange.closes) headers.push("Connection", "close");
  if (typeof body === "function") {
    response.writeHead(status, headers);
    finishLine(exchange, status);
    if (method === "HEAD") {
      response.end();
      return undefined;
    }
    return writeBody(exchange, body);
  }
  response.writeHead(status, headers);
  if (method === "HEAD" || body === undefined) response.end();
  else if (typeof body === "string")
    endWith(response, body, length === body.length ? "latin1" : "utf8");
  else if (body.length > smallBytes) response.end(body);
  else endWith(response, latin1(body), "latin1");
  // A request without a body is not complete yet either when it is answered at once.
  if (!request.complete && hasBody(exchange)) discardBody(exchange);
  finishLine(exchange, status);
  return undefined;
}

/**
 * Head and body in one piece. `end` alone hands the socket a second, empty piece for the sake of its callback,
 * and two pieces cost more than one.
 */
function endWith(response: ServerResponse, text: string, encoding: "utf8" | "latin1"): void {
  const { socket } = response;
  // None: an answer before this one is not out yet.
  if (text === "" || socket === null || socket.writableCorked > 0 || socket.writableLength > 0) {
    response.end(text, encoding);
    return;
  }
  socket.cork(); // otherwise the response does so, until the next tick
  response.write(text, encoding);
  socket.uncork();
  response.end();
}

/** In bytes; a text with as many letters is ASCII. */
function bodyLength(body: Answer["body"]): number {
  if (body === undefined || typeof body === "function") return 0;
  return typeof body === "string" ? Buffer.byteLength(body) : body.length;
}

/** Bodies up to this go out as text, one letter a byte: Node then makes one piece of head and body. */
const smallBytes = 4096;

function latin1({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}

async function writeBody(exchange: Exchange, write: BodyWriter): Promise<void> {
  const { response } = exchange;
  try {
    await write(response, exchange.signal);
    response.end();
  } catch (error) {
    // The head is out: a broken connection is the only way to say that the rest is missing.
    if (!exchange.signal.aborted) {
      exchange.context.logger.error(
        { err: error, requestId: exchange.requestId, path: exchange.path },
        "an answer broke off",
      );
    }
    response.destroy();
  }
}

function hasBody({ request: { headers } }: Exchange): boolean {
  const length = headers["content-length"];
  return headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
}

/** Bytes and time for a body that nobody wants any more, so that the answer arrives before the end. */
const discardBytes = 64 * 1024 * 1024;
const discardMs = 30_000;

function discardBody({ request }: Exchange): void {
  let bytes = 0;
  const timer = setTimeout(() => request.destroy(), discardMs);
  timer.unref();
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > discardBytes) request.destroy();
  });
  request.once("close", () => clearTimeout(timer));
  request.resume();
}

function finishLine(exchange: Exchange, status: number): void {
  const { context, requestId, method, path } = exchange;
  if (context.observer === undefined && !context.accessLog) return;
  const elapsedMs = performance.now() - exchange.startedAt;
  context.observer?.answered(exchange.route, method, status, elapsedMs);
  if (context.accessLog) {
    context.logger.info(
      { requestId, method, path, status, elapsedMs: Math.round(elapsedMs * 1000) / 1000 },
      "request",
    );
  }
}
