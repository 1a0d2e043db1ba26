import type { Member, Summary } from "@dnd/protocol";
import { streamLimits, swapMemberPages } from "./_stream_caller.ts";
import { type LocalHello, openPeerStream } from "./_stream_handshake.ts";
import type { StreamKeyring } from "./_stream_keyring.ts";
import { PeerListener, type ListenerCounters, type RejectionCode } from "./peer_listener.ts";
import type { PeerStream } from "./peer_stream.ts";
import { PeerStreamError, type PeerStreamErrorCode } from "./peer_stream_error.ts";

/** Takes over a stream; it may take as long as it likes. */
export type StreamHandler = (stream: PeerStream) => void | Promise<void>;

/** Options of {@linkcode StreamHub}. */
export interface StreamHubOptions {
  local: LocalHello;
  keyring: StreamKeyring;
  maxConnections: number;
  helloTimeoutMs: number;
  streamTimeoutMs: number;
  /** The member table as the engine has it. */
  pages: () => Promise<Member[][]>;
  merge: (members: readonly Member[], from: string) => Promise<void>;
  summary: () => Summary;
  onRejected: (code: RejectionCode, from: string, detail: string) => void;
  /** A stream that had said hello ended because of what its other side did, or did not. */
  onCut: (code: CutCode, stream: PeerStream, detail: string) => void;
  onHandlerError: (error: unknown, stream: PeerStream) => void;
}

/** What the streams of a node did so far. */
export interface StreamCounters extends ListenerCounters {
  opened: number;
  openFailed: number;
  open: number;
  /** Streams that were cut after the hello, by what the other side did: see {@linkcode CutCode}. */
  cut: Partial<Record<CutCode, number>>;
}

/**
 * Why a stream is cut after both sides said hello: bytes that are no frame, a frame above the limit, no
 * progress in a frame or in taking what is sent, more waiting to be sent than it takes.
 */
export type CutCode = Extract<
  PeerStreamErrorCode,
  "malformed" | "too-large" | "timeout" | "overflow"
>;

const cutCodes: ReadonlySet<string> = new Set<CutCode>([
  "malformed",
  "too-large",
  "timeout",
  "overflow",
]);

/** Streams of one member: gossip and replication need four of them at once. */
const maxPerPeer = 16;

/** Questions that one probe stream is answered. */
const maxProbes = 64;

/** The streams of a node on its host's thread: the listener, the handlers by purpose, and those opened. */
export class StreamHub {
  readonly #options: StreamHubOptions;
  readonly #handlers = new Map<string, StreamHandler>();
  readonly #outgoing = new Set<PeerStream>();
  readonly #abort = new AbortController();
  #listener: PeerListener | undefined;
  #opening = 0;
  #opened = 0;
  #openFailed = 0;
  readonly #cut: Partial<Record<CutCode, number>> = {};

  constructor(options: StreamHubOptions) {
    this.#options = options;
    this.#handlers.set("probe", (stream) => this.#serveProbe(stream));
    this.#handlers.set("members", (stream) => this.#serveMembers(stream));
  }

  get counters(): StreamCounters {
    return {
      ...(this.#listener?.counters ?? { accepted: 0, rejected: {} }),
      opened: this.#opened,
      openFailed: this.#openFailed,
      open: this.#streams().length,
      cut: { ...this.#cut },
    };
  }

  /** @returns the port @throws {BindError} */
  async listen(address: string, port: number): Promise<number> {
    const { maxConnections, helloTimeoutMs, streamTimeoutMs } = this.#options;
    this.#listener = await PeerListener.bind({
      address,
      port,
      local: this.#options.local,
      keys: this.#options.keyring,
      limits: streamLimits(streamTimeoutMs),
      maxConnections,
      maxStrangers: Math.max(8, maxConnections >> 2),
      helloTimeoutMs,
      maxPerPeer,
      serves: (purpose) => this.#handlers.has(purpose),
      onStream: (stream) => void this.#serve(stream),
      onRejected: this.#options.onRejected,
    });
    return this.#listener.port;
  }

