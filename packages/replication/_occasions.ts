import { ALGORITHM } from "@dnd/store/engine";
import type { Summary } from "@dnd/protocol";
import { SUMMARY_ANCHORED, SUMMARY_DROPPED, SUMMARY_STALLED } from "@dnd/protocol";
import type { Context, Peer } from "./_context.ts";
import { isReachable, promiseLimit } from "./_context.ts";
import type { Comparison } from "./difference_detector.ts";
import { DifferenceDetector } from "./difference_detector.ts";
import type { Exchanges } from "./_exchanges.ts";
import type { Promises } from "./_promises.ts";
import type { Readiness } from "./_readiness.ts";

/** What is dropped comes in bursts: the exchange begins so long after the first. */
const DROPPED_MS = 50;

/** Who is back is exchanged with after this time at most; jittered, for the others do the same. */
const RETURNED_MS = 500;

/** So many of those who are back at a time: in a large cluster the pings say who still differs after that. */
const MAX_RETURNED = 3;

/** The parts that decide it. */
export interface OccasionsParts {
  readonly promises: Promises;
  readonly readiness: Readiness;
  readonly exchanges: Exchanges;
}

/**
 * When an exchange is asked for (rule 11): a digest in a ping differs for long enough, rumors were dropped
 * here or there, a member is back that was out of reach, one came into reach before this node was ready
 * (rule 12), or none was for a while.
 */
export class Occasions {
  readonly #context: Context;
  readonly #parts: OccasionsParts;
  readonly #differences: DifferenceDetector;

  /** The digest that a member showed last, when it was not ours. */
  readonly #shown = new Map<string, Uint8Array>();

  /** When all that a member lacked had been told, for certain. */
  readonly #completeAt = new Map<string, number>();

  constructor(context: Context, parts: OccasionsParts) {
    this.#context = context;
    this.#parts = parts;
    this.#differences = new DifferenceDetector({ self: context.map.node, prng: context.prng });
  }

  /** A ping or an ack of a member says what it holds. */
  compare(from: string, summary: Omit<Summary, "extra">, ready: boolean, now: number): void {
    const { map, table, metrics, prng } = this.#context;
    const { promises, readiness, exchanges } = this.#parts;
    const peer = this.#context.peers.get(from);
    const alike = summary.algorithm === ALGORITHM && summary.scope.length === 0;
    if (alike && ready && readiness.ready && summary.horizon > map.horizon) {
      // Proven by a ready member, and we have seen everything up to it: no exchange needed.
      if (table.announcedSeen >= summary.horizon) promises.adoptHorizon(summary.horizon);
    }
    let result: Comparison = "incomparable";
    if (alike && summary.horizon === map.horizon) {
      result = equalBytes(summary.digest, map.digest()) ? "equal" : "different";
    } else if (alike && ready && summary.horizon > map.horizon) {
      result = "different"; // we missed reaped deletes: only an exchange helps (rule 1)
    }
    if (result === "equal") {
      this.#equal(from, summary, ready, now);
      return;
    }
    if (peer === undefined || !isReachable(peer)) return;
    if (!readiness.ready || !ready) {
      this.greet(peer, now);
      return;
    }
    if (result === "different") metrics.digestsDifferent += 1;
    const urgent = (summary.flags & SUMMARY_DROPPED) !== 0 && result === "different";
    if (urgent && !exchanges.isWanted(from, "dropped")) {
      exchanges.request(from, "dropped", now, prng() * DROPPED_MS);
    }
    const stalled = (summary.flags & SUMMARY_STALLED) !== 0;
    if (result === "different" && this.#isFollowing(from, summary, now)) {
      metrics.digestsFollowing += 1;
      this.#differences.observe(from, "equal", now);
      return;
    }
    const delay = this.#differences.observe(from, stalled ? "incomparable" : result, now);
    if (delay !== undefined && !exchanges.isWanted(from)) {
      exchanges.request(from, "difference", now, delay);
    }
  }

