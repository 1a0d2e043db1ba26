import type { Frame, Hello, Init } from "@dnd/protocol";
import type { FrameSocket } from "./_frame_socket.ts";
import type { PeerStreamError } from "./peer_stream_error.ts";

/** Who is at the other end, by its hello. With keys configured the other side has shown that it holds one. */
export interface StreamPeer {
  /** 32 hex digits. */
  id: string;
  generation: number;
  /** 16 hex digits, new at each start of the process. */
  bootId: string;
  /** `host:port` of its gossip and peer stream. */
  address: string;
}

/**
 * One ordered, bounded, authenticated conversation with a member. Opened by `GossipNode.openStream()`,
 * handed to the handler of `GossipNode.onStream()` on the other side. Everything that can go wrong with
 * a network or a hostile peer ends the stream with one {@linkcode PeerStreamError}; nothing else happens.
 *
 * @example
 * ```ts
 * import { GossipNode } from "@dnd/gossip";
 * const [a, b] = [new GossipNode({ thread: "main" }), new GossipNode({ thread: "main" })];
 * await Promise.all([a.start(), b.start()]);
 * b.onStream("echo", async (stream) => {
 *   for await (const frame of stream.frames) stream.send(frame);
 * });
 * const stream = await a.openStream(b.address, "echo");
 * stream.send({ body: { type: "sent", sequence: 7, gone: [] } });
 * for await (const frame of stream.frames) {
 *   console.log(frame.body?.type); // sent
 *   break;
 * }
 * await stream.close();
 * await Promise.all([a.stop(), b.stop()]);
 * ```
 */
export class PeerStream {
  /** What the stream is for; chooses the handler on the other side. */
  readonly purpose: string;
  /** Who is at the other end. */
  readonly peer: StreamPeer;
  /** The other side's whole hello: protocol range, algorithm, scope, clock. */
  readonly hello: Hello;
  /** Whether the other side opened it. */
  readonly incoming: boolean;
  /** The key that sealed it, 8 hex digits; undefined on a plain stream. */
  readonly keyId: string | undefined;
  /** Fulfilled with why it ended, or undefined after an orderly end. Never rejects. */
  readonly closed: Promise<PeerStreamError | undefined>;
  readonly #socket: FrameSocket;

  /** Made by the listener and by `openStream` after both sides said hello. */
  constructor(socket: FrameSocket, facts: StreamFacts) {
    this.#socket = socket;
    this.purpose = facts.purpose;
    this.hello = facts.hello;
    this.incoming = facts.incoming;
    this.keyId = facts.keyId;
    this.peer = {
      id: facts.hello.id,
      generation: facts.hello.generation,
      bootId: facts.hello.bootId,
      address: facts.hello.address,
    };
    this.closed = socket.closed;
  }

  /** Bytes that wait to be sent. */
  get bufferedBytes(): number {
    return this.#socket.bufferedBytes;
  }

  /** Bytes received and sent so far, framing included, TLS not. */
  get bytes(): { received: number; sent: number } {
    return { received: this.#socket.bytesIn, sent: this.#socket.bytesOut };
  }

  /** Whether frames can still be sent. */
  get isOpen(): boolean {
    return this.#socket.isOpen;
  }

  /**
   * Sends one frame, or puts it in the queue.
   *
   * @returns false when more than the high-water mark (256 KiB) waits: `await drained()` before the next
   * one. Who never does is cut (`overflow`) at 4 MiB. Also false on a stream that has ended.
   * @throws {RangeError} when the frame is larger than 256 KiB; the stream is not affected
   */
  send(frame: Init<Frame>): boolean {
    return this.#socket.send(frame);
  }

  /**
   * Waits until no more than the high-water mark waits.
   *
   * @throws {PeerStreamError} when the stream ended early
   */
  drained(): Promise<void> {
    return this.#socket.drained();
  }

  /**
   * The other side's frames, each once: two loops share them. What is not read holds the sender back.
   *
   * The loop ends when the other side closes.
   * @throws {PeerStreamError} out of the loop when the stream ended early
   */
  get frames(): AsyncIterable<Frame> {
    const next = (): Promise<Frame | undefined> => this.#socket.next();
    return {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          const value = await next();
          return value === undefined ? { done: true, value } : { done: false, value };
        },
      }),
    };
  }

  /** The next frame; undefined when the other side closed. @throws {PeerStreamError} on an early end */
  next(): Promise<Frame | undefined> {
    return this.#socket.next();
  }

  /** How long both sides may be silent before the stream is cut, ms; 0 = for ever. Default 60 s. */
  setIdleTimeout(ms: number): void {
    this.#socket.idleTimeoutMs = ms;
  }

  /** Sends what waits, ends, and waits for the other side to end; what it still says is thrown away. */
  close(): Promise<void> {
    return this.#socket.close();
  }

  /** Cuts the stream at once; both sides' readers get an error. */
  destroy(error?: PeerStreamError): void {
    this.#socket.destroy(error);
  }
}

/** What the hellos settled. */
export interface StreamFacts {
  purpose: string;
  hello: Hello;
  incoming: boolean;
  keyId: string | undefined;
}