  /** Stops listening so that another port can be tried. */
  async unlisten(): Promise<void> {
    await this.#listener?.close();
    this.#listener = undefined;
  }

  /** @throws {TypeError} when the purpose is taken @returns takes the handler off again */
  handle(purpose: string, handler: StreamHandler): () => void {
    if (purpose === "" || new TextEncoder().encode(purpose).length > 64) {
      throw new TypeError(`Cannot serve the purpose ${JSON.stringify(purpose)}: 1 to 64 bytes`);
    }
    if (this.#handlers.has(purpose)) {
      throw new TypeError(`Cannot serve the purpose ${JSON.stringify(purpose)} twice`);
    }
    this.#handlers.set(purpose, handler);
    return () => void (this.#handlers.get(purpose) === handler && this.#handlers.delete(purpose));
  }

  /** @throws {PeerStreamError} */
  async open(
    address: string,
    purpose: string,
    options: { target?: string | undefined; timeoutMs?: number; signal?: AbortSignal },
  ): Promise<PeerStream> {
    const { maxConnections, helloTimeoutMs, streamTimeoutMs, keyring, local } = this.#options;
    if (this.#outgoing.size + this.#opening >= maxConnections) {
      throw new PeerStreamError(
        "overflow",
        `${address}: ${maxConnections} streams are open already`,
      );
    }
    const { signal } = options;
    this.#opening += 1;
    try {
      const stream = await openPeerStream({
        address,
        purpose,
        target: options.target,
        local,
        keyring,
        limits: streamLimits(streamTimeoutMs),
        timeoutMs: options.timeoutMs ?? helloTimeoutMs,
        signals: signal === undefined ? [this.#abort.signal] : [signal, this.#abort.signal],
      });
      this.#opened += 1;
      this.#outgoing.add(stream);
      void stream.closed.then(() => this.#outgoing.delete(stream));
      this.#watch(stream);
      return stream;
    } catch (error) {
      this.#openFailed += 1;
      throw error;
    } finally {
      this.#opening -= 1;
    }
  }

  /** Cuts the streams of keys that are no longer accepted (RULES 13). */
  closeRetired(): void {
    const { keyring } = this.#options;
    for (const stream of this.#streams()) {
      const plain = stream.keyId === undefined;
      if (plain ? !keyring.required : keyring.find(stream.keyId ?? "") !== undefined) continue;
      stream.destroy(
        new PeerStreamError("unauthenticated", `${stream.peer.address}: its key was retired`),
      );
    }
  }

  async close(): Promise<void> {
    this.#abort.abort();
    for (const stream of this.#outgoing) stream.destroy();
    await this.unlisten();
  }

  #streams(): PeerStream[] {
    return [...(this.#listener?.streams ?? []), ...this.#outgoing];
  }

  #watch(stream: PeerStream): void {
    void stream.closed.then((error) => {
      if (error === undefined || !cutCodes.has(error.code)) return;
      const code = error.code as CutCode;
      this.#cut[code] = (this.#cut[code] ?? 0) + 1;
      this.#options.onCut(code, stream, error.message);
    });
  }

  async #serve(stream: PeerStream): Promise<void> {
    this.#watch(stream);
    try {
      await this.#handlers.get(stream.purpose)?.(stream);
    } catch (error) {
      if (!(error instanceof PeerStreamError)) this.#options.onHandlerError(error, stream);
      stream.destroy();
    }
  }

  async #serveProbe(stream: PeerStream): Promise<void> {
    for (let n = 0; n < maxProbes; n++) {
      const body = (await stream.next())?.body;
      if (body?.type !== "probe") break;
      const { sequence, target } = body;
      stream.send({
        body: { type: "probeAck", sequence, target, summary: this.#options.summary() },
      });
    }
    await stream.close();
  }

  async #serveMembers(stream: PeerStream): Promise<void> {
    await swapMemberPages(stream, await this.#options.pages(), (members) =>
      this.#options.merge(members, stream.peer.id),
    );
    await stream.close();
  }
}
