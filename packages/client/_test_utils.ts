import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeValue, encodeValue, isJsonType, isTextType } from "./value_codec.ts";

/** Handles a request in place of the fake node; false to leave it alone. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

interface Held {
  readonly bytes: Uint8Array;
  readonly contentType: string;
  readonly etag: string;
  readonly expiresAt: number | undefined;
}

interface Event {
  readonly n: number;
  readonly type: string;
  readonly key: string;
  readonly data: Record<string, unknown>;
}

class Problem extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string) {
    super(code);
    this.status = status;
    this.code = code;
  }
}

/**
 * One node, by the letter of the HTTP interface, for the tests of the client: a map, its change log
 * and no cluster. The real node runs the same contract in the server's tests. It is one long file,
 * because only a file of this name is left out of the tarball.
 */
export class FakeNode {
  /** Method and path of every request, oldest first. */
  readonly requests: string[] = [];
  /** The same with headers, for tests that look. */
  readonly heads: IncomingMessage[] = [];
  /** Set to answer in place of the node. */
  intercept: Intercept = () => false;
  readonly #server: Server;
  readonly #held: Map<string, Held> = new Map();
  readonly #log: Event[] = [];
  readonly #watchers: Set<() => void> = new Set();
  readonly #expiries: NodeJS.Timeout[] = [];
  #time = 0;

