import type { ServerResponse } from "node:http";

/** Header names and values, one after the other: what `writeHead` takes without another copy. */
export type FlatHeaders = readonly string[];

/** Writes a body piece by piece; resolves when there is no more to write. */
export type BodyWriter = (response: ServerResponse, signal: AbortSignal) => Promise<void>;

/** What a route answers: everything that goes out, before anything does. */
export interface Answer {
  readonly status: number;
  /** Without Content-Length, Dnd-Node and X-Request-Id: those are added to every answer. */
  readonly headers: FlatHeaders;
  /** A whole body, or a writer of one. Absent: no body. */
  readonly body?: Uint8Array | string | BodyWriter;
}

/** An answer of one JSON document. */
export function jsonAnswer(
  value: unknown,
  options: { readonly status?: number; readonly headers?: FlatHeaders } = {},
): Answer {
  return {
    status: options.status ?? 200,
    headers: ["Content-Type", "application/json", ...(options.headers ?? [])],
    body: typeof value === "string" ? value : JSON.stringify(value),
  };
}

/** An answer of plain text. */
export function textAnswer(text: string, status = 200): Answer {
  return { status, headers: ["Content-Type", "text/plain; charset=utf-8"], body: text };
}
