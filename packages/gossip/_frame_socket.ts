import type { Duplex } from "node:stream";
import { DecodeError, encodeFrame, type Frame, FrameDecoder, type Init } from "@dnd/protocol";
import { fromSocketError, PeerStreamError } from "./peer_stream_error.ts";

/** Bounds of one stream. */
export interface FrameLimits {
  /** A frame that was begun must be complete after this long, ms. */
  frameTimeoutMs: number;
  /** Some of what was sent must be taken after this long, ms. */
  writeTimeoutMs: number;
  /** Nothing in either direction for this long ends the stream, ms; 0 = never. */
  idleTimeoutMs: number;
  /** Bytes that wait to be sent above which `send` says false. */
  highWaterBytes: number;
  /** Bytes that wait to be sent at which the stream is cut: the sender ignored the backpressure. */
  maxBufferedBytes: number;
}

/** Frames larger than this are refused until both sides have said hello: nothing is stored for a stranger. */
export const helloFrameBytes = 4_096;

/**
 * Frames over a byte stream, with every bound that a hostile or dying peer needs: length, time for a
 * frame, time for a write, silence, bytes waiting in both directions. Knows nothing of what is said.
 *
 * What arrived is decoded frame by frame as the reader asks, and nothing more is read from the socket
 * before the reader has had all of it: so what waits here is one piece of the socket and one unfinished
 * frame, however fast the other side sends.
 */
export class FrameSocket {
  /** Ends with why, or undefined after an orderly end. Never rejects. */
  readonly closed: Promise<PeerStreamError | undefined>;
  readonly #socket: Duplex;
  readonly #limits: FrameLimits;
  readonly #name: string;
  readonly #decoder: FrameDecoder;
  readonly #timer: NodeJS.Timeout;
  #source: Iterator<Frame> | undefined;
  #wakeReaders: (() => void)[] = [];
  #wakeWriters: (() => void)[] = [];
  #resolveClosed: (error: PeerStreamError | undefined) => void = () => undefined;
  #error: PeerStreamError | undefined;
  #ended = false;
  #closing = false;
  #done = false;
  #bytesIn = 0;
  #bytesOut = 0;
  #waitingBytes = 0;
  #frameSince: number | undefined;
  #writeSince: number | undefined;
  #lastTraffic: number = performance.now();
  #idleTimeoutMs: number;

