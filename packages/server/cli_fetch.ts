import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream as NodeWebStream } from "node:stream/web";
import type { ClientTls } from "./cli_settings.ts";

/** As much of `fetch` as the client uses: method, headers, body, signal; no redirects. */
export type NodeFetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Makes a `fetch` over `node:http`, for the command line: it reaches port 6000 too, which the global one
 * refuses, and shows a certificate where the node wants one.
 *
 * @param tls what to show and whom to trust over HTTPS; without `ca` the authorities of Node.js
 */
export function makeNodeFetch(tls: ClientTls): NodeFetch {
  return (url, init) => nodeFetch(url, init, tls);
}

async function nodeFetch(url: string, init: RequestInit, tls: ClientTls): Promise<Response> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const open = url.startsWith("https:") ? httpsRequest : httpRequest;
    const request = open(url, {
      method: init.method ?? "GET",
      headers: Object.fromEntries(new Headers(init.headers)),
      agent: false,
      ...tls,
      ...(init.signal == null ? {} : { signal: init.signal }),
    });
    request.once("response", resolve).once("error", reject);
    const { body } = init;
    if (body == null) request.end();
    else if (typeof body === "string" || body instanceof Uint8Array) request.end(body);
    else if (body instanceof ReadableStream) {
      pipeline(Readable.fromWeb(body as NodeWebStream), request).catch(reject);
    } else reject(new TypeError("Cannot send this kind of body"));
  });
  const headers = new Headers();
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  const status = answer.statusCode ?? 500;
  if (status === 204 || status === 304 || init.method === "HEAD") {
    answer.resume();
    return new Response(null, { status, headers });
  }
  return new Response(Readable.toWeb(answer) as ReadableStream, { status, headers });
}
