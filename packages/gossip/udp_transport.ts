import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { isIP } from "node:net";
import { BindError } from "./bind_error.ts";
import { formatHostPort, type HostPort, parseHostPort } from "./host_port.ts";

/** Options of {@linkcode UdpTransport.bind}. */
export interface UdpTransportOptions {
  /** An IP literal: `127.0.0.1`, `::`, ... A name is never looked up here. */
  address: string;
  /** 0 = a free one. */
  port: number;
  /** Asked of the kernel, which caps it at `net.core.rmem_max`. Default 4 MiB. */
  receiveBufferBytes?: number;
  /** Datagrams handed to the kernel in one turn of the event loop; the rest wait. Default 64. */
  burst?: number;
  /** Bytes that may wait; what does not fit is dropped and counted. Default 8 MiB. */
  maxQueuedBytes?: number;
  /** Called for every datagram. The bytes belong to the callee. */
  onDatagram: (bytes: Uint8Array, from: string) => void;
  /** Called for each error that stayed inside, after it was counted. */
  onError?: (error: NodeJS.ErrnoException, during: "send" | "receive") => void;
}

/** What a {@linkcode UdpTransport} counted since it was bound. */
export interface UdpCounters {
  sentDatagrams: number;
  sentBytes: number;
  receivedDatagrams: number;
  receivedBytes: number;
  /** Errors by the system's code (`ENETUNREACH`, `ENOBUFS`, ...). */
  errors: Record<string, number>;
  /** Datagrams that did not fit the queue. */
  dropped: number;
}

/** Parsed addresses that are kept; a cluster has fewer. */
const maxTargets = 8_192;

interface Waiting {
  bytes: Uint8Array;
  to: string;
}

/**
 * One UDP socket, bound exclusively, that never throws after it is bound: errors of the network are
 * counted and reported, datagrams beyond the queue's bound dropped and counted. Sends are paced, a
 * burst a turn of the event loop, so that a large fan-out neither overruns the receivers' buffers nor keeps
 * this thread from answering pings.
 *
 * @example
 * ```ts
 * import { UdpTransport } from "@dnd/gossip";
 * const inbox: string[] = [];
 * const onDatagram = (bytes: Uint8Array) => void inbox.push(new TextDecoder().decode(bytes));
 * const a = await UdpTransport.bind({ address: "127.0.0.1", port: 0, onDatagram });
 * a.send(new TextEncoder().encode("hello"), a.address);
 * await a.close();
 * ```
 */