  /**
   * @param socket connected, and through with TLS when there is any
   * @param name names the other side in errors
   */
  constructor(socket: Duplex, limits: FrameLimits, name: string) {
    this.#socket = socket;
    this.#limits = limits;
    this.#idleTimeoutMs = limits.idleTimeoutMs;
    this.#name = name;
    this.#decoder = new FrameDecoder({ maxFrameBytes: helloFrameBytes });
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("end", () => this.#end());
    socket.on("error", (error) => this.destroy(fromSocketError(error, name)));
    socket.on("close", () => this.#finish());
    const shortest = Math.min(limits.frameTimeoutMs, limits.writeTimeoutMs);
    this.#timer = setInterval(() => this.#watch(), Math.max(10, shortest / 4));
  }

  /** Lifts the limit of a frame after the hello. */
  set maxFrameBytes(bytes: number) {
    this.#decoder.maxFrameBytes = bytes;
  }

  set idleTimeoutMs(ms: number) {
    this.#idleTimeoutMs = ms;
  }

  get isOpen(): boolean {
    return !this.#done && !this.#closing;
  }

  /** Bytes that wait to be sent. */
  get bufferedBytes(): number {
    return this.#waitingBytes;
  }

  get bytesIn(): number {
    return this.#bytesIn;
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  send(frame: Init<Frame>): boolean {
    if (!this.isOpen) return false;
    const bytes = encodeFrame(frame);
    const { maxBufferedBytes, highWaterBytes } = this.#limits;
    if (this.#waitingBytes + bytes.length > maxBufferedBytes) {
      const why = `${this.#name}: more than ${maxBufferedBytes} bytes wait to be sent`;
      this.destroy(new PeerStreamError("overflow", why));
      return false;
    }
    this.#lastTraffic = performance.now();
    this.#writeSince ??= this.#lastTraffic;
    this.#waitingBytes += bytes.length;
    this.#socket.write(bytes, () => this.#written(bytes.length));
    return this.#waitingBytes <= highWaterBytes;
  }

  async drained(): Promise<void> {
    while (this.isOpen && this.#waitingBytes > this.#limits.highWaterBytes) {
      await new Promise<void>((resolve) => this.#wakeWriters.push(resolve));
    }
    if (this.#error !== undefined) throw this.#error;
  }

  /** @returns undefined after an orderly end @throws {PeerStreamError} after any other */
  async next(): Promise<Frame | undefined> {
    for (;;) {
      const frame = this.#error === undefined && !this.#closing ? this.#take() : undefined;
      if (frame !== undefined) return frame;
      if (this.#error !== undefined && this.#error.code !== "closed") throw this.#error;
      if (this.#ended || this.#closing || this.#done) return undefined;
      await new Promise<void>((resolve) => this.#wakeReaders.push(resolve));
    }
  }

  /** Sends what waits, says the end, and waits for the other side's, at most for the write timeout. */
  async close(): Promise<void> {
    if (!this.#done && !this.#closing) {
      this.#closing = true;
      this.#source = undefined;
      this.#wake();
      this.#socket.end();
      this.#socket.resume();
      const timer = setTimeout(() => this.destroy(), this.#limits.writeTimeoutMs);
      await this.closed;
      clearTimeout(timer);
    }
    await this.closed;
  }

  /** Cuts at once; readers and waiters get the error. */
  destroy(
    error: PeerStreamError = new PeerStreamError("closed", `${this.#name}: closed here`),
  ): void {
    if (this.#done) return;
    this.#error ??= error;
    this.#socket.destroy();
    this.#finish();
  }

  #receive(chunk: Buffer): void {
    this.#bytesIn += chunk.length;
    this.#lastTraffic = performance.now();
    if (this.#closing) return; // What still comes is not wanted.
    this.#socket.pause();
    this.#source = this.#decoder.push(chunk);
    this.#wake();
  }

  /** The next frame of what arrived; when that is used up, the socket may bring more. */
  #take(): Frame | undefined {
    if (this.#source === undefined) return undefined;
    const now = performance.now();
    try {
      const step = this.#source.next();
      if (step.done !== true) {
        this.#frameSince = undefined;
        return step.value;
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const code = error.code === "too-large" ? "too-large" : "malformed";
      this.destroy(new PeerStreamError(code, `${this.#name}: ${error.message}`, { cause: error }));
      return undefined;
    }
    this.#source = undefined;
    this.#frameSince = this.#decoder.pending > 0 ? (this.#frameSince ?? now) : undefined;
    this.#lastTraffic = now;
    this.#socket.resume();
    return undefined;
  }

  #end(): void {
    if (this.#decoder.pending > 0 && !this.#closing) {
      this.destroy(
        new PeerStreamError("malformed", `${this.#name}: ended in the middle of a frame`),
      );
      return;
    }
    this.#ended = true;
    this.#wake();
  }

  #written(bytes: number): void {
    this.#bytesOut += bytes;
    this.#waitingBytes -= bytes;
    this.#writeSince = this.#waitingBytes > 0 ? performance.now() : undefined;
    if (this.#waitingBytes <= this.#limits.highWaterBytes) this.#wakeAllWriters();
  }

  #watch(): void {
    const now = performance.now();
    const { frameTimeoutMs, writeTimeoutMs } = this.#limits;
    const reading = !this.#socket.isPaused();
    if (this.#writeSince !== undefined && now - this.#writeSince > writeTimeoutMs) {
      this.#timeOut(`nothing was taken for ${writeTimeoutMs} ms`);
    } else if (
      reading &&
      this.#frameSince !== undefined &&
      now - this.#frameSince > frameTimeoutMs
    ) {
      this.#timeOut(`a frame was not complete after ${frameTimeoutMs} ms`);
    } else if (
      reading &&
      this.#idleTimeoutMs > 0 &&
      now - this.#lastTraffic > this.#idleTimeoutMs
    ) {
      this.#timeOut(`silent for ${this.#idleTimeoutMs} ms`);
    }
  }

  #timeOut(why: string): void {
    this.destroy(new PeerStreamError("timeout", `${this.#name}: ${why}`));
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    clearInterval(this.#timer);
    if (!this.#ended && !this.#closing) {
      this.#error ??= new PeerStreamError("unreachable", `${this.#name}: the connection was cut`);
    }
    this.#wake();
    this.#wakeAllWriters();
    this.#resolveClosed(this.#error?.code === "closed" ? undefined : this.#error);
  }

  #wake(): void {
    for (const resolve of this.#wakeReaders.splice(0)) resolve();
  }

  #wakeAllWriters(): void {
    for (const resolve of this.#wakeWriters.splice(0)) resolve();
  }
}
