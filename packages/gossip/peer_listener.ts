import { constants } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import {
  createServer as createTlsServer,
  type Server as TlsServer,
  type TLSSocket,
} from "node:tls";
import { type FrameBody, MAX_FRAME_BYTES } from "@dnd/protocol";
import { type FrameLimits, FrameSocket } from "./_frame_socket.ts";
import {
  judgeHello,
  type LocalHello,
  ownHello,
  type StreamKeys,
  tlsOptions,
} from "./_stream_handshake.ts";
import { BindError } from "./bind_error.ts";
import { formatHostPort } from "./host_port.ts";
import { PeerStream } from "./peer_stream.ts";
import { fromSocketError, PeerStreamError, type PeerStreamErrorCode } from "./peer_stream_error.ts";

/** Options of {@linkcode PeerListener.bind}. */
export interface PeerListenerOptions {
  address: string;
  port: number;
  local: LocalHello;
  keys: StreamKeys;
  limits: FrameLimits;
  /** Connections open at once, strangers included. */
  maxConnections: number;
  /** Connections that have not said a valid hello yet; one more cuts the oldest of them. */
  maxStrangers: number;
  /** Streams of one member at once; one more cuts the oldest of them, so that it only harms itself. */
  maxPerPeer: number;
  /** For TLS and hello together, ms. */
  helloTimeoutMs: number;
  /** Whether streams of this purpose are served. */
  serves: (purpose: string) => boolean;
  onStream: (stream: PeerStream) => void;
  /** Told of each connection that was turned away, after it was counted. */
  onRejected: (code: RejectionCode, from: string, detail: string) => void;
}

/** Why a connection was turned away. */
export type RejectionCode = PeerStreamErrorCode | "too-many" | "unknown-purpose";

/** What a {@linkcode PeerListener} counted. */
export interface ListenerCounters {
  accepted: number;
  rejected: Partial<Record<RejectionCode, number>>;
}

interface Connection {
  socket: Socket;
  from: string;
  timer: NodeJS.Timeout;
  stream?: PeerStream;
}

const tlsHandshakeByte = 0x16;

/**
 * The TCP side of a node: accepts connections, opens TLS, reads the hello, and only then hands out a
 * {@linkcode PeerStream}. Everything before the hello is a stranger: few at a time, with little time and
 * no more memory than one small frame. A stranger without a valid key gets no byte of ours, apart from the
 * alert with which TLS ends a handshake.
 */
export class PeerListener {
  readonly port: number;
  readonly address: string;
  readonly #server: Server;
  readonly #tls: TlsServer;
  readonly #options: PeerListenerOptions;
  readonly #connections = new Set<Connection>();
  readonly #strangers = new Set<Connection>();
  readonly #handshakes = new Map<string, Connection>();
  readonly #counters: ListenerCounters = { accepted: 0, rejected: {} };
  readonly #identities = new WeakMap<object, string>();
  #closed = false;

