import type { Context } from "./_context.ts";
import { isReachable, notify, tellMisbehaved } from "./_context.ts";
import type { ExchangeHost, ExchangeResult, SessionView } from "./_exchange_host.ts";
import { ServeTurns } from "./_serve_turns.ts";
import { ExchangeSession } from "./exchange_session.ts";

interface Want {
  reason: string;
  at: number;
}

interface Pace {
  /** When the last one ended. */
  endedAt: number;
  nextAt: number;
  backoffMs: number;
}

/** Sessions that peers may open before it is known whether they are served. */
const MAX_UNSETTLED = 8;
/** Of one peer: who opens many and says nothing takes nobody else's place. */
const MAX_UNSETTLED_OF_PEER = 2;
const FIRST_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 30_000;
const BUSY_MS = 500;

/** A disk that is full has no room a moment later. */
const STORAGE_MS = 10_000;

/** A peer may say when it wants to be asked again, but not to be asked never. */
const MAX_BUSY_MS = 30_000;

/** Reasons that do not wait for the pair's pace. */
const UNPACED = new Set(["join", "operator", "leave"]);

/** The more urgent reason wins when a peer is wanted for two. */
const URGENCY = "periodic difference healed dropped returned join operator leave".split(" ");

/** Reasons that wait a second at most, however quiet the pair was before. */
const SOON = new Set(["dropped", "healed"]);

/**
 * Who exchanges with whom, and when: one session opened and one served at a time besides one copy, a
 * pace for each pair (rule 11).
 */
export class Exchanges {
  readonly #context: Context;
  readonly #host: ExchangeHost;
  readonly #wants = new Map<string, Want>();
  readonly #paces = new Map<string, Pace>();
  readonly #sessions = new Map<number, ExchangeSession>();
  /** Of copies, and of all others. */
  readonly #turns = { copy: new ServeTurns(), other: new ServeTurns() };
  #nextTickAt = Infinity;
  #latest = -Infinity;
  readonly #nextStream: () => number;

  constructor(context: Context, host: ExchangeHost, nextStream: () => number) {
    this.#context = context;
    this.#host = host;
    this.#nextStream = nextStream;
  }

  /** Sessions that are under way. */
  get sessions(): ReadonlyMap<number, ExchangeSession> {
    return this.#sessions;
  }

  /** Asks for an exchange with a member, when its turn comes. */
  request(peer: string, reason: string, now: number, delayMs = 0): void {
    this.#follow(now);
    for (const session of this.#sessions.values()) {
      if (session.peer === peer && session.role === "opener" && session.reason === reason) return;
    }
    const at = now + delayMs;
    const held = this.#wants.get(peer);
    if (held === undefined) this.#wants.set(peer, { reason, at });
    else {
      if (URGENCY.indexOf(reason) > URGENCY.indexOf(held.reason)) held.reason = reason;
      held.at = Math.min(held.at, at);
    }
    this.#tickIn(this.#dueAt(peer) - now, now);
  }

