import type { Entry } from "@dnd/store";
import { compareVersions, stampOf, StorageError } from "@dnd/store";
import type { Backpressure } from "./_backpressure.ts";
import type { Context } from "./_context.ts";
import { isReachable, tellMisbehaved } from "./_context.ts";
import { entryBytes } from "./entry_bytes.ts";
import type { SizedFrame } from "./entry_frames.ts";
import { entryFrames, withoutValue } from "./entry_frames.ts";
import { ExchangeError, expectPeer } from "./exchange_error.ts";
import type { OutboxBulk } from "./outbox.ts";
import { PartAssembler } from "./part_assembler.ts";
import { peekSafely } from "./replica_map.ts";
import type { Rumors } from "./_rumors.ts";
import type { PeerFrame } from "./wire.ts";
import type { Confirm, ExplainReply } from "@dnd/protocol";

/** Bytes that may wait for one peer's stream. Beyond it entries are left to the exchange. */
const MAX_QUEUED_BYTES = 32 * 1024 * 1024;

/** Pushes and explain requests without an answer, for one peer. */
const MAX_PENDING = 20_000;

/** Peers of which it is known when their stream ended. */
const MAX_ENDED = 1024;

/** What becomes of a push. */
export interface PushOutcome {
  /** Empty: held durably there. Else why not: `closed`, `refused`, `not-ready`, `dropped`, ... */
  readonly code: string;
  readonly superseded: boolean;
}

type Answer =
  | { readonly type: "push"; readonly done: (outcome: PushOutcome, now: number) => void }
  | {
      readonly type: "explain";
      readonly done: (reply: ExplainReply | undefined, now: number) => void;
    };

/** A stream for small writes is not opened again so soon after one to that peer ended. */
const REOPEN_MS = 5_000;

/** A stream that ends so soon after something was sent may not have brought all of it. */
const UNSURE_MS = 10_000;

/** Entries of one push that are passed on at most: a burst went to everybody. */
const PASS_ON_ENTRIES = 16;

/** Bytes of a piece from which on it is asked when it has arrived. */
const MARKED_BYTES = 8 * 1024;

/** What is on its way for longer than this is not waited for any more. */
const MOST_ON_WAY_MS = 10_000;

interface Outgoing {
  readonly stream: number;
  readonly peer: string;
  open: boolean;
  queue: SizedFrame[];
  /** What waits behind everything else: nobody waits for a confirmation of it. */
  bulk: SizedFrame[];
  bulkAt: number;
  queuedBytes: number;
  readonly unsent: number[];
  unsentBytes: number;
  sequence: number;
  readonly pending: Map<number, Answer>;
  /** The first stamp of what the mark under way follows, and of what was sent behind that. */
  markedSince: number | undefined;
  unmarkedSince: number | undefined;
}

interface Incoming {
  readonly stream: number;
  readonly peer: string;
  readonly parts: PartAssembler;
  /** Keys that came in parts since the last push. */
  entries: Entry[];
}

/**
 * The push streams: one to each peer that something is pushed to, kept open. Writes that somebody waits
 * for travel here (rule 18), and entries too large for a packet, and explain requests.
 */
