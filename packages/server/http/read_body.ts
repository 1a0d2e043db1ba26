import type { IncomingMessage } from "node:http";
import type { Outcome } from "@dnd/client";
import { decode } from "../entry_text.ts";
import { Later } from "../later.ts";
import { problemError } from "./problem.ts";
import type { Exchange } from "./exchange.ts";
import type { BodyLimit } from "./http_context.ts";

function tooLarge(limit: BodyLimit, length: number | undefined) {
  const size = length === undefined ? "more" : `${length} bytes`;
  return problemError(limit.code, `The body may have ${limit.bytes} bytes, not ${size}`, {
    outcome: "not-applied",
  });
}

function declaredLength({ headers }: IncomingMessage): number | undefined {
  const text = headers["content-length"];
  return text === undefined ? undefined : Number(text);
}

/** The checks before a body, and the invitation to send it. */
function begin(exchange: Exchange, limit?: BodyLimit): void {
  const { request, response } = exchange;
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity") {
    throw problemError(
      "unsupported-media-type",
      `Content-Encoding ${JSON.stringify(encoding)} is not supported; send the bytes as they are`,
    );
  }
  const length = declaredLength(request);
  if (limit !== undefined && length !== undefined && length > limit.bytes) {
    throw tooLarge(limit, length);
  }
  if (request.readableEnded) {
    // A mistake of the program around the node: said in the answer, where whoever made it looks first.
    throw problemError(
      "internal",
      "The body was read before the node's handler got the request: mount it before any body parser",
      { outcome: "not-applied" },
    );
  }
  if (exchange.expectsContinue) {
    exchange.expectsContinue = false;
    response.writeContinue();
  }
}

function clientGone(outcome: Outcome) {
  return problemError("invalid-argument", "The body broke off", { outcome });
}

/** Bodies that are on their way: one timer looks after all of them. */
const waiting = new Set<WaitingBody>();
let sweep: ReturnType<typeof setInterval> | undefined;

function sweepBodies(): void {
  const now = performance.now();
  for (const body of waiting) body.checkTime(now);
  if (waiting.size > 0) return;
  clearInterval(sweep);
  sweep = undefined;
}

/** A body on its way. */
class WaitingBody {
  readonly #exchange: Exchange;
  readonly #limit: BodyLimit;
  readonly #onBody: (bytes: Uint8Array) => void;
  readonly #onError: (error: unknown) => void;
  #first: Uint8Array | undefined;
  #chunks: Uint8Array[] | undefined;
  #length = 0;

  constructor(
    exchange: Exchange,
    options: {
      readonly limit: BodyLimit;
      readonly onBody: (bytes: Uint8Array) => void;
      readonly onError: (error: unknown) => void;
    },
  ) {
    this.#exchange = exchange;
    this.#limit = options.limit;
    this.#onBody = options.onBody;
    this.#onError = options.onError;
    waiting.add(this);
    if (sweep === undefined) {
      sweep = setInterval(sweepBodies, 1_000);
      sweep.unref();
    }
    const { request } = exchange;
    // Nobody takes these away again: what comes later is not heard.
    request.on("data", (chunk: Uint8Array) => this.#add(chunk));
    request.on("end", () => this.#end());
    // A client that goes away in the middle is no error of ours: without a listener for it Node makes none.
    request.on("close", () => this.#gone());
  }

  checkTime(now: number): void {
    const { bodyMs } = this.#exchange.context;
    if (now - this.#exchange.startedAt <= bodyMs) return;
    // Who sends so slowly would hold the connection for as long again.
    this.#exchange.closes = true;
    this.#fail(
      problemError("timeout", `The body took more than ${bodyMs / 1000} s`, {
        outcome: "not-applied",
      }),
    );
  }

  #add(chunk: Uint8Array): void {
    if (!waiting.has(this)) return;
    this.#length += chunk.length;
    if (this.#length > this.#limit.bytes) {
      this.#fail(tooLarge(this.#limit, declaredLength(this.#exchange.request)));
    } else if (this.#first === undefined) this.#first = chunk;
    else (this.#chunks ??= [this.#first]).push(chunk);
  }

  #end(): void {
    if (!waiting.delete(this)) return;
    const bytes =
      this.#chunks === undefined
        ? (this.#first ?? new Uint8Array(0))
        : join(this.#chunks, this.#length);
    this.#forget();
    this.#onBody(bytes);
  }

  /** Every request is closed in the end: only one whose body is missing has an error to make. */
  #gone(): void {
    if (waiting.has(this)) this.#fail(clientGone("not-applied"));
  }

  #fail(error: unknown): void {
    if (!waiting.delete(this)) return;
    this.#forget();
    this.#onError(error);
  }

  #forget(): void {
    this.#first = undefined;
    this.#chunks = undefined;
  }
}

/**
 * Reads a whole body. What it is used for gets it in the turn in which its end came, and may keep it no
 * longer than that without a copy: it can be a window into a larger buffer of the socket.
 *
 * @param limit refused above, before anything is read if the length is declared
 * @param use what the answer is made with
 * @returns what `use` returns; rejects with a {@link DndError}: 413, 415, `timeout` when the body is not
 *   there in 30 s
 */
export function readBody<T>(
  exchange: Exchange,
  limit: BodyLimit,
  use: (bytes: Uint8Array) => T | PromiseLike<T>,
): Later<T> {
  begin(exchange, limit);
  const later = new Later<T>();
  new WaitingBody(exchange, {
    limit,
    onBody: (bytes) => later.follow(() => use(bytes)),
    onError: (error) => later.reject(error),
  });
  return later;
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = chunks;
  if (first !== undefined && chunks.length === 1) return first;
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** Longest pause between two pieces of a streamed body. */
const idleMs = 30_000;

/**
 * The lines of a body, as they come: the reader sets the pace.
 *
 * @param maxLineBytes a longer line becomes an error in its place, and so does one that is not UTF-8;
 *   the next line follows
 */
export async function* readLines(
  exchange: Exchange,
  maxLineBytes: number,
): AsyncGenerator<string | { readonly error: ReturnType<typeof problemError> }, void, void> {
  begin(exchange);
  const { request } = exchange;
  const idle = (): void => void request.destroy(new Error("idle"));
  let timer = setTimeout(idle, idleMs);
  let pieces: Uint8Array[] = [];
  let length = 0;
  const line = () => {
    const bytes = length > maxLineBytes ? undefined : join(pieces, length);
    pieces = [];
    length = 0;
    if (bytes === undefined) {
      return {
        error: problemError("body-too-large", `The line is longer than ${maxLineBytes} bytes`),
      };
    }
    const text = decode(bytes);
    return text ?? { error: problemError("invalid-argument", "The line is not UTF-8") };
  };
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      clearTimeout(timer);
      let start = 0;
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
        pieces.push(chunk.subarray(start, end));
        length += end - start;
        start = end + 1;
        yield line();
      }
      length += chunk.length - start;
      if (length <= maxLineBytes) pieces.push(chunk.subarray(start));
      else pieces = [];
      timer = setTimeout(idle, idleMs);
    }
  } catch {
    // Lines that came before may have been stored.
    throw clientGone("unknown");
  } finally {
    clearTimeout(timer);
  }
  if (length > 0) yield line();
}