export class UdpTransport {
  /** Port that was bound. */
  readonly port: number;
  /** `host:port` that was bound. */
  readonly address: string;
  /** Size that the kernel gave the receive buffer, bytes (Linux reports twice what was asked). */
  readonly receiveBufferBytes: number;
  readonly #socket: Socket;
  readonly #options: UdpTransportOptions;
  readonly #v6: boolean;
  readonly #targets = new Map<string, HostPort>();
  readonly #queue: Waiting[] = [];
  readonly #counters: UdpCounters = {
    sentDatagrams: 0,
    sentBytes: 0,
    receivedDatagrams: 0,
    receivedBytes: 0,
    errors: {},
    dropped: 0,
  };
  #head = 0;
  #queuedBytes = 0;
  #sentThisTurn = 0;
  #turnScheduled = false;
  #closed = false;

  /**
   * Binds a socket. Exclusively: of two processes of a `node:cluster` the second one fails instead of
   * silently sharing the port.
   *
   * @throws {BindError} when the port is in use, the address not of this machine, or not permitted
   */
  static async bind(options: UdpTransportOptions): Promise<UdpTransport> {
    const family = isIP(options.address);
    if (family === 0) {
      throw new TypeError(`Cannot bind ${JSON.stringify(options.address)}: not an IP address`);
    }
    const socket = createSocket({
      type: family === 6 ? "udp6" : "udp4",
      reuseAddr: false,
      // Only literals come here; node would ask dns.lookup, which waits for a thread of the pool (RULES 16).
      lookup: (host, _options, callback) => callback(null, host, family),
    });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("error", reject);
        const { address, port } = options;
        socket.bind({ address, port, exclusive: true }, () => {
          socket.off("error", reject);
          resolve();
        });
      });
    } catch (error) {
      socket.close();
      const address = formatHostPort(options.address, options.port);
      throw new BindError("UDP", address, error as NodeJS.ErrnoException);
    }
    return new UdpTransport(socket, options);
  }

  /**
   * Takes over a bound socket; {@linkcode UdpTransport.bind} makes one.
   *
   * @param socket bound, with no listener for messages
   */
  constructor(socket: Socket, options: UdpTransportOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#v6 = isIP(options.address) === 6;
    const bound = socket.address();
    this.port = bound.port;
    this.address = formatHostPort(bound.address, bound.port);
    this.receiveBufferBytes = growReceiveBuffer(socket, options.receiveBufferBytes ?? 4 << 20);
    socket.on("error", (error) => this.#report(error, "receive"));
    socket.on("message", (bytes, from) => this.#receive(bytes, from));
  }

  /** What happened so far. */
  get counters(): UdpCounters {
    return { ...this.#counters, errors: { ...this.#counters.errors } };
  }

  /** Bytes that wait for their turn. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Sends a datagram, now or in one of the next turns. The bytes must not change afterwards.
   *
   * @param to `host:port` with an IP literal
   * @returns false when it was dropped (closed, the queue is full, no IP literal)
   */
  send(bytes: Uint8Array, to: string): boolean {
    if (this.#closed) return false;
    if (this.#sentThisTurn < (this.#options.burst ?? 64) && this.#queue.length === this.#head) {
      return this.#transmit(bytes, to);
    }
    if (this.#queuedBytes + bytes.length > (this.#options.maxQueuedBytes ?? 8 << 20)) {
      this.#counters.dropped += 1;
      return false;
    }
    this.#queue.push({ bytes, to });
    this.#queuedBytes += bytes.length;
    this.#scheduleTurn();
    return true;
  }

  /** Whether an address (`host:port`) is an IP literal of a family that this socket speaks. */
  canReach(address: string): boolean {
    return this.#target(address) !== undefined;
  }

  /** Hands everything that waits to the kernel at once: the last words before {@linkcode close}. */
  flush(): void {
    this.#sentThisTurn = Number.NEGATIVE_INFINITY;
    this.#drain();
  }

  /** Sends what waits and closes. Later sends are dropped; closing twice is fine. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    await new Promise<void>((resolve) => {
      // One turn, so that datagrams which the kernel took asynchronously are out.
      setImmediate(() => this.#socket.close(resolve));
    });
  }

  #receive(bytes: Uint8Array, from: RemoteInfo): void {
    if (this.#closed) return;
    this.#counters.receivedDatagrams += 1;
    this.#counters.receivedBytes += bytes.length;
    // A link-local sender carries its zone (fe80::1%eth0), which send() takes back as it is.
    this.#options.onDatagram(bytes, formatHostPort(from.address, from.port));
  }

  #drain(): void {
    const burst = this.#options.burst ?? 64;
    while (this.#head < this.#queue.length && this.#sentThisTurn < burst) {
      const waiting = this.#queue[this.#head];
      this.#head += 1;
      if (waiting === undefined) break;
      this.#queuedBytes -= waiting.bytes.length;
      this.#transmit(waiting.bytes, waiting.to);
    }
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#head = 0;
    } else {
      if (this.#head > 1024) {
        this.#queue.splice(0, this.#head);
        this.#head = 0;
      }
      this.#scheduleTurn();
    }
  }

  #transmit(bytes: Uint8Array, to: string): boolean {
    const target = this.#target(to);
    if (target === undefined) {
      this.#report(Object.assign(new Error(`no IP address: ${to}`), { code: "EINVAL" }), "send");
      return false;
    }
    this.#sentThisTurn += 1;
    this.#scheduleTurn();
    this.#socket.send(bytes, target.port, target.host, (error) => {
      if (error !== null) this.#report(error, "send");
    });
    this.#counters.sentDatagrams += 1;
    this.#counters.sentBytes += bytes.length;
    return true;
  }

  #target(to: string): HostPort | undefined {
    const known = this.#targets.get(to);
    if (known !== undefined) return known;
    let target: HostPort;
    try {
      target = parseHostPort(to);
    } catch {
      return undefined;
    }
    const { host, port } = target;
    const family = isIP(host);
    if (family === 0 || port === 0 || (family === 6 && !this.#v6)) return undefined;
    if (family === 4 && this.#v6) target = { host: `::ffff:${host}`, port };
    if (this.#targets.size >= maxTargets) this.#targets.clear();
    this.#targets.set(to, target);
    return target;
  }

  #scheduleTurn(): void {
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    setImmediate(() => {
      this.#turnScheduled = false;
      this.#sentThisTurn = 0;
      if (!this.#closed) this.#drain();
    });
  }

  #report(error: NodeJS.ErrnoException, during: "send" | "receive"): void {
    const code = error.code ?? "UNKNOWN";
    this.#counters.errors[code] = (this.#counters.errors[code] ?? 0) + 1;
    this.#options.onError?.(error, during);
  }
}

function growReceiveBuffer(socket: Socket, bytes: number): number {
  try {
    socket.setRecvBufferSize(bytes);
    return socket.getRecvBufferSize();
  } catch {
    return 0; // The system refuses to tell or to change it; what it has by default must do.
  }
}