export class Pushes {
  readonly #context: Context;
  readonly #rumors: Rumors;
  readonly #backpressure: Backpressure;
  readonly #isReady: () => boolean;
  readonly #nextStream: () => number;
  readonly #outgoing = new Map<number, Outgoing>();
  readonly #byPeer = new Map<string, Outgoing>();
  readonly #incoming = new Map<number, Incoming>();
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
    this.#backpressure = ways.backpressure;
    this.#context = context;
    this.#rumors = rumors;
    this.#isReady = ways.isReady;
    this.#nextStream = ways.nextStream;
  }

  /** Whether this stream is one of ours. */
  has(stream: number): boolean {
    return this.#outgoing.has(stream) || this.#incoming.has(stream);
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
      out.pending.size >= MAX_PENDING
    ) {
      this.#context.metrics.pushesDropped += 1;
      this.#rumors.noteDropped(now, peer);
      done?.({ code: "dropped", superseded: false }, now);
      return;
    }
    this.#context.metrics.pushesSent += 1;
    const { frameBytes } = this.#context.options;
    const sequence = (out.sequence += 1);
    const confirm = done !== undefined;
    if (done !== undefined) out.pending.set(sequence, { type: "push", done });
    const bytes = entryBytes(entry);
    if (bytes <= frameBytes) {
      const frame = { type: "push", sequence, entries: [entry], confirm } as const;
      this.#queue(out, { frame, bytes: bytes + 16, entries: 1 });
    } else {
      const counter = this.#context.map.counter;
      for (const part of entryFrames([entry], { frameBytes, counter })) this.#queue(out, part);
      const frame = { type: "push", sequence, entries: [], confirm } as const;
      this.#queue(out, { frame, bytes: 16, entries: 0 });
    }
    this.#pump(out);
  }

  /**
   * Whether the stream to a peer is open and would send a piece at once. If there is none, one is opened for
   * the next time: until then, and where none can be opened, small writes go in packets.
   */
  isStreamed(peer: string, now: number): boolean {
    const out = this.#byPeer.get(peer);
    if (out !== undefined) {
      return out.open && out.queuedBytes === 0 && this.#context.peers.get(peer)?.state === "alive";
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
      const frame = { type: "push", sequence: (out.sequence += 1), entries } as const;
      out.bulk.push({ frame, bytes: bytes + 16, entries: entries.length });
      out.bulkAt = now;
      out.queuedBytes += bytes + 16;
      const [first] = entries;
      if (bytes >= MARKED_BYTES && first !== undefined) this.#mark(out, first.version.time);
      this.#pump(out);
    }
  }

  /**
   * Asks, behind what was sent, for a confirmation: a push without entries. One at a time, so a burst of any
   * length costs a few of them.
   */
  #mark(out: Outgoing, since: number): void {
    if (out.markedSince !== undefined) {
      out.unmarkedSince ??= since;
      return;
    }
    if (out.pending.size >= MAX_PENDING) return;
    out.markedSince = since;
    const sequence = (out.sequence += 1);
    out.pending.set(sequence, { type: "push", done: () => this.#arrived(out) });
    const frame = { type: "push", sequence, entries: [], confirm: true } as const;
    out.bulk.push({ frame, bytes: 16, entries: 0 });
    out.queuedBytes += 16;
  }

  #arrived(out: Outgoing): void {
    const { unmarkedSince } = out;
    out.markedSince = undefined;
    out.unmarkedSince = undefined;
    if (unmarkedSince === undefined || this.#byPeer.get(out.peer) !== out) return;
    this.#mark(out, unmarkedSince);
    this.#pump(out);
  }

  /**
   * From which stamp on writes of a burst are on their way to a peer, or may wait in its buffers: an exchange lists
   * none of them (rule 11). `Infinity`: none.
   */
  onWaySince(peer: string, now: number): number {
    const since = this.#byPeer.get(peer)?.markedSince;
    return since === undefined ? Infinity : Math.max(since, stampOf(now - MOST_ON_WAY_MS));
  }

  /** Asks a peer for what it holds of a key; `undefined`: no answer. */
  explain(
    peer: string,
    key: string,
    done: (reply: ExplainReply | undefined, now: number) => void,
    now: number,
  ): void {
    const out = this.#to(peer);
    if (out === undefined || out.pending.size >= MAX_PENDING) {
      done(undefined, now);
      return;
    }
    const sequence = (out.sequence += 1);
    out.pending.set(sequence, { type: "explain", done });
    this.#queue(out, {
      frame: { type: "explainRequest", sequence, key },
      bytes: 1050,
      entries: 0,
    });
    this.#pump(out);
  }

  /** A peer opened a stream of this purpose. */
  accept(peer: string, stream: number): void {
    this.#incoming.set(stream, { stream, peer, parts: new PartAssembler(), entries: [] });
  }

  handleOpened(stream: number): void {
    const out = this.#outgoing.get(stream);
    if (out === undefined) return;
    out.open = true;
    this.#pump(out);
  }

  handleSent(stream: number): void {
    const out = this.#outgoing.get(stream);
    const bytes = out?.unsent.shift();
    if (out === undefined || bytes === undefined) return;
    out.unsentBytes -= bytes;
    this.#pump(out);
  }

  handleClosed(stream: number, now: number): void {
    if (this.#incoming.delete(stream)) this.#backpressure.forget(stream);
    const out = this.#outgoing.get(stream);
    if (out === undefined) return;
    this.#outgoing.delete(stream);
    if (this.#byPeer.get(out.peer) === out) this.#byPeer.delete(out.peer);
    if (this.#endedAt.size >= MAX_ENDED) this.#endedAt.clear();
    this.#endedAt.set(out.peer, now);
    const isUnsure = Math.abs(now - out.bulkAt) < UNSURE_MS; // what was sent may not have arrived
    if (isUnsure || [...out.queue, ...out.bulk].some((item) => item.entries > 0)) {
      this.#rumors.noteDropped(now, out.peer);
    }
    for (const answer of out.pending.values()) {
      if (answer.type === "push") answer.done({ code: "closed", superseded: false }, now);
      else answer.done(undefined, now);
    }
    out.pending.clear();
  }

  /** Takes a frame; a peer that misbehaves is cut off. */
  handleFrame(stream: number, frame: PeerFrame, now: number): void {
    try {
      const incoming = this.#incoming.get(stream);
      if (incoming !== undefined) this.#serve(incoming, frame, now);
      else this.#answer(this.#outgoing.get(stream), frame, now);
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      const peer = this.#incoming.get(stream)?.peer ?? this.#outgoing.get(stream)?.peer ?? "";
      if (error.code === "misbehaved") {
        tellMisbehaved(this.#context, peer, error.message, now);
      }
      this.#context.emit({ type: "close-stream", stream, error: error.message });
      this.handleClosed(stream, now);
    }
  }

  #answer(out: Outgoing | undefined, frame: PeerFrame, now: number): void {
    if (out === undefined) return;
    if (frame.type === "confirm") {
      const answer = out.pending.get(frame.sequence);
      expectPeer(answer?.type === "push", "a confirmation that was not asked for");
      out.pending.delete(frame.sequence);
      answer.done({ code: frame.code, superseded: frame.superseded }, now);
      return;
    }
    if (frame.type === "explainReply") {
      const answer = out.pending.get(frame.sequence);
      expectPeer(answer?.type === "explain", "an explanation that was not asked for");
      out.pending.delete(frame.sequence);
      answer.done(frame, now);
      return;
    }
    if (frame.type === "refusal") {
      this.#context.emit({ type: "close-stream", stream: out.stream });
      this.handleClosed(out.stream, now);
      return;
    }
    expectPeer(false, `a ${frame.type} on a push stream`);
  }

  #serve(incoming: Incoming, frame: PeerFrame, now: number): void {
    const { peer, stream } = incoming;
    switch (frame.type) {
      case "entryPart": {
        const entry = incoming.parts.add(frame);
        if (entry === undefined) return;
        this.#rumors.merge(peer, [entry], { now, passOn: true, late: true });
        this.#took(stream, [entry]);
        expectPeer(incoming.entries.length < 64, "large entries without a push");
        incoming.entries.push(withoutValue(entry));
        return;
      }
      case "push": {
        this.#context.metrics.pushesServed += 1;
        const entries = [...incoming.entries, ...frame.entries];
        incoming.entries = [];
        let code = "";
        try {
          const passOn = frame.entries.length <= PASS_ON_ENTRIES;
          this.#rumors.merge(peer, frame.entries, { now, passOn, late: true });
          this.#took(stream, frame.entries);
        } catch (error) {
          if (!(error instanceof ExchangeError) || !(error.cause instanceof StorageError))
            throw error;
          code = error.cause.code;
        }
        if (frame.confirm) this.#confirm(stream, frame.sequence, entries, code);
        return;
      }
      case "explainRequest": {
        const entry = peekSafely(this.#context.map, frame.key);
        this.#context.emit({
          type: "frame",
          stream,
          frame: {
            type: "explainReply",
            sequence: frame.sequence,
            ...(entry === undefined ? {} : { entry: withoutValue(entry) }),
            size: entry?.value.length ?? 0,
          },
        });
        return;
      }
      default:
        expectPeer(false, `a ${frame.type} on a push stream`);
    }
  }

  #took(stream: number, entries: readonly Entry[]): void {
    let bytes = 0;
    for (const { key, value } of entries) bytes += key.length + value.length + 64;
    this.#backpressure.took(stream, bytes);
  }

  /** Rules 9 and 18: this version or a newer one, committed here. */
  #confirm(stream: number, sequence: number, entries: readonly Entry[], code: string): void {
    const answer = (confirm: Omit<Confirm, "extra" | "sequence">): void => {
      if (!this.#incoming.has(stream)) return;
      this.#context.emit({
        type: "frame",
        stream,
        frame: { type: "confirm", sequence, ...confirm },
      });
    };
    const none = { superseded: false, time: 0, node: "" };
    if (code !== "") {
      answer({ ...none, code });
      return;
    }
    this.#context.onCommitted(() => {
      let superseded = false;
      let newest = { time: 0, node: "" };
      for (const { key, version } of entries) {
        const held = peekSafely(this.#context.map, key);
        const order = held === undefined ? -1 : compareVersions(held.version, version);
        // Neither it nor a newer one: refused, or reaped since, which needs everybody to have had it.
        if (held === undefined || order < 0) {
          answer({ ...none, code: "refused" });
          return;
        }
        if (order > 0) superseded = true;
        newest = held.version;
      }
      answer({ superseded, code: this.#isReady() ? "" : "not-ready", ...newest });
    });
  }

  #to(peer: string): Outgoing | undefined {
    const held = this.#byPeer.get(peer);
    if (held !== undefined) return held;
    const known = this.#context.peers.get(peer);
    if (known === undefined || !isReachable(known)) return undefined;
    const stream = this.#nextStream();
    const out: Outgoing = {
      stream,
      peer,
      open: false,
      queue: [],
      bulk: [],
      bulkAt: -Infinity,
      queuedBytes: 0,
      unsent: [],
      unsentBytes: 0,
      sequence: 0,
      pending: new Map(),
      markedSince: undefined,
      unmarkedSince: undefined,
    };
    this.#outgoing.set(stream, out);
    this.#byPeer.set(peer, out);
    this.#context.emit({ type: "open-stream", stream, peer, purpose: "push" });
    return out;
  }

  #queue(out: Outgoing, item: SizedFrame): void {
    out.queue.push(item);
    out.queuedBytes += item.bytes;
  }

  #pump(out: Outgoing): void {
    if (!out.open) return;
    out.queue = this.#take(out, out.queue);
    if (out.queue.length === 0) out.bulk = this.#take(out, out.bulk);
  }

  /** Sends what the window takes; returns the rest. */
  #take(out: Outgoing, queue: SizedFrame[]): SizedFrame[] {
    let taken = 0;
    for (const item of queue) {
      if (out.unsentBytes >= this.#context.options.windowBytes) break;
      taken += 1;
      out.queuedBytes -= item.bytes;
      out.unsent.push(item.bytes);
      out.unsentBytes += item.bytes;
      this.#context.metrics.pushBytesSent += item.bytes;
      this.#context.emit({ type: "frame", stream: out.stream, frame: item.frame });
    }
    return taken > 0 ? queue.slice(taken) : queue;
  }
}
