import type { Entry } from "@dnd/store";
import type { Backpressure } from "./_backpressure.ts";
import type { Context } from "./_context.ts";
import { isReachable, tellMisbehaved } from "./_context.ts";
import { entryBytes } from "./entry_bytes.ts";
import { entryFrames } from "./entry_frames.ts";
import { ExchangeError, expectPeer } from "./exchange_error.ts";
import type { OutboxBulk } from "./outbox.ts";
import { PushServe } from "./_push_serve.ts";
import type { PushOutcome } from "./_push_stream.ts";
import { PushStream } from "./_push_stream.ts";
import type { Rumors } from "./_rumors.ts";
import type { PeerFrame } from "./wire.ts";
import type { ExplainReply } from "@dnd/protocol";

/** Bytes that may wait for one peer's stream. Beyond it entries are left to the exchange. */
const MAX_QUEUED_BYTES = 32 * 1024 * 1024;

/** Peers of which it is known when their stream ended. */
const MAX_ENDED = 1024;

/** A stream for small writes is not opened again so soon after one to that peer ended. */
const REOPEN_MS = 5_000;

/** A stream that ends so soon after something was sent may not have brought all of it. */
const UNSURE_MS = 10_000;

/**
 * The push streams: one to each peer that something is pushed to, kept open. Writes that somebody waits
 * for travel here (rule 18), and entries too large for a packet, and explain requests.
 */
export class Pushes {
  readonly #context: Context;
  readonly #rumors: Rumors;
  readonly #serve: PushServe;
  readonly #nextStream: () => number;
  readonly #outgoing = new Map<number, PushStream>();
  readonly #byPeer = new Map<string, PushStream>();
  readonly #endedAt = new Map<string, number>();

  constructor(
    context: Context,
    rumors: Rumors,
    ways: {
      readonly backpressure: Backpressure;
      readonly isReady: () => boolean;
      readonly nextStream: () => number;
    },
  ) {
    this.#context = context;
    this.#rumors = rumors;
    this.#serve = new PushServe(context, rumors, ways);
    this.#nextStream = ways.nextStream;
  }

  /** Whether this stream is one of ours. */
  has(stream: number): boolean {
    return this.#outgoing.has(stream) || this.#serve.has(stream);
  }

  /**
   * Sends an entry to a peer.
   *
   * @param done called once with what became of it; without it no confirmation is asked for
   */
  push(
    peer: string,
    entry: Entry,
    options: {
      readonly now: number;
      readonly done?: (outcome: PushOutcome, now: number) => void;
    },
  ): void {
    const { now, done } = options;
    const out = this.#to(peer);
    if (
      out === undefined ||
      out.queuedBytes + entryBytes(entry) > MAX_QUEUED_BYTES ||
      out.isAskedOut
    ) {
      this.#context.metrics.pushesDropped += 1;
      this.#rumors.noteDropped(now, peer);
      done?.({ code: "dropped", superseded: false }, now);
      return;
    }
    this.#context.metrics.pushesSent += 1;
    const { frameBytes } = this.#context.options;
    const confirm = done !== undefined;
    const sequence = out.next(confirm ? { type: "push", done } : undefined);
    const bytes = entryBytes(entry);
    if (bytes <= frameBytes) {
      const frame = { type: "push", sequence, entries: [entry], confirm } as const;
      out.add({ frame, bytes: bytes + 16, entries: 1 });
    } else {
      const counter = this.#context.map.counter;
      for (const part of entryFrames([entry], { frameBytes, counter })) out.add(part);
      const frame = { type: "push", sequence, entries: [], confirm } as const;
      out.add({ frame, bytes: 16, entries: 0 });
    }
    out.pump();
  }

  /**
   * Whether the stream to a peer is open and would send a piece at once. If there is none, one is opened for
   * the next time: until then, and where none can be opened, small writes go in packets.
   */
  isStreamed(peer: string, now: number): boolean {
    const out = this.#byPeer.get(peer);
    if (out !== undefined) {
      return (
        out.isOpen && out.queuedBytes === 0 && this.#context.peers.get(peer)?.state === "alive"
      );
    }
    const endedAt = this.#endedAt.get(peer);
    if (endedAt === undefined || Math.abs(now - endedAt) >= REOPEN_MS) this.#to(peer);
    return false;
  }

