import type { Entry } from "@dnd/store";
import type { Summary } from "@dnd/protocol";
import type { Context, Peer } from "./_context.ts";
import { expiryNow, isReachable, readNow, tellMisbehaved } from "./_context.ts";
import { EffectLog } from "./_effect_log.ts";
import { ExchangeError } from "./exchange_error.ts";
import { MemberTable } from "./member_table.ts";
import { createParts, type ReplicatorParts } from "./_replicator_parts.ts";
import { makeStatus, makeSummary } from "./_status.ts";
import { RecentDigests } from "./recent_digests.ts";
import type { FollowOptions } from "./_receipts.ts";
import type { ReplicationEffect, StreamPurpose } from "./replication_effect.ts";
import type { ReplicationMetrics } from "./replication_metrics.ts";
import { createMetrics } from "./replication_metrics.ts";
import type { ReplicationOptions } from "./replication_options.ts";
import { resolveReplicationOptions } from "./replication_options.ts";
import type { MemberNews, ReplicationStatus, ReplicatorDependencies } from "./replicator_types.ts";
import { TrustedTime } from "./trusted_time.ts";
import type { IncomingUpdate, OutgoingSummary, PeerFrame } from "./wire.ts";

export type { FollowOptions } from "./_receipts.ts";

/**
 * Keeps one map equal to those of the other members. Pure: inputs are method calls, each with `now` (wall
 * clock, milliseconds since 1970); what should happen comes back as effects, in order.
 *
 * @example
 * ```ts
 * import { VersionedMap } from "@dnd/store";
 * import { Replicator } from "@dnd/replication";
 *
 * const now = 1_800_000_000_000;
 * const map = new VersionedMap({ node: "0123456789abcdef0123456789abcdef" });
 * const replicator = new Replicator({ map, prng: () => 0.5, generation: 1 });
 * replicator.start(now);
 * replicator.handleMember({ id: "f".repeat(32), state: "alive", generation: 1 }, now);
 * const entry = map.put("user1", new TextEncoder().encode("Jack"), { now });
 * const effects = [...replicator.handleWrite([entry], now), ...replicator.flush(now)];
 * effects.some((effect) => effect.type === "rumor"); // true
 * ```
 */
export class Replicator {
  readonly metrics: ReplicationMetrics = createMetrics();
  readonly #context: Context;
  readonly #peers = new Map<string, Peer>();
  readonly #parts: ReplicatorParts;
  readonly #hasSeeds: boolean;
  readonly #log = new EffectLog();
  #stream = 0;
  #failed = false;

