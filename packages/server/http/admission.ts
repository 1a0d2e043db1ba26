import { isIP } from "node:net";
import type { Role } from "../token_file.ts";
import { roleAllows } from "../token_file.ts";
import type { Exchange } from "./exchange.ts";
import { problemError } from "./problem.ts";

/** Headers that a web page of an allowed origin may read, and those that it may send. */
const exposed =
  "ETag, Dnd-Node, Dnd-Event, Dnd-Replicas, Dnd-Existed, Dnd-Expires, Dnd-Superseded, Retry-After, X-Request-Id";
const accepted =
  "Authorization, Content-Type, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, Last-Event-ID, X-Request-Id";

/**
 * The checks before any route: one Host header, an origin-form target, a host that is ours on a
 * loopback bind, a web page that may, a token.
 *
 * A web page can make a browser send requests to 127.0.0.1. What gives it away are `Origin` and
 * `Sec-Fetch-Site`, and, where it has bent a name of its own to 127.0.0.1 (DNS rebinding), `Host`.
 *
 * @param loopback whether the socket that the request came in on is bound to a loopback address
 * @throws {DndError} 400, 421, 403, 401
 */
export function admit(exchange: Exchange, loopback: boolean): void {
  const { context, request } = exchange;
  const { rawHeaders } = request;
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length === 4 && name.toLowerCase() === "host") hosts += 1;
    // If-None-Match and its like: a GET looks for them only when there may be some.
    else if (name?.charCodeAt(2) === 0x2d) exchange.mayBeConditional = true;
  }
  if (hosts > 1) throw problemError("invalid-argument", "Two Host headers; send one");
  const { path } = exchange;
  if (path.charCodeAt(0) !== 0x2f) {
    if (path !== "*" || exchange.method !== "OPTIONS") {
      throw problemError(
        "invalid-argument",
        "The request target must be a path, as in GET /kv/key; this is no proxy",
      );
    }
  }
  if (path === "/health" || path === "/health/ready") {
    // Nobody is turned away here, but a page of an allowed origin must be able to read the answer.
    const { origin } = request.headers;
    if (origin !== undefined && context.allowOrigins.has(origin)) {
      exchange.extraHeaders = corsHeaders(exchange, origin);
    }
    return;
  }
  const host = request.headers.host;
  if (host === undefined && request.httpVersion !== "1.0") {
    throw problemError("invalid-argument", "The Host header is missing");
  }
  if (loopback && !isOwnHost(host ?? "", exchange)) {
    throw problemError(
      "host-not-allowed",
      `Host ${JSON.stringify(host ?? "")} is not this node; allow it with --allow-host`,
    );
  }
  checkOrigin(exchange, host ?? "");
  if (context.clientCertificates && !isAuthorized(request.socket)) {
    throw problemError(
      "unauthorized",
      "A client certificate of the configured authority is needed",
    );
  }
  const tokens = context.tokens();
  if (tokens === undefined || exchange.method === "OPTIONS") return;
  const given = /^bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? "")?.[1];
  if (given === undefined) {
    throw problemError("unauthorized", "Send the header Authorization: Bearer <token>");
  }
  const role = tokens.roleOf(given);
  if (role === undefined) throw problemError("unauthorized", "The token is not known here");
  exchange.role = role;
}

/** Checks that the caller's token allows what a route does. Without tokens everything is allowed. */
export function requireRole(exchange: Exchange, wanted: Role | undefined): void {
  if (wanted === undefined || exchange.context.tokens() === undefined) return;
  if (exchange.role === undefined) {
    throw problemError("unauthorized", "Send the header Authorization: Bearer <token>");
  }
  if (!roleAllows(exchange.role, wanted)) {
    throw problemError(
      "forbidden",
      `The token has the role ${exchange.role}; this needs ${wanted}`,
    );
  }
}

function isAuthorized(socket: object): boolean {
  return "authorized" in socket && socket.authorized === true;
}

/** The last Host header seen to be our own: nearly every request sends the same one. */
let knownHost: { host: string; allowed: ReadonlySet<string> } | undefined;

function isOwnHost(host: string, { context }: Exchange): boolean {
  if (knownHost?.host === host && knownHost.allowed === context.allowHosts) return true;
  const name = hostName(host);
  const own =
    name !== undefined &&
    (isIP(name) !== 0 ||
      name === "localhost" ||
      name.endsWith(".localhost") ||
      context.allowHosts.has(name));
  if (own) knownHost = { host, allowed: context.allowHosts };
  return own;
}

/** The name in a Host header, in lower case, without port, brackets and final dot. */
export function hostName(host: string): string | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+))(?::[0-9]{0,5})?$/.exec(host);
  const name = match?.[1] ?? match?.[2];
  return name?.toLowerCase().replace(/\.$/, "");
}

function checkOrigin(exchange: Exchange, host: string): void {
  const { headers } = exchange.request;
  const { origin } = headers;
  const site = headers["sec-fetch-site"];
  if (origin === undefined && site === undefined) return;
  const { allowOrigins } = exchange.context;
  if (origin !== undefined) {
    if (allowOrigins.has(origin)) {
      exchange.extraHeaders = corsHeaders(exchange, origin);
      return;
    }
    const encrypted = "encrypted" in exchange.request.socket;
    if (origin !== `${encrypted ? "https" : "http"}://${host}`) {
      throw problemError(
        "origin-not-allowed",
        `Web pages of ${JSON.stringify(origin)} may not use this node; allow them with --allow-origin`,
      );
    }
  }
  if (site === "cross-site") {
    throw problemError(
      "origin-not-allowed",
      "A request that another site's page made; allow its origin with --allow-origin",
    );
  }
}

function corsHeaders(exchange: Exchange, origin: string): readonly string[] {
  const headers = ["Access-Control-Allow-Origin", origin, "Vary", "Origin"];
  const { headers: asked } = exchange.request;
  if (exchange.method === "OPTIONS" && asked["access-control-request-method"] !== undefined) {
    headers.push("Access-Control-Allow-Methods", "GET, HEAD, PUT, POST, DELETE, OPTIONS");
    headers.push("Access-Control-Allow-Headers", accepted, "Access-Control-Max-Age", "600");
    if (asked["access-control-request-private-network"] === "true") {
      headers.push("Access-Control-Allow-Private-Network", "true");
    }
  } else headers.push("Access-Control-Expose-Headers", exposed);
  return headers;
}