  /**
   * Whether the two only differ by what is on its way: the peer shows a digest that we had a moment ago, or we
   * have had by now the one that it showed last. So nothing that differs has lasted (rule 11).
   */
  #isFollowing(from: string, summary: Omit<Summary, "extra">, now: number): boolean {
    const { recent, map } = this.#context;
    if (summary.horizon !== map.horizon) return false;
    const shownBefore = this.#shown.get(from);
    this.#shown.set(from, summary.digest.slice());
    recent.note(map.digest(), now);
    if (recent.had(summary.digest, now)) return true;
    return shownBefore !== undefined && recent.had(shownBefore, now);
  }

  /** Equal digests are a complete exchange (rule 1). */
  #equal(from: string, summary: Omit<Summary, "extra">, ready: boolean, now: number): void {
    const { table, metrics } = this.#context;
    metrics.digestsEqual += 1;
    const cutoff = promiseLimit(this.#context, now);
    table.complete(from, { clock: summary.clock, seen: summary.seen, cutoff });
    this.#completeAt.set(from, now);
    const anchored = (summary.flags & SUMMARY_ANCHORED) !== 0;
    this.#parts.readiness.handleComplete(from, { ready, anchored }, now);
    this.#parts.promises.touch();
    this.#differences.observe(from, "equal", now);
    this.#shown.delete(from);
    this.#parts.exchanges.satisfy(from, "healed");
  }

  /** An exchange that began at this time was complete. */
  handleComplete(peer: string, startedAt: number): void {
    this.#completeAt.set(peer, startedAt);
  }

  /** A member is out of reach. */
  reset(peer: string): void {
    this.#differences.reset(peer);
    this.#shown.delete(peer);
  }

  /** A member is gone for good. */
  forget(peer: string): void {
    this.reset(peer);
    this.#completeAt.delete(peer);
  }

  /** A member came into reach. A node that is not ready exchanges with it at once (rule 12). */
  greet(peer: Peer, now: number): void {
    const { promises, exchanges } = this.#parts;
    if (promises.ready || exchanges.isWanted(peer.id)) return;
    // Of two that are not ready the smaller id opens.
    if (!peer.ready && peer.id < this.#context.map.node) return;
    const busy = [...exchanges.sessions.values()].some(
      (session) => session.role === "opener" && session.reason === "join",
    );
    // One that is asked for is of a member that was chosen: the last one may have been silent.
    if (!busy && exchanges.wanted("join") === 0) exchanges.request(peer.id, "join", now);
  }

  /**
   * A member that was out of reach is back. No rumor was told it meanwhile, nor one of its own to us: as if they had
   * been dropped, this need not last for two seconds first (rule 11). Of two the smaller id opens.
   */
  handleReturn(peer: Peer, now: number): void {
    const { readiness, exchanges } = this.#parts;
    if (!readiness.ready || !peer.ready || peer.id < this.#context.map.node) return;
    if (exchanges.isWanted(peer.id, "healed") || exchanges.wanted("healed") >= MAX_RETURNED) return;
    exchanges.request(peer.id, "healed", now, RETURNED_MS * this.#context.prng());
  }

  /** {@linkcode Occasions.greet} of all that are in reach. */
  greetAll(now: number): void {
    for (const peer of this.#context.peers.values()) if (isReachable(peer)) this.greet(peer, now);
  }

  /** Rule 11: the others exchange with us at once; that they have to need not wait for a ping. */
  handleDropped(now: number, id?: string): void {
    const { readiness, exchanges } = this.#parts;
    if (!readiness.ready) return;
    for (const peer of this.#context.peers.values()) {
      if (id !== undefined && peer.id !== id) continue;
      if (!isReachable(peer) || !peer.ready || exchanges.isWanted(peer.id, "dropped")) continue;
      exchanges.request(peer.id, "dropped", now, DROPPED_MS * (1 + this.#context.prng()));
    }
  }

  /** Whether some reachable member may lack what was dropped at this time; 0: never. */
  isUntold(droppedAt: number): boolean {
    if (droppedAt === 0) return false;
    for (const peer of this.#context.peers.values()) {
      if (isReachable(peer) && (this.#completeAt.get(peer.id) ?? 0) <= droppedAt) return true;
    }
    return false;
  }

  /** Exchanges with somebody from time to time, whatever the digests say. */
  handlePeriodic(now: number): void {
    this.schedulePeriodic();
    const { exchanges } = this.#parts;
    const { peers, prng } = this.#context;
    const ready = [...peers.values()].filter((peer) => isReachable(peer) && peer.ready);
    const chosen = ready[Math.floor(prng() * ready.length)];
    if (chosen !== undefined && !exchanges.isWanted(chosen.id)) {
      exchanges.request(chosen.id, "periodic", now);
    }
  }

  schedulePeriodic(): void {
    const delayMs = this.#context.options.periodicMs * (0.5 + this.#context.prng());
    this.#context.emit({ type: "schedule", token: "periodic", delayMs });
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (const [i, byte] of a.entries()) if (byte !== b[i]) return false;
  return true;
}