  constructor(dependencies: ReplicatorDependencies, options: ReplicationOptions = {}) {
    const { map, prng } = dependencies;
    const resolved = resolveReplicationOptions(options);
    this.#hasSeeds = dependencies.hasSeeds ?? false;
    this.#context = {
      map,
      prng,
      canSetAside: dependencies.canSetAside ?? (() => true),
      options: resolved,
      table: new MemberTable(map.node),
      time: new TrustedTime(resolved),
      metrics: this.metrics,
      crossings: new Map(),
      recent: new RecentDigests(),
      peers: this.#peers,
      generation: dependencies.generation,
      misbehavedAt: new Map(),
      delayMs: 0,
      emit: (effect) => this.#log.emit(effect),
      onCommitted: (callback) => this.#log.onCommitted(callback),
    };
    this.#parts = createParts(this.#context, {
      members: dependencies.members ?? (() => []),
      peers: this.#peers,
      nextStream: () => (this.#stream += 1),
    });
  }

  // ------------------------------------------------------------------------------------- inputs

  /** Begins: reads what was promised before, and the clocks of this process's timers. Once. */
  start(now: number): ReplicationEffect[] {
    return this.#do(() => {
      const { table, generation, options } = this.#context;
      this.#parts.promises.load();
      this.#parts.wiring.load();
      table.reenter(generation);
      this.#parts.readiness.start(this.#hasSeeds, now);
      this.#parts.occasions.schedulePeriodic();
      this.#emitTick(options.promiseIntervalMs);
    });
  }

  /** Local writes: they are told to the others at the next `flush`. */
  handleWrite(entries: readonly Entry[], now: number): ReplicationEffect[] {
    return this.#do(() => {
      this.#context.recent.note(this.#context.map.digest(), now);
      this.#parts.rumors.tell(entries, now);
    });
  }

  /** Sends what waits in the outbox: at the end of each turn of the event loop in which there was a write. */
  flush(now: number): ReplicationEffect[] {
    return this.#do(() => this.#parts.rumors.flush(now));
  }

  /** A rumor came. */
  handleUpdate(from: string, update: IncomingUpdate, now: number): ReplicationEffect[] {
    return this.#do(() => {
      try {
        this.#parts.rumors.handleUpdate(from, update, now);
        this.#parts.rumors.flushSoon(now);
      } catch (error) {
        if (!(error instanceof ExchangeError)) throw error;
        this.metrics.rumorsRefused += update.entries.length;
        if (error.code !== "misbehaved") return;
        tellMisbehaved(this.#context, from, error.message, now);
      }
    });
  }

  /** The numbers of a ping or an ack of a member came (rule 11). */
  handleSummary(
    from: string,
    summary: Omit<Summary, "extra">,
    options: { readonly now: number; readonly wall?: number; readonly rttMs?: number },
  ): ReplicationEffect[] {
    return this.#do(() => this.#parts.membership.handleSummary(from, summary, options));
  }

  /** The membership layer says something new of a member. Also once for each at the start. */
  handleMember(news: MemberNews, now: number): ReplicationEffect[] {
    return this.#do(() => this.#parts.membership.handleMember(news, now));
  }

  /** A member fell out of the membership layer's bounded list; it counts as forgotten now. */
  handleMemberRemoved(id: string, now: number): ReplicationEffect[] {
    return this.#do(() => this.#parts.membership.handleRemoved(id, now));
  }

  /** `open-stream`: it is open. */
  handleStreamOpened(stream: number, now: number): ReplicationEffect[] {
    return this.#do(() => {
      this.#parts.exchanges.sessions.get(stream)?.start(now);
      this.#parts.pushes.handleOpened(stream);
    });
  }

  /** A stream ended, or could not be opened. */
  handleStreamClosed(stream: number, now: number, reason = "closed"): ReplicationEffect[] {
    return this.#do(() => {
      this.#parts.exchanges.sessions.get(stream)?.handleClosed(now, reason);
      this.#parts.pushes.handleClosed(stream, now);
    });
  }

  /** A peer opened a stream. Its number is for the calls that follow. */
  acceptStream(
    peer: string,
    purpose: StreamPurpose,
    now: number,
  ): { readonly stream: number; readonly effects: ReplicationEffect[] } {
    const stream = (this.#stream += 1);
    const effects = this.#do(() => {
      this.#parts.readiness.handleContact();
      if (purpose === "exchange") this.#parts.exchanges.accept(peer, stream, now);
      else this.#parts.pushes.accept(peer, stream);
    });
    return { stream, effects };
  }

  /** A frame came on a stream. */
  handleFrame(stream: number, frame: PeerFrame, now: number): ReplicationEffect[] {
    return this.#do(() => {
      const session = this.#parts.exchanges.sessions.get(stream);
      if (session !== undefined) session.handleFrame(frame, now);
      else if (this.#parts.pushes.has(stream)) this.#parts.pushes.handleFrame(stream, frame, now);
      this.#parts.rumors.flushSoon(now);
    });
  }

  /** A frame of ours has been taken by its stream. */
  handleSent(stream: number, now: number): ReplicationEffect[] {
    return this.#do(() => {
      this.#parts.exchanges.sessions.get(stream)?.handleSent(now);
      this.#parts.pushes.handleSent(stream);
    });
  }

  /** A `schedule` effect is due. Unknown and late tokens do nothing. */
  handleTimer(token: string, now: number): ReplicationEffect[] {
    return this.#do(() => {
      const [name, id] = token.split(":");
      if (name === "flush") this.#parts.rumors.handleFlushTimer(now);
      else if (name === "waiting") this.#parts.rumors.handleWaitingTimer(now);
      else if (name === "exchange") this.#parts.exchanges.handleTimer(now);
      else if (name === "session") this.#parts.exchanges.sessions.get(Number(id))?.handleTimer(now);
      else if (name === "promises") this.#parts.promises.handleTimer(now);
      else if (name === "reap") this.#parts.promises.handleReapTimer();
      else if (name === "ready") this.#parts.readiness.handleTimer(now);
      else if (name === "receipt") this.#parts.receipts.handleTimer(Number(id), now);
      else if (name === "explain") this.#parts.receipts.handleExplainTimer(Number(id));
      else if (name === "periodic") this.#parts.occasions.handlePeriodic(now);
      else if (name === "tick") this.#handleTick(now);
      else if (name === "leave") this.#parts.leaving.handleTimer();
    });
  }

  /** Everything up to this mark is durable. */
  handleCommitted(mark: number, now: number): ReplicationEffect[] {
    return this.#do(() => this.#log.handleCommitted(mark, now));
  }

  /** The storage failed for good: nothing is merged, confirmed or promised any more (rule 17). */
  handleStorageFailed(now: number): ReplicationEffect[] {
    const effects = this.#do(() => {
      for (const session of [...this.#parts.exchanges.sessions.values()]) {
        this.#context.emit({ type: "close-stream", stream: session.stream, error: "storage" });
        session.handleClosed(now, "storage");
      }
    });
    this.#failed = true;
    return effects;
  }

  /** How late the event loop is: exchanges slow down, never below a floor (rule 11). */
  handleDelay(delayMs: number): void {
    this.#context.delayMs = delayMs;
  }

  /** Whether there is somebody to call: seeds other than this node, or remembered members. */
  handleSeeds(hasSeeds: boolean, now: number): ReplicationEffect[] {
    return this.#do(() => this.#parts.readiness.handleSeeds(hasSeeds, now));
  }

  /** All seeds of this node have answered by now, each at every address that it has: see `Readiness`. */
  handleSeedsAnswered(now: number): ReplicationEffect[] {
    return this.#do(() => this.#parts.readiness.handleSeedsAnswered(now));
  }

  // ---------------------------------------------------------------------------------- questions

  /** The numbers that go into pings and acks (rule 11). `stalled` is the membership worker's to say. */
  summary(now: number): OutgoingSummary {
    return makeSummary(this.#context, this.#parts, this.#failed ? undefined : now);
  }

  /** Where this replica stands. */
  status(): ReplicationStatus {
    return makeStatus(this.#context, this.#parts);
  }

  /** Whether this node is ready (rule 12). */
  get ready(): boolean {
    return this.#parts.readiness.ready;
  }

  /** Whether a member is known and in (rule 1). */
  knows(id: string): boolean {
    return this.#context.table.isIn(id);
  }

  /** This node's generation as replication speaks it. */
  get generation(): number {
    return this.#context.generation;
  }

  /** `seen` of this node, durable: goes into its member record (rule 1). */
  get seen(): number {
    return this.#context.table.announcedSeen;
  }

  /** Trusted time in milliseconds since 1970 (rule 8). */
  trustedNow(now: number): number {
    return this.#context.time.trusted(now);
  }

  /**
   * The moment by which entries expire: the driver calls `map.expire({ now: expiryNow(now) })`. A clock
   * that is ahead would drop values before their time, and nobody else would believe it.
   */
  expiryNow(now: number): number {
    return expiryNow(this.#context, now);
  }

  /**
   * The moment by which a reader takes values for expired (rule 8): ours, or the median of the clocks if ours is
   * off by more than the drift bound. `undefined` while there are others and none of their clocks was heard.
   */
  readNow(now: number): number | undefined {
    return readNow(this.#context, now);
  }

  /** How far the median of the clocks is ahead of ours; for `BelievedClock`. */
  get medianMs(): number | undefined {
    const { time } = this.#context;
    return time.confirmed ? -time.aheadMs() : undefined;
  }

  /** Whether there is another member to tell: without one a write need not be handed to `handleWrite`. */
  get hasReachable(): boolean {
    for (const peer of this.#peers.values()) if (isReachable(peer)) return true;
    return false;
  }

  /** A stamp for a departure: of this node, or of a member that is forgotten here (rules 1 to 3). */
  departureStamp(now: number): number {
    return this.#context.map.clock({ now });
  }

  /** Rule 18: `n` = ready members that did not leave and are not forgotten, dead ones and this node included. */
  writeTargets(): number {
    let n = this.#parts.readiness.ready ? 1 : 0;
    for (const id of this.#context.table.records.keys()) {
      if (id !== this.#context.map.node && this.isWriteTarget(id)) n += 1;
    }
    return n;
  }

  /** Whether a member is one of {@link writeTargets}. */
  isWriteTarget(id: string): boolean {
    if (id === this.#context.map.node) return this.#parts.readiness.ready;
    const record = this.#context.table.records.get(id);
    return record?.state === "in" && record.ready;
  }

  /**
   * Follows a write until enough members hold it durably (rule 18); the answer is a `receipt` event.
   *
   * @returns the number of the receipt, and the effects
   * @throws RangeError if too many receipts are open
   */
  follow(
    entry: Entry,
    options: FollowOptions,
    now: number,
  ): { readonly receipt: number; readonly effects: ReplicationEffect[] } {
    let receipt = 0;
    const effects = this.#do(() => {
      receipt = this.#parts.receipts.follow(entry, options, now);
    });
    return { receipt, effects };
  }

  /** Opens an exchange with a member as soon as there is room, whatever the pace of the pair. */
  exchangeWith(peer: string, now: number): ReplicationEffect[] {
    return this.#do(() => this.#parts.exchanges.request(peer, "operator", now));
  }

  /** Asks all members what they hold of a key; the answer is an `explained` event. */
  explain(
    key: string,
    now: number,
  ): { readonly request: number; readonly effects: ReplicationEffect[] } {
    let request = 0;
    const effects = this.#do(() => {
      request = this.#parts.receipts.explain(key, now);
    });
    return { request, effects };
  }

  /**
   * Rule 2: one full exchange with a ready member, before this node leaves. Take no writes meanwhile. The
   * answer is an event `left` with the departure stamp, or `leave-failed`.
   */
  leave(now: number): ReplicationEffect[] {
    return this.#do(() => this.#parts.leaving.start(now));
  }

  // ------------------------------------------------------------------------------------- inside

  #do(action: () => void): ReplicationEffect[] {
    return this.#failed ? [] : this.#log.run(action);
  }

  /** Keeps `seen` of a quiet node and its horizon going. */
  #handleTick(now: number): void {
    this.#parts.promises.persist(now);
    this.#emitTick(
      Math.max(this.#context.options.promiseIntervalMs, this.#context.options.horizonStepMs / 2),
    );
    this.#parts.occasions.greetAll(now);
  }

  #emitTick(delayMs: number): void {
    this.#context.emit({ type: "schedule", token: "tick", delayMs });
  }
}