  /** Sends entries to each of these peers; nothing is confirmed. */
  pushBulk({ to, entries, bytes }: OutboxBulk, now: number): void {
    const { metrics } = this.#context;
    for (const peer of to) {
      const out = this.#to(peer);
      if (out === undefined || out.queuedBytes + bytes > MAX_QUEUED_BYTES) {
        metrics.pushesDropped += 1;
        this.#rumors.noteDropped(now, peer);
        continue;
      }
      metrics.bulkPushes += 1;
      metrics.bulkEntries += entries.length;
      out.pushPiece(entries, bytes, now);
    }
  }

  /**
   * From which stamp on writes of a burst are on their way to a peer, or may wait in its buffers: an exchange lists
   * none of them (rule 11). `Infinity`: none.
   */
  onWaySince(peer: string, now: number): number {
    return this.#byPeer.get(peer)?.onWaySince(now) ?? Infinity;
  }

  /** Asks a peer for what it holds of a key; `undefined`: no answer. */
  explain(
    peer: string,
    key: string,
    done: (reply: ExplainReply | undefined, now: number) => void,
    now: number,
  ): void {
    const out = this.#to(peer);
    if (out === undefined || out.isAskedOut) {
      done(undefined, now);
      return;
    }
    const sequence = out.next({ type: "explain", done });
    out.add({ frame: { type: "explainRequest", sequence, key }, bytes: 1050, entries: 0 });
    out.pump();
  }

  /** A peer opened a stream of this purpose. */
  accept(peer: string, stream: number): void {
    this.#serve.accept(peer, stream);
  }

  handleOpened(stream: number): void {
    const out = this.#outgoing.get(stream);
    if (out === undefined) return;
    out.isOpen = true;
    out.pump();
  }

  handleSent(stream: number): void {
    this.#outgoing.get(stream)?.handleSent();
  }

  handleClosed(stream: number, now: number): void {
    this.#serve.handleClosed(stream);
    const out = this.#outgoing.get(stream);
    if (out === undefined) return;
    this.#outgoing.delete(stream);
    if (this.#byPeer.get(out.peer) === out) this.#byPeer.delete(out.peer);
    if (this.#endedAt.size >= MAX_ENDED) this.#endedAt.clear();
    this.#endedAt.set(out.peer, now);
    const isUnsure = Math.abs(now - out.bulkAt) < UNSURE_MS; // what was sent may not have arrived
    if (isUnsure || out.hasEntries) this.#rumors.noteDropped(now, out.peer);
    out.end(now);
  }

  /**
   * A member is out of reach: streams to and from it are cut. What is sent into a connection that was interrupted
   * comes when TCP tries again, up to a minute after the peer is back; and a peer that is gone ends none of its own.
   */
  handleUnreachable(peer: string, now: number): void {
    const streams = this.#serve.streamsOf(peer);
    const out = this.#byPeer.get(peer);
    if (out !== undefined) streams.push(out.stream);
    for (const stream of streams) {
      this.#context.emit({ type: "close-stream", stream, error: "the member is out of reach" });
      this.handleClosed(stream, now);
    }
  }

  /** Takes a frame; a peer that misbehaves is cut off. */
  handleFrame(stream: number, frame: PeerFrame, now: number): void {
    try {
      if (this.#serve.has(stream)) this.#serve.handleFrame(stream, frame, now);
      else this.#answer(this.#outgoing.get(stream), frame, now);
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      const peer = this.#serve.peerOf(stream) ?? this.#outgoing.get(stream)?.peer ?? "";
      if (error.code === "misbehaved") {
        tellMisbehaved(this.#context, peer, error.message, now);
      }
      this.#context.emit({ type: "close-stream", stream, error: error.message });
      this.handleClosed(stream, now);
    }
  }

  #answer(out: PushStream | undefined, frame: PeerFrame, now: number): void {
    if (out === undefined || out.handleAnswer(frame, now)) return;
    if (frame.type === "refusal") {
      this.#context.emit({ type: "close-stream", stream: out.stream });
      this.handleClosed(out.stream, now);
      return;
    }
    expectPeer(false, `a ${frame.type} on a push stream`);
  }

  #to(peer: string): PushStream | undefined {
    const held = this.#byPeer.get(peer);
    if (held !== undefined) return held;
    const known = this.#context.peers.get(peer);
    if (known === undefined || !isReachable(known)) return undefined;
    const stream = this.#nextStream();
    const out = new PushStream(this.#context, stream, peer);
    this.#outgoing.set(stream, out);
    this.#byPeer.set(peer, out);
    this.#context.emit({ type: "open-stream", stream, peer, purpose: "push" });
    return out;
  }
}