  constructor() {
    this.#server = createServer((request, response) => {
      this.requests.push(`${request.method} ${request.url}`);
      this.heads.push(request);
      if (this.intercept(request, response)) return;
      this.#serve(request, response).catch((error: unknown) => {
        const { status, code } = error instanceof Problem ? error : new Problem(500, "internal");
        sendProblem(response, status, code);
      });
    });
  }

  /** Starts it. @returns its base URL */
  async start(port: number = 0): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    return this.url;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Cuts every connection, but keeps serving. */
  cut(): void {
    this.#server.closeAllConnections();
  }

  async stop(): Promise<void> {
    for (const timer of this.#expiries) clearTimeout(timer);
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://x");
    const path = (request.url ?? "/").replace(/\?.*/, "");
    const query = url.searchParams;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    response.setHeader("dnd-node", "a");
    response.setHeader("dnd-event", this.#id(this.#log.length));
    if (path.startsWith("/kv/")) return this.#key(request, response, path.slice(4), query, body);
    const json = (value: unknown): void => sendJson(response, 200, value);
    const sent =
      body.length > 0 ? (JSON.parse(body.toString().split("\n")[0] ?? "") as object) : {};
    switch (`${request.method} ${path}`) {
      case "GET /health":
        return void response.end("OK");
      case "GET /health/ready":
        return json({ ready: true, alone: true });
      case "GET /kv":
        return json(this.#list(query));
      case "DELETE /kv":
        return json({ deleted: this.#deletePrefix(query.get("prefix") ?? "") });
      case "POST /batch":
        return json({ results: this.#batch((sent as { ops: Record<string, unknown>[] }).ops) });
      case "GET /watch":
        return this.#watch(request, response, query);
      case "GET /cluster":
        return json({ cluster: "dnd", node: "a", keys: this.#held.size, members: [] });
      default:
        break;
    }
    if (path.startsWith("/explain/")) {
      const key = decodeURIComponent(path.slice("/explain/".length));
      const { etag } = this.#held.get(key) ?? {};
      const member = { node: "a", name: "a", state: "alive", counts: true, answer: "holds", etag };
      return json({ key, etag, reason: "alone", members: [member] });
    }
    throw new Problem(404, "no-such-route");
  }

  #key(
    request: IncomingMessage,
    response: ServerResponse,
    raw: string,
    query: URLSearchParams,
    body: Buffer,
  ): void {
    const key = decodeURIComponent(raw);
    if (/(?:^|\/)\.\.?(?:\/|$)/.test(key)) throw new Problem(400, "invalid-key");
    const held = this.#live(key);
    if (request.method === "GET" || request.method === "HEAD") {
      if (held === undefined) throw new Problem(404, "not-found");
      response.setHeader("etag", held.etag);
      response.setHeader("content-type", held.contentType);
      if (held.expiresAt !== undefined) {
        response.setHeader("dnd-expires", new Date(held.expiresAt).toISOString());
      }
      response.end(held.bytes);
      return;
    }
    const { "if-match": ifMatch, "if-none-match": ifNoneMatch } = request.headers;
    const matches = (tag: string): boolean =>
      held !== undefined && (tag === "*" || tag === held.etag);
    if (ifMatch !== undefined && !matches(ifMatch)) throw new Problem(412, "precondition-failed");
    if (ifNoneMatch !== undefined && matches(ifNoneMatch)) {
      throw new Problem(412, "precondition-failed");
    }
    if (!["1", "one", "quorum", "all"].includes(query.get("w") ?? "1")) {
      throw new Problem(400, "invalid-argument");
    }
    if (body.length > 1_048_576) throw new Problem(413, "value-too-large");
    const contentType = request.headers["content-type"] ?? "application/json";
    const etag =
      request.method === "DELETE"
        ? this.#delete(key)
        : this.#put(key, new Uint8Array(body), contentType, ttlOf(query.get("ttl")));
    response.setHeader("etag", etag);
    response.setHeader("dnd-replicas", "acked=1, needed=1, members=1");
    response.setHeader("dnd-event", this.#id(this.#log.length));
    if (request.method === "DELETE") response.setHeader("dnd-existed", String(held !== undefined));
    response.statusCode = request.method === "DELETE" ? 204 : 200;
    response.end(request.method === "DELETE" ? undefined : "OK");
  }

  #id(n: number): string {
    return `a.1.${n}`;
  }

  #stamp(): string {
    this.#time = Math.max(this.#time + 1, (Date.now() - 1_767_225_600_000) * 4096);
    return `"${this.#time}-a"`;
  }

  #live(key: string): Held | undefined {
    const held = this.#held.get(key);
    return held?.expiresAt !== undefined && held.expiresAt <= Date.now() ? undefined : held;
  }

  #put(key: string, bytes: Uint8Array, contentType: string, ttlMs: number | undefined): string {
    const expiresAt = ttlMs === undefined ? undefined : Date.now() + ttlMs;
    const held = { bytes, contentType, etag: this.#stamp(), expiresAt };
    this.#held.set(key, held);
    this.#emit("put", key, this.#item(key, held, true));
    if (ttlMs !== undefined) {
      const expire = (): void => {
        if (this.#held.get(key) === held) this.#emit("expire", key, { key, etag: held.etag });
      };
      this.#expiries.push(setTimeout(expire, Math.min(ttlMs, 2 ** 31 - 1)).unref());
    }
    return held.etag;
  }

  #delete(key: string): string {
    const etag = this.#stamp();
    this.#held.delete(key);
    this.#emit("delete", key, { key, etag });
    return etag;
  }

  #emit(type: string, key: string, data: Record<string, unknown>): void {
    this.#log.push({ n: this.#log.length + 1, type, key, data });
    for (const wake of this.#watchers) wake();
  }

  #item(key: string, held: Held, values: boolean): Record<string, unknown> {
    const { bytes, contentType, etag, expiresAt } = held;
    return {
      ...{ key, etag, contentType, size: bytes.length, modified: new Date().toISOString() },
      ...(expiresAt === undefined ? {} : { expires: new Date(expiresAt).toISOString() }),
      ...(values ? wire(bytes, contentType) : {}),
    };
  }

  #list(query: URLSearchParams): unknown {
    const prefix = query.get("prefix") ?? "";
    const after = query.get("cursor");
    const limit = Number(query.get("limit") ?? 100);
    const delimiter = query.get("delimiter");
    if (after !== null && !/^[0-9a-f]*$/.test(after)) throw new Problem(400, "invalid-argument");
    const last = Buffer.from(after ?? "", "hex");
    const keys = [...this.#held.keys()]
      .filter((key) => key.startsWith(prefix) && this.#live(key) !== undefined)
      .map((key) => Buffer.from(key))
      .filter((key) => after === null || Buffer.compare(key, last) > 0)
      .sort((a, b) => Buffer.compare(a, b))
      .map(String);
    const page = keys.slice(0, limit);
    const values = query.get("values") === "true";
    const cut = (key: string): number =>
      delimiter === null ? -1 : key.indexOf(delimiter, prefix.length);
    const prefixes = page.filter((key) => cut(key) >= 0).map((key) => key.slice(0, cut(key) + 1));
    const items = page.filter((key) => cut(key) < 0);
    return {
      items: items.map((key) => this.#item(key, this.#held.get(key) as Held, values)),
      ...(delimiter === null ? {} : { prefixes: [...new Set(prefixes)] }),
      ...(keys.length > limit ? { cursor: Buffer.from(page.at(-1) ?? "").toString("hex") } : {}),
    };
  }

  #deletePrefix(prefix: string): number {
    const keys = [...this.#held.keys()].filter((key) => key.startsWith(prefix));
    for (const key of keys) this.#delete(key);
    return keys.length;
  }

  #batch(ops: readonly Record<string, unknown>[]): unknown[] {
    if (ops.length > 1000) throw new Problem(400, "invalid-argument");
    return ops.map((op) => {
      const key = String(op["key"]);
      const held = this.#live(key);
      const ttlMs = op["ttl"] === undefined ? undefined : ttlOf(op["ttl"] as string);
      if (key === "" || /\p{Surrogate}/u.test(key)) return { status: 400, code: "invalid-key" };
      if (op["op"] === "delete") {
        return { status: 204, etag: this.#delete(key), existed: held !== undefined };
      }
      if (op["op"] === "put") {
        const type = op["contentType"] as string | undefined;
        const value = op["encoding"] === "base64" ? unbase64(op["value"]) : op["value"];
        const text = op["encoding"] === undefined ? JSON.stringify(value) : value;
        const given = op["encoding"] === undefined ? (type ?? "application/json") : type;
        const { bytes, contentType } = encodeValue(text, given);
        return { status: 200, etag: this.#put(key, bytes, contentType, ttlMs) };
      }
      if (held === undefined) return { status: 404, code: "not-found" };
      if (op["op"] === "get") return { status: 200, ...this.#item(key, held, true) };
      return { status: 200, etag: this.#put(key, held.bytes, held.contentType, ttlMs) };
    });
  }

  #watch(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    const after = request.headers["last-event-id"] ?? query.get("after");
    const match = /^a\.1\.(\d+)$/.exec(String(after));
    let next = match === null ? this.#log.length : Number(match[1]);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(`: dnd\nretry: 20\n\n`);
    if (after !== null && match === null) {
      response.write(
        `event: reset\nid: ${this.#id(next)}\ndata: {"reason":"unknown event id"}\n\n`,
      );
    }
    const prefix = query.get("prefix") ?? "";
    const flush = (): void => {
      for (; next < this.#log.length; next += 1) {
        const event = this.#log[next];
        if (event === undefined || !event.key.startsWith(prefix)) continue;
        if (query.get("key") !== null && query.get("key") !== event.key) continue;
        const data = { ...event.data };
        if (query.get("values") !== "true") {
          delete data["value"];
          delete data["encoding"];
        }
        const text = JSON.stringify(data);
        response.write(`event: ${event.type}\nid: ${this.#id(event.n)}\ndata: ${text}\n\n`);
      }
    };
    flush();
    this.#watchers.add(flush);
    response.on("close", () => this.#watchers.delete(flush));
  }
}

function unbase64(text: unknown): Uint8Array {
  return new Uint8Array(Buffer.from(String(text), "base64"));
}

function wire(bytes: Uint8Array, contentType: string): Record<string, unknown> {
  if (isJsonType(contentType)) return { value: decodeValue(bytes, contentType) };
  if (isTextType(contentType)) return { encoding: "utf8", value: Buffer.from(bytes).toString() };
  return { encoding: "base64", value: Buffer.from(bytes).toString("base64") };
}

function ttlOf(text: string | null): number | undefined {
  if (text === null) return undefined;
  const match = /^(\d+)(ms|s)$/.exec(text);
  if (match === null) throw new Problem(400, "invalid-argument");
  return Number(match[1]) * (match[2] === "s" ? 1000 : 1);
}

/** Sends a JSON document. */
export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

/** Sends a problem document. */
export function sendProblem(
  response: ServerResponse,
  status: number,
  code: string,
  more: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): void {
  if (response.headersSent) return void response.destroy();
  const type = { "content-type": "application/problem+json", "x-request-id": "r-1" };
  response.writeHead(status, { ...type, ...headers });
  const title = `The title of ${code}`;
  const body = { type: `urn:dnd:error:${code}`, title, status, code, detail: title, ...more };
  response.end(JSON.stringify(body));
}

/** A port on which nothing listens. */
export async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
