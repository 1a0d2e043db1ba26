import type { Outcome } from "@dnd/client";
import { decode } from "../entry_text.ts";
import { problemError, type ProblemCode } from "./problem.ts";
import type { Exchange } from "./exchange.ts";

/** Longest time for a whole body. */
const bodyMs = 30_000;

/** What a body may be. */
export interface BodyLimit {
  /** Most bytes. */
  readonly bytes: number;
  /** The code when there are more. */
  readonly code: Extract<ProblemCode, "value-too-large" | "body-too-large">;
}

function tooLarge(limit: BodyLimit, length: number | undefined) {
  const size = length === undefined ? "more" : `${length} bytes`;
  return problemError(limit.code, `The body may have ${limit.bytes} bytes, not ${size}`, {
    outcome: "not-applied",
  });
}

function begin(exchange: Exchange, limit?: BodyLimit): number | undefined {
  const { request, response } = exchange;
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity") {
    throw problemError(
      "unsupported-media-type",
      `Content-Encoding ${JSON.stringify(encoding)} is not supported; send the bytes as they are`,
    );
  }
  const text = request.headers["content-length"];
  const length = text === undefined ? undefined : Number(text);
  if (limit !== undefined && length !== undefined && length > limit.bytes) {
    throw tooLarge(limit, length);
  }
  if (request.readableEnded) {
    throw new Error(
      "the body was read before the node's handler got the request: mount it before body parsers",
    );
  }
  if (exchange.expectsContinue) {
    exchange.expectsContinue = false;
    response.writeContinue();
  }
  return length;
}

function clientGone(outcome: Outcome) {
  return problemError("invalid-argument", "The body broke off", { outcome });
}

/** Bodies that are on their way, and when each is too late: one timer looks after all of them. */
const waiting = new Map<() => void, number>();
let sweep: ReturnType<typeof setInterval> | undefined;

/** Calls back when a body takes too long. @returns ends it */
function waitForBody(late: () => void): () => void {
  waiting.set(late, performance.now() + bodyMs);
  if (sweep === undefined) {
    sweep = setInterval(() => {
      const now = performance.now();
      for (const [tooLate, deadline] of waiting) if (now > deadline) tooLate();
      if (waiting.size > 0) return;
      clearInterval(sweep);
      sweep = undefined;
    }, 1_000);
    sweep.unref();
  }
  return () => void waiting.delete(late);
}

/**
 * Reads a whole body. What comes back may be a window into a larger buffer of the socket: who keeps it
 * makes a copy (the map does).
 *
 * @param limit refused above, before anything is read if the length is declared
 * @throws {DndError} 413, 415, `timeout` when the body is not there in 30 s
 */
export function readBody(exchange: Exchange, limit: BodyLimit): Promise<Uint8Array> {
  const declared = begin(exchange, limit);
  const { request } = exchange;
  return new Promise((resolve, reject) => {
    let chunks: Uint8Array[] = [];
    let length = 0;
    const late = (): void => {
      finish();
      reject(
        problemError("timeout", `The body took more than ${bodyMs / 1000} s`, {
          outcome: "not-applied",
        }),
      );
    };
    const stopWaiting = waitForBody(late);
    const onData = (chunk: Uint8Array): void => {
      length += chunk.length;
      if (length > limit.bytes) {
        finish();
        reject(tooLarge(limit, declared));
        return;
      }
      chunks.push(chunk);
    };
    const onEnd = (): void => {
      finish();
      resolve(join(chunks, length));
      chunks = [];
    };
    const onGone = (): void => {
      finish();
      reject(clientGone("not-applied"));
    };
    const finish = (): void => {
      stopWaiting();
      request.off("data", onData).off("end", onEnd).off("close", onGone).off("error", onGone);
    };
    request.on("data", onData).on("end", onEnd).on("close", onGone).on("error", onGone);
  });
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
