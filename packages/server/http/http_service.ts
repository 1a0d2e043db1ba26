import type { RequestListener } from "node:http";
import { hostName } from "./admission.ts";
import { formatHostPort } from "@dnd/gossip";
import type { NodeHttpOptions } from "../node_options.ts";
import type { NodeLogger } from "../node_logger.ts";
import type { RunningNode } from "../running_node.ts";
import type { ClusterLink } from "../peer/cluster_link.ts";
import type { Tokens } from "../token_file.ts";
import type { HttpContext } from "./http_context.ts";
import { HttpServer, cameOnLoopback, type TlsOptions } from "./http_server.ts";
import { createListener, type Listener } from "./listener.ts";
import { NodeMetrics } from "./node_metrics.ts";
import { allRoutes } from "./routes.ts";
import { WatchHub } from "./watch_hub.ts";

/** Longest time for a whole body. */
const defaultBodyMs = 30_000;

/** What HTTP is made of. */
export interface HttpServiceParts {
  readonly node: RunningNode;
  readonly link: ClusterLink;
  readonly logger: NodeLogger;
  /** Absent: nothing listens; there is the handler. */
  readonly http: NodeHttpOptions | undefined;
  /** Default address to bind. */
  readonly address: string;
  /** The host that others are told: allowed in `Host`. */
  readonly advertisedHost: string;
  /** For tests: answer everything through Koa. */
  readonly fastPath?: boolean | undefined;
  /** For tests: longest time for a whole body, in milliseconds. Default 30,000. */
  readonly bodyMs?: number | undefined;
}

/** The REST API of one node: its routes, its listening sockets, its metrics. */
export class HttpService {
  readonly #parts: HttpServiceParts;
  readonly #hub: WatchHub;
  readonly #metrics: NodeMetrics;
  readonly #listener: Listener;
  readonly #servers: HttpServer[] = [];
  #tokens: Tokens | undefined;
  #closed = false;
  #ports: { port: number | undefined; webPort: number | undefined } | undefined;

  /** @param parts nothing is opened before {@link listen} */
  constructor(parts: HttpServiceParts) {
    const { node, link, logger, http = {} } = parts;
    this.#parts = parts;
    this.#tokens = http.tokens;
    this.#hub = new WatchHub(
      node.feed,
      http.maxWatchBytes === undefined ? {} : { maxWaitingBytes: http.maxWatchBytes },
    );
    this.#metrics = new NodeMetrics({ node, link, hub: this.#hub });
    const hosts = [...(http.allowHosts ?? []), parts.advertisedHost, http.address ?? parts.address];
    const context: HttpContext = {
      node,
      valueLimit: { bytes: node.maxValueBytes, code: "value-too-large" },
      bodyMs: parts.bodyMs ?? defaultBodyMs,
      logger,
      accessLog: http.accessLog ?? false,
      tokens: () => this.#tokens,
      allowHosts: new Set(hosts.map((host) => hostName(host) ?? host.toLowerCase())),
      allowOrigins: new Set(http.allowOrigins),
      clientCertificates: http.tls?.ca !== undefined,
      observer: this.#metrics,
      metrics: () => this.#metrics.text(),
    };
    this.#listener = createListener(
      {
        context,
        routes: allRoutes(this.#hub),
        isLoopback: (exchange) => cameOnLoopback(exchange.request.socket),
      },
      parts.fastPath === undefined ? {} : { fastPath: parts.fastPath },
    );
  }

  /** A plain request listener, to mount in any server. */
  readonly handler: RequestListener = (request, response) => {
    const { onRequest, onClosed } = this.#listener;
    if (this.#closed) onClosed(request, response);
    else onRequest(request, response);
  };

  /** The metrics as text. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }> {
    return this.#metrics.text();
  }

  /** The ports, once it listens. */
  get ports():
    { readonly port: number | undefined; readonly webPort: number | undefined } | undefined {
    return this.#ports;
  }

  /**
   * Binds the configured ports.
   *
   * @throws {NodeJS.ErrnoException} `EADDRINUSE` and the like; nothing is left open then
   */
  async listen(): Promise<void> {
    const { http, address } = this.#parts;
    if (http === undefined) return;
    const host = http.address ?? address;
    try {
      const { port = 0, webPort = "off" } = http;
      this.#ports = {
        port: port === "off" ? undefined : await this.#open(host, port),
        webPort: webPort === "off" ? undefined : await this.#open(host, webPort),
      };
    } catch (error) {
      await this.close(0);
      throw error;
    }
  }

  /** New tokens and certificates, from now on. */
  reload(secrets: {
    readonly tokens?: Tokens | undefined;
    readonly tls?: TlsOptions | undefined;
  }): void {
    if (secrets.tokens !== undefined) this.#tokens = secrets.tokens;
    const { tls } = secrets;
    if (tls !== undefined) for (const server of this.#servers) server.setCertificates(tls);
  }

  /** Refuses new connections, ends watches, lets requests finish for so long. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    const closed = this.#servers.map((server) => server.close(graceMs));
    this.#hub.close();
    await Promise.all(closed);
  }

  async #open(address: string, port: number): Promise<number> {
    const { http, node } = this.#parts;
    const server = new HttpServer(this.#listener, {
      node: node.id,
      address,
      port,
      tls: http?.tls,
      ...(http?.maxConnections === undefined ? {} : { maxConnections: http.maxConnections }),
    });
    this.#servers.push(server);
    try {
      return await server.listen();
    } catch (error) {
      throw new BindHttpError(formatHostPort(address, port), error as NodeJS.ErrnoException);
    }
  }
}

/** An HTTP port could not be bound. */
export class BindHttpError extends Error {
  override readonly name: string = "BindHttpError";
  /** `host:port` that was asked for. */
  readonly address: string;

  /** @param cause the system's error */
  constructor(address: string, cause: NodeJS.ErrnoException) {
    const why =
      cause.code === "EADDRINUSE"
        ? "the port is in use by another process; choose another port, or 0 for a free one"
        : cause.code === "EACCES"
          ? "not permitted (ports below 1024 need privileges)"
          : cause.code === "EADDRNOTAVAIL"
            ? "this machine has no such address"
            : cause.message;
    super(`Cannot bind HTTP ${address}: ${why}`, { cause });
    this.address = address;
  }
}