  /** @throws {BindError} when the port is taken, not permitted, or not of this machine */
  static async bind(options: PeerListenerOptions): Promise<PeerListener> {
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 15_000 });
    const { address, port } = options;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ host: address, port, exclusive: true, backlog: 511 }, () => {
          server.off("error", reject);
          resolve();
        });
      });
    } catch (error) {
      throw new BindError("TCP", formatHostPort(address, port), error as NodeJS.ErrnoException);
    }
    return new PeerListener(server, options);
  }

  /** Takes over a listening server; {@linkcode PeerListener.bind} makes one. */
  constructor(server: Server, options: PeerListenerOptions) {
    this.#server = server;
    this.#options = options;
    const bound = server.address();
    if (bound === null || typeof bound === "string")
      throw new TypeError("Cannot listen: not on TCP");
    this.port = bound.port;
    this.address = formatHostPort(bound.address, bound.port);
    this.#tls = createTlsServer({
      ...tlsOptions,
      secureOptions: constants.SSL_OP_NO_TICKET,
      pskCallback: (socket, identity) => {
        const key = options.keys.find(identity);
        if (key === undefined) return null;
        this.#identities.set(socket, key.id);
        return Buffer.from(key.psk);
      },
    });
    this.#tls.on("secureConnection", (secure) => {
      const connection = this.#handshakeOf(secure);
      const keyId = this.#identities.get(secure);
      // Without a key that we were asked for it is a resumed session: a way round a key that was retired.
      if (connection === undefined || keyId === undefined) secure.destroy();
      else void this.#greet(connection, secure, keyId);
    });
    this.#tls.on("tlsClientError", (error, secure) => {
      const connection = this.#handshakeOf(secure);
      const detail = error.message.split("\n")[0] ?? "";
      if (connection !== undefined) this.#reject(connection, "unauthenticated", detail);
    });
    server.on("connection", (socket) => this.#accept(socket));
    server.on("error", (error) => options.onRejected("unreachable", this.address, error.message));
  }

  get counters(): ListenerCounters {
    return { ...this.#counters, rejected: { ...this.#counters.rejected } };
  }

  /** Streams that are open now. */
  get streams(): PeerStream[] {
    return [...this.#connections].flatMap(({ stream }) => stream ?? []);
  }

  /** Stops listening and cuts what is open. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) {
      connection.stream?.destroy();
      connection.socket.destroy();
    }
    await closed;
  }

  #accept(socket: Socket): void {
    const from = formatHostPort(socket.remoteAddress ?? "?", socket.remotePort ?? 0);
    socket.on("error", () => undefined); // Said again by "close"; FrameSocket adds its own.
    const { maxConnections, maxStrangers, helloTimeoutMs } = this.#options;
    if (this.#closed || this.#connections.size >= maxConnections) {
      this.#count("too-many", from, `${this.#connections.size} connections are open`);
      socket.destroy();
      return;
    }
    if (this.#strangers.size >= maxStrangers) {
      const [oldest] = this.#strangers;
      if (oldest !== undefined)
        this.#reject(oldest, "too-many", `${maxStrangers} have not said hello`);
    }
    const connection: Connection = {
      socket,
      from,
      timer: setTimeout(
        () => this.#reject(connection, "timeout", `no hello within ${helloTimeoutMs} ms`),
        helloTimeoutMs,
      ),
    };
    this.#connections.add(connection);
    this.#strangers.add(connection);
    socket.once("close", () => {
      clearTimeout(connection.timer);
      this.#connections.delete(connection);
      this.#strangers.delete(connection);
    });
    socket.once("readable", () => this.#peek(connection));
  }

  /** The first byte tells TLS (22) from a plain frame (the high byte of its length, 0). */
  #peek(connection: Connection): void {
    const { socket } = connection;
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return; // Ended without a word.
    socket.unshift(chunk);
    const sealed = chunk[0] === tlsHandshakeByte;
    const { keys } = this.#options;
    if (sealed ? !keys.configured : keys.required) {
      const detail = sealed
        ? "speaks TLS, this node has no keys"
        : "speaks without TLS, keys are required";
      this.#reject(connection, "unauthenticated", detail);
      return;
    }
    if (!sealed) {
      void this.#greet(connection, socket, undefined);
      return;
    }
    this.#handshakes.set(connection.from, connection);
    socket.once("close", () => {
      this.#handshakes.delete(connection.from);
      this.#reject(connection, "unauthenticated", "ended during the TLS handshake");
    });
    this.#tls.emit("connection", socket);
  }

  /** The TLS server tells of its sockets by events only; the other side's address says which one it is. */
  #handshakeOf(secure: TLSSocket): Connection | undefined {
    const from = formatHostPort(secure.remoteAddress ?? "?", secure.remotePort ?? 0);
    const connection = this.#handshakes.get(from);
    this.#handshakes.delete(from);
    return connection;
  }

  async #greet(connection: Connection, socket: Socket, keyId: string | undefined): Promise<void> {
    const { from } = connection;
    const frames = new FrameSocket(socket, this.#options.limits, from);
    let hello: FrameBody | undefined;
    try {
      const first = await frames.next();
      if (first === undefined) return;
      hello = first.body;
    } catch (error) {
      const { code, message } = fromSocketError(error as Error, from);
      this.#reject(connection, code, message);
      return;
    }
    if (!frames.isOpen || connection.socket.destroyed) return;
    if (hello?.type !== "hello") {
      this.#reject(connection, "malformed", "the first frame is no hello");
      return;
    }
    const { purpose } = hello;
    const own = ownHello(this.#options.local, purpose);
    const wanted = hello.target !== "" && hello.target !== own.id;
    const fault = wanted
      ? { code: "wrong-node" as const, detail: `this is node ${own.id}, not ${hello.target}` }
      : judgeHello(hello, own);
    if (fault !== undefined || !this.#options.serves(purpose)) {
      const code = fault?.code ?? "unknown-purpose";
      const detail = (fault?.detail ?? `nothing here serves ${JSON.stringify(purpose)}`).slice(
        0,
        200,
      );
      this.#count(code, from, detail);
      frames.send({ body: { type: "refusal", code, detail } });
      await frames.close(); // The hello's deadline cuts who does not end.
      return;
    }
    clearTimeout(connection.timer);
    this.#strangers.delete(connection);
    this.#counters.accepted += 1;
    frames.maxFrameBytes = MAX_FRAME_BYTES;
    frames.send({ body: { type: "hello", ...own } });
    this.#makeRoom(hello.id, from);
    connection.stream = new PeerStream(frames, { purpose, hello, incoming: true, keyId });
    this.#options.onStream(connection.stream);
  }

  #makeRoom(id: string, from: string): void {
    const { maxPerPeer } = this.#options;
    const own = this.streams.filter(({ peer, isOpen }) => isOpen && peer.id === id);
    if (own.length < maxPerPeer) return;
    const detail = `${id} has ${own.length} streams open: the oldest is cut`;
    this.#count("too-many", from, detail);
    own[0]?.destroy(new PeerStreamError("closed", detail));
  }

  #reject(connection: Connection, code: RejectionCode, detail: string): void {
    if (!this.#strangers.delete(connection)) return;
    this.#count(code, connection.from, detail);
    connection.socket.destroy(new PeerStreamError("closed", detail));
  }

  #count(code: RejectionCode, from: string, detail: string): void {
    this.#counters.rejected[code] = (this.#counters.rejected[code] ?? 0) + 1;
    this.#options.onRejected(code, from, detail);
  }
}
