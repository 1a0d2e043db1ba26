import { STATUS_CODES, createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContextOptions } from "node:tls";
import { isLoopbackAddress } from "../addresses.ts";
import { newRequestId } from "./exchange.ts";
import type { Listener } from "./listener.ts";
import { problemKinds, type ProblemCode } from "./problem.ts";

/** Where and how HTTP is served. */
export interface HttpServerOptions {
  /** The id of the node, for answers to what is no request. */
  readonly node: string;
  /** The address to bind. */
  readonly address: string;
  /** The port; 0 picks a free one. */
  readonly port: number;
  /** Certificates: then it is HTTPS. */
  readonly tls?: TlsOptions | undefined;
  /** Most connections at a time (default 10,000); further ones are closed at once. */
  readonly maxConnections?: number;
}

/** Certificates of HTTPS. */
export interface TlsOptions {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** With an authority, requests must come with a client certificate of it (health routes need none). */
  readonly ca?: string | Buffer | undefined;
}

/** Listening sockets that a loopback address is bound to: their requests are checked for their Host. */
const loopbackServers = new WeakSet<object>();

/** Whether a request came in on such a socket; one that came through another server by its own address. */
export function cameOnLoopback(socket: Socket & { readonly server?: unknown }): boolean {
  const { server } = socket;
  if (typeof server === "object" && server !== null && ownServers.has(server)) {
    return loopbackServers.has(server);
  }
  return isLoopbackAddress(socket.localAddress ?? "");
}

const ownServers = new WeakSet<object>();

/** One listening socket. */
export class HttpServer {
  readonly #server: Server;
  readonly #options: HttpServerOptions;

  /** @param listener what answers */
  constructor(listener: Listener, options: HttpServerOptions) {
    this.#options = options;
    const settings = {
      // A body has a time of its own (a stream of lines may take long): see read_body.ts.
      requestTimeout: 0,
      headersTimeout: 10_000,
      keepAliveTimeout: 75_000,
      connectionsCheckingInterval: 2_000,
      maxHeaderSize: 16 * 1024,
      // We say so ourselves, as a problem.
      requireHostHeader: false,
      noDelay: true,
    };
    this.#server =
      options.tls === undefined
        ? createServer(settings)
        : createTlsServer({ ...settings, ...tlsSettings(options.tls) });
    const server = this.#server;
    ownServers.add(server);
    if (isLoopbackAddress(options.address)) loopbackServers.add(server);
    server.maxConnections = options.maxConnections ?? 10_000;
    server.on("request", listener.onRequest);
    server.on("checkContinue", listener.onCheckContinue);
    server.on("checkExpectation", listener.onCheckExpectation);
    server.on("clientError", (error: ClientError, socket: Duplex) => {
      onClientError(error, socket, options.node);
    });
  }

  /**
   * Binds the socket, exclusively: two processes of a `node:cluster` do not share it.
   *
   * @returns the port
   */
  async listen(): Promise<number> {
    const { address, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host: address, port, exclusive: true, backlog: 1024 }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes new certificates for connections from now on. */
  setCertificates(tls: TlsOptions): void {
    if ("setSecureContext" in this.#server && typeof this.#server.setSecureContext === "function") {
      (this.#server.setSecureContext as (options: SecureContextOptions) => void)(tlsSettings(tls));
    }
  }

  /** How many connections are open. */
  connections(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.getConnections((error, count) => resolve(error === null ? count : 0));
    });
  }

  /**
   * Refuses new connections, lets running requests finish and then closes what is left.
   *
   * @param graceMs how long requests may take
   */
  async close(graceMs: number): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    // A connection that turns idle now has nothing more to do.
    const idle = setInterval(() => this.#server.closeIdleConnections(), 50);
    const force = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearInterval(idle);
    clearTimeout(force);
  }
}

function tlsSettings({ cert, key, ca }: TlsOptions) {
  return {
    cert,
    key,
    minVersion: "TLSv1.2" as const,
    // As for a head: Node gives a silent connection two minutes.
    handshakeTimeout: 10_000,
    // Health routes want no certificate, so the connection is taken and each request is checked.
    ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: false }),
  };
}

const clientErrorCodes: Readonly<Record<string, { code: ProblemCode; detail: string }>> = {
  HPE_HEADER_OVERFLOW: { code: "headers-too-large", detail: "The headers have more than 16 KiB" },
  ERR_HTTP_REQUEST_TIMEOUT: { code: "timeout", detail: "The headers took more than 10 s" },
  HPE_INVALID_URL: {
    code: "invalid-key",
    detail: "The request target has bytes that must be percent-encoded",
  },
};

/** What Node's parser says; the packet in which it gave up comes with it. */
interface ClientError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer;
}

/** Node's parser has refused the bytes: there is no request, but there is a socket to say why. */
function onClientError(error: ClientError, socket: Duplex, node: string): void {
  // Before the end of the handshake nothing can be said: what is written then waits for ever, and the socket with it.
  const handshaking = "secureConnecting" in socket && socket.secureConnecting === true;
  if (error.code === "ECONNRESET" || !socket.writable || handshaking) {
    socket.destroy();
    return;
  }
  const { code, detail } = clientErrorCodes[error.code ?? ""] ?? {
    code: "invalid-argument" as const,
    detail: "This is not HTTP/1.1",
  };
  const { status, title } = problemKinds[code];
  // An answer to HEAD has no body, and one to a write says its outcome, as far as the method can still be told.
  const [method = ""] = error.rawPacket?.subarray(0, 8).toString("latin1").split(" ") ?? [];
  const head = method === "HEAD";
  const reads = head || method === "GET" || method === "OPTIONS";
  const body = JSON.stringify({
    ...{ type: `urn:dnd:error:${code}`, title, status, code, detail },
    ...(reads ? {} : { outcome: "not-applied" }),
  });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nDate: ${new Date().toUTCString()}\r\n` +
      `Content-Type: application/problem+json\r\nDnd-Node: ${node}\r\nX-Request-Id: ${newRequestId()}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${head ? "" : body}`,
  );
}
