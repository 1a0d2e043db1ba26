import type { Entry, MergeResult, Refusal } from "@dnd/store";
import { msOf, StorageError } from "@dnd/store";
import type { Context } from "./_context.ts";
import { expiryNow, reachable } from "./_context.ts";
import { ExchangeError } from "./exchange_error.ts";
import type { MergeSummary } from "./_exchange_host.ts";
import { Outbox, type OutboxBulk } from "./outbox.ts";
import { WaitingBuffer } from "./waiting_buffer.ts";
import type { IncomingUpdate, OutgoingUpdate } from "./wire.ts";

/** Names of nodes that refused stamps are counted under; the rest is counted under `*`. */
const MAX_NAMES = 64;

/** What goes over the peer streams. */
export interface RumorStreams {
  /** Sends an entry that is too large for a packet. */
  readonly pushLarge: (entry: Entry, to: readonly string[], now: number) => void;

  /** Sends entries in one piece. */
  readonly pushBulk: (bulk: OutboxBulk, now: number) => void;

  /** Whether the stream of a peer takes a piece at once. */
  readonly isStreamed: (peer: string, now: number) => boolean;

  /** Something was not told to a member, or to nobody knows whom. */
  readonly onDropped: (now: number, peer?: string) => void;
}

/**
 * The way of an entry into this replica and out of it: merging with trusted time, the buffer of early
 * stamps (rule 8), the outbox and its flushes.
 */
export class Rumors {
  readonly #context: Context;
  readonly #outbox: Outbox;
  readonly #waiting: WaitingBuffer;
  readonly #streams: RumorStreams;
  readonly #skewedNodes = new Map<string, number>();
  #flushAt = Infinity;
  #passOnTokens: number;
  #passOnAt = 0;
  #wakeAt = Infinity;
  #droppedAt = 0;

  constructor(context: Context, streams: RumorStreams) {
    this.#context = context;
    this.#outbox = new Outbox({ ...context.options, prng: context.prng });
    this.#waiting = new WaitingBuffer(context.options);
    this.#streams = streams;
    this.#passOnTokens = context.options.passOnEntries;
  }

  /** When rumors were dropped last, 0 for never: the others must exchange with us (rule 11). */
  get droppedAt(): number {
    return this.#droppedAt;
  }

  /** Entries refused because of their stamps, by the node that made them. */
  get skewedNodes(): ReadonlyMap<string, number> {
    return this.#skewedNodes;
  }