  /**
   * Whether an exchange with this member is under way or asked for.
   *
   * @param reason one that is asked for with less urgency than this does not count: it may have long to wait
   */
  isWanted(peer: string, reason = ""): boolean {
    const want = this.#wants.get(peer);
    if (want !== undefined && URGENCY.indexOf(want.reason) >= URGENCY.indexOf(reason)) return true;
    for (const session of this.#sessions.values()) if (session.peer === peer) return true;
    return false;
  }

  /** How many are asked for with this reason. */
  wanted(reason: string): number {
    let count = 0;
    for (const want of this.#wants.values()) if (want.reason === reason) count += 1;
    return count;
  }

  /** What this reason asked for is there already. */
  satisfy(peer: string, reason: string): void {
    if (this.#wants.get(peer)?.reason === reason) this.#wants.delete(peer);
  }

  /** Opens what is due and has room. */
  handleTimer(now: number): void {
    this.#follow(now);
    this.#nextTickAt = Infinity;
    let next = Infinity;
    for (const [peer, want] of [...this.#wants]) {
      const known = this.#context.peers.get(peer);
      // A join that was asked for beside the one that made this node ready has nothing to bring any more.
      const isOver = want.reason === "join" && this.#host.ready;
      if (known === undefined || !isReachable(known) || isOver) {
        this.#wants.delete(peer);
        continue;
      }
      const dueAt = this.#dueAt(peer);
      if (dueAt > now) next = Math.min(next, dueAt);
      else if (!this.#hasRoom("opener", want.reason)) next = Math.min(next, now + BUSY_MS);
      else {
        this.#wants.delete(peer);
        this.#open(peer, want.reason, now);
      }
    }
    if (next !== Infinity) this.#tickIn(next - now, now);
  }

  /** A peer opened a stream for an exchange. */
  accept(peer: string, stream: number, now: number): void {
    this.#follow(now);
    const session = new ExchangeSession(this.#host, {
      stream,
      peer,
      role: "server",
      reason: "",
      now,
    });
    let unsettled = 0;
    let ofPeer = 0;
    for (const other of this.#sessions.values()) {
      if (other.reason !== "") continue;
      unsettled += 1;
      if (other.peer === peer) ofPeer += 1;
    }
    this.#sessions.set(stream, session);
    const isFull = unsettled >= MAX_UNSETTLED || ofPeer >= MAX_UNSETTLED_OF_PEER;
    if (isFull) session.refuse(now, "busy", BUSY_MS);
    else session.start(now);
  }

  /** Whether a session that a peer opened is served. */
  admit(
    session: SessionView,
  ): { readonly code: string; readonly retryAfterMs: number } | undefined {
    const { peer, reason, stream } = session;
    const turns = this.#turnsOf(reason);
    if (this.#hasRoom("server", reason, stream) && !turns.isToWait(peer, this.#latest)) {
      turns.began(peer);
      return undefined;
    }
    turns.turnedAway(peer, this.#latest);
    this.#context.metrics.exchangesBusy += 1;
    return { code: "busy", retryAfterMs: BUSY_MS };
  }

  #turnsOf(reason: string): ServeTurns {
    return reason === "join" ? this.#turns.copy : this.#turns.other;
  }

  /** Sets the pace of the pair by what came of a session. */
  finished(session: SessionView, result: ExchangeResult, now: number): void {
    this.#follow(now);
    this.#sessions.delete(session.stream);
    if (session.role === "server" && session.reason !== "" && result.code !== "busy") {
      this.#turnsOf(session.reason).ended(session.peer, now);
    }
    const { metrics } = this.#context;
    metrics.exchangeEntriesSent += session.sent;
    metrics.exchangeEntriesReceived += session.received;
    metrics.exchangeBytesSent += session.bytesSent;
    metrics.exchangeBytesReceived += session.bytesReceived;
    if (result.complete) metrics.exchangesComplete += 1;
    else if (result.code !== "busy") metrics.exchangesIncomplete += 1;
    if (result.code === "misbehaved") {
      tellMisbehaved(this.#context, session.peer, `exchange: ${result.detail}`, now);
    }
    this.#pace(session, result, now);
    if (result.code !== "busy") {
      notify(this.#context, {
        type: "exchanged",
        peer: session.peer,
        role: session.role === "opener" ? "opened" : "served",
        reason: session.reason,
        complete: result.complete,
        code: result.code,
        sent: session.sent,
        received: session.received,
        bytesSent: session.bytesSent,
        bytesReceived: session.bytesReceived,
        elapsedMs: now - session.startedAt,
      });
    }
    if (session.role === "opener" && !result.complete) this.#again(session, result, now);
    if (this.#wants.size > 0) this.#tickIn(0, now);
  }

  #open(peer: string, reason: string, now: number): void {
    const stream = this.#nextStream();
    this.#context.metrics.exchangesOpened += 1;
    const session = new ExchangeSession(this.#host, { stream, peer, role: "opener", reason, now });
    this.#sessions.set(stream, session);
    this.#context.emit({ type: "open-stream", stream, peer, purpose: "exchange" });
  }

  #hasRoom(role: "opener" | "server", reason: string, except = -1): boolean {
    const copy = reason === "join";
    for (const session of this.#sessions.values()) {
      if (session.role !== role || session.stream === except || session.reason === "") continue;
      if ((session.reason === "join") === copy) return false;
    }
    return true;
  }

  #pace(session: SessionView, result: ExchangeResult, now: number): void {
    const pace = this.#paces.get(session.peer);
    const moved = session.sent + session.received > 0 && result.code !== "refused";
    // Doubled while nothing moved that was old enough to be listed (rule 11); refused entries back the
    // pair off too (rule 8).
    const backoffMs =
      moved || pace === undefined ? FIRST_BACKOFF_MS : Math.min(MAX_BACKOFF_MS, pace.backoffMs * 2);
    if (result.code === "busy") return;
    this.#paces.set(session.peer, { endedAt: now, nextAt: now + backoffMs, backoffMs });
  }

  #again(session: SessionView, result: ExchangeResult, now: number): void {
    const { peer, reason } = session;
    if (this.#isAtLimit(session, now) && (result.code === "time" || result.code === "bytes")) {
      this.#paces.delete(peer); // resumed at once: the digest knows where
      this.request(peer, reason, now);
      return;
    }
    // Whoever joins can have it of any ready member: one that is frozen in the middle is known to be so by its
    // pings only later, and whom it asks next is as good.
    const next = reason === "join" ? (this.#otherSource(peer) ?? peer) : peer;
    if (result.code === "busy") {
      const wait = Math.min(MAX_BUSY_MS, Math.max(result.retryAfterMs, BUSY_MS));
      this.request(next, reason, now, wait * (0.5 + this.#context.prng()));
      return;
    }
    if (reason === "periodic" || reason === "operator") return;
    const wait = result.code === "storage" ? STORAGE_MS : BUSY_MS;
    this.request(next, reason, now, wait * this.#context.prng());
  }

  /** A ready member that the copy may come from, other than this one; at random. */
  #otherSource(peer: string): string | undefined {
    const others: string[] = [];
    for (const other of this.#context.peers.values()) {
      if (other.id !== peer && other.ready && isReachable(other)) others.push(other.id);
    }
    return others[Math.floor(this.#context.prng() * others.length)];
  }

  /** Whether a session came near a limit by what was measured here: a peer may say so at once, each time. */
  #isAtLimit(session: SessionView, now: number): boolean {
    const { sessionMs, sessionBytes } = this.#context.options;
    const bytes = session.bytesSent + session.bytesReceived;
    return now - session.startedAt >= sessionMs / 2 || bytes >= sessionBytes / 2;
  }

  #dueAt(peer: string): number {
    const want = this.#wants.get(peer);
    const pace = this.#paces.get(peer);
    const at = want?.at ?? Infinity;
    if (want !== undefined && UNPACED.has(want.reason)) return at;
    if (pace === undefined) return at;
    // At once (rule 11).
    if (want !== undefined && SOON.has(want.reason))
      return Math.max(at, pace.endedAt + FIRST_BACKOFF_MS);
    return Math.max(at, pace.nextAt);
  }

  /** A clock that was set back (rule 8) takes along what is due: it would be an hour off otherwise. */
  #follow(now: number): void {
    const backMs = this.#latest - now;
    this.#latest = now;
    if (!(backMs > 0) || backMs === Infinity) return;
    for (const want of this.#wants.values()) want.at -= backMs;
    for (const pace of this.#paces.values()) {
      pace.endedAt -= backMs;
      pace.nextAt -= backMs;
    }
    this.#nextTickAt -= backMs;
  }

  #tickIn(delayMs: number, now: number): void {
    const delay = Math.max(0, Math.ceil(delayMs));
    if (now + delay >= this.#nextTickAt) return;
    this.#nextTickAt = now + delay;
    this.#context.emit({ type: "schedule", token: "exchange", delayMs: delay });
  }

  /** A member is gone for good: nothing about its pace is kept. */
  forget(peer: string): void {
    this.#wants.delete(peer);
    this.#paces.delete(peer);
  }
}
