import { checkTimeout, invalidArgument } from "./_checks.ts";
import { Endpoints } from "./_endpoints.ts";
import { HttpClient } from "./_http_client.ts";
import { checkArgument, checkOptions, clientChecks, urlsCheck } from "./check_options.ts";
import type { ClientOptions } from "./client_options.ts";
import { Transport } from "./_transport.ts";
import type { KeyValue } from "./key_value.ts";
import type { CallOptions } from "./key_value_types.ts";
import type { Operations } from "./operations.ts";

/** What {@link createClient} returns: the keys and values, and what an operator does. */
export interface Client extends KeyValue, Operations {
  /** Resolves if a node answers: the process serves, ready or not. */
  health(options?: CallOptions): Promise<void>;
  /** The node's metrics in the Prometheus text format. */
  metrics(options?: CallOptions): Promise<string>;
  /** The OpenAPI 3.1 document of the node. */
  openapi(options?: CallOptions): Promise<Record<string, unknown>>;
}

/**
 * Creates a client. It needs nothing but `fetch`, and opens no connection before the first call.
 *
 * One URL is used as long as it answers, so a client reads its own writes; when it fails the next one
 * takes over, and what was written through the first one may reach it a moment later.
 *
 * @param options where the nodes are
 * @throws {TypeError} for a URL that is none
 * @throws {RangeError} for `rounds` that are no whole number from 1
 * @throws {DndError} `invalid-argument` for an option that is unknown or of a wrong type; `port-blocked` for a port that `fetch` refuses, 6000 among them
 *
 * @example
 * ```ts
 * import { createClient } from "@dnd/client";
 *
 * const dnd = createClient({ urls: ["http://127.0.0.1:6080"] });
 * const receipt = await dnd.put("user1", { name: "Jack" }, { ttlMs: 60_000 });
 * await dnd.put("user1", { name: "Jill" }, { ifMatch: receipt.etag });
 * await dnd.close();
 * ```
 */
export function createClient(options: ClientOptions): Client {
  checkOptions("create a client", options, clientChecks);
  checkArgument("create a client", "urls", options.urls, urlsCheck);
  const { fetch: ownFetch, token } = options;
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    // Never the token itself in a message.
    throw invalidArgument(
      "Cannot create a client: token must be one or more visible ASCII characters, without spaces",
    );
  }
  const endpoints = new Endpoints(options.urls, ownFetch === undefined);
  const timeoutMs = checkTimeout(options.timeoutMs, 10_000);
  const rounds = options.rounds ?? 3;
  if (!Number.isSafeInteger(rounds) || rounds < 1) {
    throw new RangeError(`Cannot create a client: rounds ${rounds} is no whole number from 1`);
  }
  // Looked up at each call, so that a global replaced by a test or a polyfill is honoured.
  const fetchLike = ownFetch ?? ((url: string, init: RequestInit) => globalThis.fetch(url, init));
  const transport = new Transport({ endpoints, fetch: fetchLike, token, timeoutMs, rounds });
  return new HttpClient(transport, endpoints, timeoutMs);
}