  /** Entries on their way out. */
  tell(entries: readonly Entry[], now: number, from?: string): void {
    const options = { now, ...(from === undefined ? {} : { from, dueAt: this.#passOnDue(now) }) };
    for (const entry of entries) {
      if (this.#outbox.add(entry, options)) continue;
      this.flush(now); // more than it holds in one turn
      if (!this.#outbox.add(entry, options)) {
        this.#context.metrics.outboxDropped += 1;
        this.noteDropped(now);
      }
    }
    this.#gauge();
  }

  /** Something was not told: the digest will show it, and we say so at once. */
  noteDropped(now: number, peer?: string): void {
    this.#droppedAt = now;
    this.#streams.onDropped(now, peer);
  }

  /** Sends what is due, each packet filled up. */
  flush(now: number): void {
    if (this.#outbox.size === 0) return;
    const { metrics } = this.#context;
    const to = reachable(this.#context);
    const isStreamed =
      to.length > this.#context.options.streamLimit
        ? undefined
        : (peer: string): boolean => this.#streams.isStreamed(peer, now);
    const { bulks, packets, pushes, nextInMs } = this.#outbox.flush(to, { now, isStreamed });
    for (const bulk of bulks) this.#streams.pushBulk(bulk, now);
    for (const packet of packets) {
      metrics.rumorPackets += packet.to.length;
      metrics.rumorEntries += packet.to.length * packet.entries.length;
      metrics.rumorBytes += packet.to.length * packet.bytes;
      const update: OutgoingUpdate = {
        counter: this.#context.map.counter,
        entries: packet.entries,
      };
      this.#context.emit({ type: "rumor", to: packet.to, update });
    }
    for (const push of pushes) this.#streams.pushLarge(push.entry, push.to, now);
    this.#gauge();
    if (nextInMs !== undefined) this.#flushIn(nextInMs, now);
  }

  /** Sends what was told when it is due: what comes in many packets is passed on in few. */
  flushSoon(now: number): void {
    if (this.#outbox.size > 0) this.#flushIn(this.#passOnDue(now) - now, now);
  }

  handleFlushTimer(now: number): void {
    this.#flushAt = Infinity;
    this.flush(now);
  }

  #flushIn(delayMs: number, now: number): void {
    if (now + delayMs >= this.#flushAt) return;
    this.#flushAt = now + delayMs;
    this.#context.emit({ type: "schedule", token: "flush", delayMs });
  }

  /** Takes a rumor; what was new is passed on. */
  handleUpdate(from: string, update: IncomingUpdate, now: number): void {
    const { metrics } = this.#context;
    const results = this.#merge(from, update.entries, now, true).results;
    this.#noteCrossings(update.entries, results);
    for (const result of results) {
      if (result === "applied") metrics.rumorsApplied += 1;
      else if (result === "superseded") metrics.rumorsSuperseded += 1;
      else metrics.rumorsRefused += 1;
    }
    this.#passOn(from, update.entries, results, now);
  }

  /**
   * Takes entries of an exchange or a push. `passOn`: tell what was new to others too. `late`: they may
   * have been on their way for longer than it took to forget a delete, as a rumor may (rule 1).
   */
  merge(
    from: string,
    entries: readonly Entry[],
    options: {
      readonly now: number;
      readonly passOn: boolean;
      readonly late?: boolean;
      /** Stream of the exchange that they come from. */
      readonly session?: number;
    },
  ): MergeSummary & { readonly results: readonly MergeResult[] } {
    const outcome = this.#merge(from, entries, options.now, options.late ?? false);
    this.#noteCrossings(entries, outcome.results, options.session);
    if (options.passOn) this.#passOn(from, entries, outcome.results, options.now);
    return outcome;
  }

  /** Merges what has waited long enough. */
  handleWaitingTimer(now: number): void {
    this.#wakeAt = Infinity;
    const due = this.#waiting.take(this.#latest(now));
    const bySender = new Map<string, Entry[]>();
    for (const { entry, from } of due) {
      const entries = bySender.get(from);
      if (entries === undefined) bySender.set(from, [entry]);
      else entries.push(entry);
    }
    // While it waited, what deleted it may have come, and been forgotten (rule 1).
    for (const [from, entries] of bySender) {
      try {
        this.merge(from, entries, { now, passOn: true, late: true });
      } catch (error) {
        if (!(error instanceof ExchangeError) || error.code !== "storage") throw error;
        // A full disk (rule 17): no promise covers what waited, so an exchange brings it again.
        this.#context.metrics.waitingDropped += entries.length;
      }
    }
    this.#scheduleWaiting(now);
  }

  #merge(
    from: string,
    entries: readonly Entry[],
    now: number,
    rumor: boolean,
  ): MergeSummary & { readonly results: readonly MergeResult[] } {
    const { map, time, metrics, options } = this.#context;
    let refused = 0;
    let early = Infinity;
    const onRefused = (refusal: Refusal): void => {
      if (refusal.reason === "below-horizon") {
        metrics.rumorsBelowHorizon += 1;
        return;
      }
      refused += 1;
      if (refusal.reason === "hash") {
        metrics.hashRefused += 1;
        return;
      }
      if (refusal.aheadMs <= options.earlyMs && this.#waiting.add(refusal.entry, from)) {
        refused -= 1;
        early = Math.min(early, refusal.entry.version.time);
        return;
      }
      if (refusal.aheadMs <= options.earlyMs) metrics.waitingDropped += 1;
      this.#countSkewed(refusal.entry.version.node);
    };
    let results: readonly MergeResult[];
    try {
      results = map.merge(entries, {
        now,
        trustedNow: time.trusted(now),
        expiryNow: expiryNow(this.#context, now),
        rumor,
        onRefused,
      });
    } catch (error) {
      // Nothing of a batch that is malformed, or that the engine does not take, is in the map.
      if (error instanceof StorageError) {
        throw new ExchangeError("storage", error.message, { cause: error });
      }
      if (error instanceof TypeError || error instanceof RangeError) {
        throw new ExchangeError("misbehaved", error.message, { cause: error });
      }
      throw error;
    }
    let applied = 0;
    for (const result of results) if (result === "applied") applied += 1;
    if (applied > 0) this.#context.recent.note(map.digest(), now);
    if (early !== Infinity) this.#scheduleWaiting(now);
    return { applied, refused, early, results };
  }

  #noteCrossings(
    entries: readonly Entry[],
    results: readonly MergeResult[],
    session?: number,
  ): void {
    for (const [stream, crossing] of this.#context.crossings) {
      if (stream === session || crossing.crossed) continue;
      const isBelow = ({ version }: Entry): boolean => version.time <= crossing.horizon;
      crossing.crossed = entries.some((entry, i) => results[i] === "applied" && isBelow(entry));
    }
  }

  #passOn(
    from: string,
    entries: readonly Entry[],
    results: readonly MergeResult[],
    now: number,
  ): void {
    const fresh = entries.filter((_, i) => results[i] === "applied");
    const allowed = this.#mayPassOn(fresh.length, now);
    if (allowed < fresh.length) this.#context.metrics.rumorsNotPassedOn += fresh.length - allowed;
    if (allowed > 0) this.tell(allowed < fresh.length ? fresh.slice(0, allowed) : fresh, now, from);
  }

  /**
   * When what somebody told is passed on: in a small cluster a round later, where everybody was told directly.
   * The threads then have it behind them that the others' readers wait for, and one packet takes what came meanwhile.
   */
  #passOnDue(now: number): number {
    const { peers, options } = this.#context;
    return peers.size > options.directLimit ? now : now + options.roundIntervalMs;
  }

  /**
   * How many entries are passed on now. In a small cluster everybody was told directly, and passing on is
   * for lost packets only: under load it is the first thing that goes, and the exchange brings what was lost.
   */
  #mayPassOn(wanted: number, now: number): number {
    const { peers, options } = this.#context;
    if (peers.size > options.directLimit) return wanted;
    const rate = options.passOnEntries;
    const elapsedMs = Math.max(0, now - this.#passOnAt); // a clock that was set back gives nothing
    this.#passOnAt = now;
    this.#passOnTokens = Math.min(rate, this.#passOnTokens + (elapsedMs * rate) / 1000);
    const allowed = Math.min(wanted, Math.floor(this.#passOnTokens));
    this.#passOnTokens -= allowed;
    return allowed;
  }

  #countSkewed(node: string): void {
    this.#context.metrics.skewRefused += 1;
    const names = this.#skewedNodes;
    const name = names.has(node) || names.size < MAX_NAMES ? node : "*";
    names.set(name, (names.get(name) ?? 0) + 1);
  }

  #latest(now: number): number {
    return this.#context.time.trusted(now) + this.#context.options.maxDriftMs;
  }

  #scheduleWaiting(now: number): void {
    this.#context.metrics.waitingEntries = this.#waiting.size;
    const next = this.#waiting.nextMs();
    if (next === undefined) return;
    const delayMs = Math.max(1, Math.ceil(next - this.#latest(now)));
    if (now + delayMs >= this.#wakeAt) return;
    this.#wakeAt = now + delayMs;
    this.#context.emit({ type: "schedule", token: "waiting", delayMs });
  }

  #gauge(): void {
    this.#context.metrics.outboxEntries = this.#outbox.size;
    this.#context.metrics.outboxBytes = this.#outbox.bytes;
  }
}

/** The wall-clock moment of an entry's stamp; for messages. */
export function stampMs(entry: Entry): number {
  return msOf(entry.version.time);
}
