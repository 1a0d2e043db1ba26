import type { Entry } from "@dnd/store";
import { stampOf } from "@dnd/store";
import type { ExplainReply } from "@dnd/protocol";
import type { Context } from "./_context.ts";
import type { SizedFrame } from "./entry_frames.ts";
import { expectPeer } from "./exchange_error.ts";
import type { PeerFrame } from "./wire.ts";

/** Pushes and explain requests without an answer, for one peer. */
const MAX_PENDING = 20_000;

/** Bytes of a piece from which on it is asked when it has arrived. */
const MARKED_BYTES = 8 * 1024;

/** What is on its way for longer than this is not waited for any more. */
const MOST_ON_WAY_MS = 10_000;

/** Bytes of a frame around what it carries. */
const FRAME_BYTES = 16;

/** What becomes of a push. */
export interface PushOutcome {
  /** Empty: held durably there. Else why not: `closed`, `refused`, `not-ready`, `dropped`, ... */
  readonly code: string;
  readonly superseded: boolean;
}

/** Who waits for what the peer says. */
export type PushAnswer =
  | { readonly type: "push"; readonly done: (outcome: PushOutcome, now: number) => void }
  | {
      readonly type: "explain";
      readonly done: (reply: ExplainReply | undefined, now: number) => void;
    };

/** A push stream that this node has opened: what waits for it, what it has taken, and who waits for an answer. */
export class PushStream {
  readonly stream: number;
  readonly peer: string;

  /** When a piece was sent last. */
  bulkAt: number = -Infinity;

  /** Bytes that wait. */
  queuedBytes = 0;

  isOpen = false;
  isEnded = false;
  readonly #context: Context;
  #queue: SizedFrame[] = [];
  /** What waits behind everything else: nobody waits for a confirmation of it. */
  #bulk: SizedFrame[] = [];
  readonly #unsent: number[] = [];
  #unsentBytes = 0;
  #sequence = 0;
  readonly #pending = new Map<number, PushAnswer>();
  /** The first stamp of what the mark under way follows, and of what was sent behind that. */
  #markedSince: number | undefined;
  #unmarkedSince: number | undefined;

  constructor(context: Context, stream: number, peer: string) {
    this.#context = context;
    this.stream = stream;
    this.peer = peer;
  }

  /** Whether so many answers are awaited that nothing more may be asked. */
  get isAskedOut(): boolean {
    return this.#pending.size >= MAX_PENDING;
  }

  /** Whether entries wait that were not handed to the stream. */
  get hasEntries(): boolean {
    return [...this.#queue, ...this.#bulk].some((item) => item.entries > 0);
  }

  /** A number for the next push or question; `answer` is called once. */
  next(answer?: PushAnswer): number {
    this.#sequence += 1;
    if (answer !== undefined) this.#pending.set(this.#sequence, answer);
    return this.#sequence;
  }

  /** Puts a frame into the queue; it goes with the next {@linkcode PushStream.pump}. */
  add(item: SizedFrame): void {
    this.#queue.push(item);
    this.queuedBytes += item.bytes;
  }

  /** Sends entries in one piece, behind all that somebody waits for; nothing is confirmed. */
  pushPiece(entries: readonly Entry[], bytes: number, now: number): void {
    const frame = { type: "push", sequence: this.next(), entries } as const;
    this.#addBulk({ frame, bytes: bytes + FRAME_BYTES, entries: entries.length });
    this.bulkAt = now;
    const [first] = entries;
    if (bytes >= MARKED_BYTES && first !== undefined) this.#mark(first.version.time);
    this.pump();
  }

  /** From which stamp on entries are on their way, or may wait in the peer's buffers; `Infinity`: none. */
  onWaySince(now: number): number {
    const since = this.#markedSince;
    return since === undefined ? Infinity : Math.max(since, stampOf(now - MOST_ON_WAY_MS));
  }

  /** Sends what the window takes. */
  pump(): void {
    if (!this.isOpen) return;
    this.#queue = this.#take(this.#queue);
    if (this.#queue.length === 0) this.#bulk = this.#take(this.#bulk);
  }

  /** The stream has taken a frame. */
  handleSent(): void {
    const bytes = this.#unsent.shift();
    if (bytes === undefined) return;
    this.#unsentBytes -= bytes;
    this.pump();
  }

  /**
   * Takes an answer; returns whether it was one.
   *
   * @throws {ExchangeError} if it was not asked for
   */
  handleAnswer(frame: PeerFrame, now: number): boolean {
    if (frame.type === "confirm") {
      const answer = this.#pending.get(frame.sequence);
      expectPeer(answer?.type === "push", "a confirmation that was not asked for");
      this.#pending.delete(frame.sequence);
      answer.done({ code: frame.code, superseded: frame.superseded }, now);
      return true;
    }
    if (frame.type === "explainReply") {
      const answer = this.#pending.get(frame.sequence);
      expectPeer(answer?.type === "explain", "an explanation that was not asked for");
      this.#pending.delete(frame.sequence);
      answer.done(frame, now);
      return true;
    }
    return false;
  }

  /** The stream has ended: who waits is told. */
  end(now: number): void {
    this.isEnded = true;
    for (const answer of this.#pending.values()) {
      if (answer.type === "push") answer.done({ code: "closed", superseded: false }, now);
      else answer.done(undefined, now);
    }
    this.#pending.clear();
  }

  #addBulk(item: SizedFrame): void {
    this.#bulk.push(item);
    this.queuedBytes += item.bytes;
  }

  /**
   * Asks, behind what was sent, for a confirmation: a push without entries. One at a time, so a burst of any
   * length costs a few of them.
   */
  #mark(since: number): void {
    if (this.#markedSince !== undefined) {
      this.#unmarkedSince ??= since;
      return;
    }
    if (this.isAskedOut) return;
    this.#markedSince = since;
    const sequence = this.next({ type: "push", done: () => this.#arrived() });
    const frame = { type: "push", sequence, entries: [], confirm: true } as const;
    this.#addBulk({ frame, bytes: FRAME_BYTES, entries: 0 });
  }

  #arrived(): void {
    const since = this.#unmarkedSince;
    this.#markedSince = undefined;
    this.#unmarkedSince = undefined;
    if (since === undefined || this.isEnded) return;
    this.#mark(since);
    this.pump();
  }

  /** Sends what the window takes; returns the rest. */
  #take(queue: SizedFrame[]): SizedFrame[] {
    let taken = 0;
    for (const item of queue) {
      if (this.#unsentBytes >= this.#context.options.windowBytes) break;
      taken += 1;
      this.queuedBytes -= item.bytes;
      this.#unsent.push(item.bytes);
      this.#unsentBytes += item.bytes;
      this.#context.metrics.pushBytesSent += item.bytes;
      this.#context.emit({ type: "frame", stream: this.stream, frame: item.frame });
    }
    return taken > 0 ? queue.slice(taken) : queue;
  }
}
