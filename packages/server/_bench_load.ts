// The load of the benches: hand-written requests over keep-alive connections, each waiting for its answer, so
// that the client costs as little as it can. It runs in another process than the server.
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** What a load has seen. */
export interface LoadResult {
  /** Answers a second. */
  readonly rate: number;
  readonly answers: number;
  /** Times from a request to the end of its answer, in milliseconds, sorted. */
  readonly latencies: Float64Array;
}

/** The value below which a part of sorted numbers lies. */
export function quantile(sorted: Float64Array, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

/** The middle one. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** Connections to one server that stay open between its rounds. */
export class Load {
  readonly #connections: Connection[];
  readonly #requests: readonly Buffer[];
  #turn = 0;
  #running = false;
  #open = 0;
  #onIdle: (() => void) | undefined;
  #answers = 0;
  #latencies: Float64Array = new Float64Array(1 << 16);

  constructor(requests: readonly string[], connections: Connection[]) {
    this.#requests = requests.map((request) => Buffer.from(request));
    this.#connections = connections;
  }

  /** Opens the connections. */
  static async open(
    port: number,
    options: { readonly requests: readonly string[]; readonly connections: number },
  ): Promise<Load> {
    const connections = await Promise.all(
      Array.from({ length: options.connections }, () => Connection.open(port)),
    );
    return new Load(options.requests, connections);
  }

  /** Sends for a time, or so many requests, and waits for the last answers. */
  async run(until: { readonly ms: number } | { readonly requests: number }): Promise<LoadResult> {
    this.#answers = 0;
    this.#running = true;
    const idle = new Promise<void>((resolve) => (this.#onIdle = resolve));
    const startedAt = performance.now();
    let endedAt = 0;
    const stop = (): void => {
      this.#running = false;
      endedAt = performance.now();
    };
    const most = "requests" in until ? until.requests : Infinity;
    if ("ms" in until) setTimeout(stop, until.ms);
    for (const connection of this.#connections) {
      this.#open += 1;
      connection.start(this.#next(), (latencyMs) => {
        if (this.#running) {
          this.#record(latencyMs);
          if (this.#answers >= most) stop();
        }
        if (this.#running) return this.#next();
        this.#open -= 1;
        if (this.#open === 0) this.#onIdle?.();
        return undefined;
      });
    }
    await idle;
    return {
      rate: (this.#answers * 1000) / (endedAt - startedAt),
      answers: this.#answers,
      latencies: this.#latencies.slice(0, this.#answers).sort(),
    };
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  #next(): Buffer {
    this.#turn = (this.#turn + 1) % this.#requests.length;
    return this.#requests[this.#turn] ?? Buffer.alloc(0);
  }

  #record(latencyMs: number): void {
    if (this.#answers === this.#latencies.length) {
      const more = new Float64Array(2 * this.#latencies.length);
      more.set(this.#latencies);
      this.#latencies = more;
    }
    this.#latencies[this.#answers] = latencyMs;
    this.#answers += 1;
  }
}

class Connection {
  readonly #socket: Socket;
  /** All answers of a row have one length: the first one tells it. */
  #length = 0;
  #got = 0;
  #sentAt = 0;
  #onAnswer: (latencyMs: number) => Buffer | undefined = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    await once(socket, "connect");
    return new Connection(socket);
  }

  start(request: Buffer, onAnswer: (latencyMs: number) => Buffer | undefined): void {
    this.#onAnswer = onAnswer;
    this.#send(request);
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(request: Buffer): void {
    this.#got = 0;
    this.#sentAt = performance.now();
    this.#socket.write(request);
  }

  #read(chunk: Buffer): void {
    if (this.#length === 0) {
      const text = chunk.toString("latin1");
      if (!text.startsWith("HTTP/1.1 200")) throw new Error(text);
      const head = text.indexOf("\r\n\r\n") + 4;
      this.#length = head + Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
    }
    this.#got += chunk.length;
    // A request id or an event id grows by a digit now and then.
    if (this.#got < this.#length - 8) return;
    const next = this.#onAnswer(performance.now() - this.#sentAt);
    if (next !== undefined) this.#send(next);
  }
}
