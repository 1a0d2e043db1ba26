import type { Summary } from "@dnd/protocol";
import { SUMMARY_AWAITS_SEEDS, SUMMARY_READY, SUMMARY_STALLED } from "@dnd/protocol";
import type { ClockCheck } from "./_clock_check.ts";
import type { Context, Peer } from "./_context.ts";
import { isReachable } from "./_context.ts";
import type { Exchanges } from "./_exchanges.ts";
import { placeOf, type ExchangeWiring } from "./_exchange_wiring.ts";
import type { Occasions } from "./_occasions.ts";
import type { Promises } from "./_promises.ts";
import type { Pushes } from "./_pushes.ts";
import type { Readiness } from "./_readiness.ts";
import type { MemberNews } from "./replicator_types.ts";

/** The parts that what is said of members concerns. */
export interface MembershipParts {
  readonly promises: Promises;
  readonly readiness: Readiness;
  readonly exchanges: Exchanges;
  readonly wiring: ExchangeWiring;
  readonly occasions: Occasions;
  readonly clockCheck: ClockCheck;
  readonly pushes: Pushes;
}

/** What the membership layer says of the members, and what they say of themselves in their pings. */
export class Membership {
  readonly #context: Context;
  readonly #peers: Map<string, Peer>;
  readonly #parts: MembershipParts;

  /** @param peers the context's, which are kept here */
  constructor(context: Context, peers: Map<string, Peer>, parts: MembershipParts) {
    this.#context = context;
    this.#peers = peers;
    this.#parts = parts;
  }

  /** The numbers of a ping or an ack of a member came (rule 11). */
  handleSummary(
    from: string,
    summary: Omit<Summary, "extra">,
    { now, wall, rttMs }: { readonly now: number; readonly wall?: number; readonly rttMs?: number },
  ): void {
    const { time, table, map } = this.#context;
    if (from === map.node) return;
    if (wall !== undefined) {
      time.observe(from, { wall, now, ...(rttMs === undefined ? {} : { rttMs }) });
    }
    this.#parts.clockCheck.run(now);
    this.#parts.readiness.handleContact();
    const ready = (summary.flags & SUMMARY_READY) !== 0;
    const peer = this.#peers.get(from);
    if (peer !== undefined) {
      peer.ready = ready;
      peer.stalled = (summary.flags & SUMMARY_STALLED) !== 0;
      peer.awaitsSeeds = (summary.flags & SUMMARY_AWAITS_SEEDS) !== 0;
    }
    table.merge(from, {
      state: "in",
      generation: summary.generation,
      departed: 0,
      seen: summary.seen,
      ready,
    });
    if (!table.isIn(from)) return;
    this.#parts.occasions.compare(from, summary, ready, now);
    if (!this.#parts.promises.anchored) this.#parts.readiness.handleMembers(now);
  }

  /** The membership layer says something new of a member. */
  handleMember(news: MemberNews, now: number): void {
    const { table, map, time } = this.#context;
    const { id, state, generation, seen = 0, departed = 0 } = news;
    if (id === map.node) {
      this.#parts.wiring.handleOwnRecord({ state, generation }, { peer: "", mutual: false, now });
      return;
    }
    const place = placeOf(state);
    if (table.merge(id, { state: place, generation, departed, seen, ready: news.ready })) {
      this.#parts.promises.touch();
    }
    let peer = this.#peers.get(id);
    const isKnown = peer !== undefined;
    if (peer === undefined) {
      peer = { id, state, stalled: false, ready: false };
      this.#peers.set(id, peer);
    }
    const was = isReachable(peer);
    peer.state = state;
    peer.stalled = news.stalled ?? peer.stalled;
    peer.ready = table.records.get(id)?.ready ?? false;
    if (place === "forgotten") this.#context.metrics.forgottenMembers += 1;
    if (!isReachable(peer)) {
      time.forget(id);
      this.#parts.occasions.reset(id);
      if (was) this.#parts.pushes.handleUnreachable(id, now);
      if (place !== "in") this.#parts.exchanges.forget(id);
    } else if (!was || !this.#parts.promises.ready) {
      this.#parts.readiness.handleContact();
      this.#parts.occasions.greet(peer, now);
      if (isKnown && !was) this.#parts.occasions.handleReturn(peer, now);
    }
    this.#parts.readiness.handleMembers(now);
  }

  /** A member fell out of the membership layer's bounded list; it counts as forgotten now. */
  handleRemoved(id: string, now: number): void {
    const { table, map } = this.#context;
    const record = table.records.get(id);
    this.#peers.delete(id);
    this.#parts.exchanges.forget(id);
    this.#parts.occasions.forget(id);
    if (record === undefined || record.state !== "in") return;
    const departed = map.clock({ now });
    table.merge(id, { ...record, state: "forgotten", departed });
    this.#parts.promises.touch();
  }
}
