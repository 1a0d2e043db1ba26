/**
 * When member tables are exchanged over a stream.
 *
 * Every packet says by a hash whom its sender holds up (`Envelope.view`). So tables that agree cost
 * nothing, and tables that do not are found by any ping. An exchange is asked for
 *
 * - at a join, and again soon while the last ones brought news: so a thousand nodes that start at once
 *   learn of each other in about log2(1000) rounds;
 * - when a member's view differs though nothing changed here for as long as a rumor takes to get round, with
 *   a backoff from 1 s to 30 s while that brings nothing. One that differed before is asked by a ping then:
 *   a node in bad health after a cut hears little by itself;
 * - each `exchangeIntervalMs`, with a random member, if the last view heard differed from ours, and about
 *   once an hour in any case;
 * - with a member that came back from the dead, so that both sides of a healed partition merge.
 */
import type { SwimContext } from "./swim_context.ts";
import type { MemberRecord } from "./swim_members.ts";
import { isUp } from "./swim_transition.ts";
import type { ExchangeEffect, Peer } from "./swim_types.ts";

const firstBackoffMs = 1_000;
const lastBackoffMs = 30_000;
const fullEveryMs = 3_600_000;
const healEveryMs = 1_000;

/** See the head of this file. */
export class Exchanger {
  #context: SwimContext;
  #viewChangedAt = 0;
  #nextDifferenceAt = 0;
  #backoffMs = firstBackoffMs;
  #nextStrangerAt = -Infinity;
  #followUp = false;
  #differs = false;
  #lookTimer = 0;
  #fullAt: number;
  #look: (record: MemberRecord) => void;

  /** @param look pings a member, whose answer will say which view it has */
  constructor(context: SwimContext, look: (record: MemberRecord) => void) {
    this.#context = context;
    this.#look = look;
    this.#fullAt = fullEveryMs * context.prng();
  }

  /** Starts the periodic ones. */
  start(): void {
    this.#fullAt += this.#context.now;
    this.#schedule(0.5 + this.#context.prng());
  }

  /** The table changed. */
  viewChanged(): void {
    this.#viewChangedAt = this.#context.now;
  }

  /** A member's packet said which view it has. */
  handleView(record: MemberRecord, view: number): void {
    const context = this.#context;
    if (view === 0) return;
    this.#differs = view !== context.table.view;
    if (!this.#differs) {
      this.#backoffMs = firstBackoffMs;
      return;
    }
    const { now } = context;
    const quietAt = this.#viewChangedAt + this.#quietMs;
    if (now < quietAt) return this.#lookAgain(record, quietAt - now);
    if (now < this.#nextDifferenceAt) return;
    this.#nextDifferenceAt = now + this.#backoffMs * (0.75 + context.prng() / 2);
    this.#backoffMs = Math.min(lastBackoffMs, 2 * this.#backoffMs);
    this.ask(record, "difference");
  }

  /** Asks for an exchange with a member. */
  ask(record: MemberRecord, reason: ExchangeEffect["reason"]): void {
    this.#emit(this.#context.peer(record), reason);
  }

  /** With a member that came back, or that lives though we suspect it: at most one a second each. */
  heal(record: MemberRecord): void {
    const { now } = this.#context;
    if (record.lastHealAt >= 0 && now - record.lastHealAt < healEveryMs) return;
    record.lastHealAt = Math.floor(now);
    this.ask(record, "heal");
  }

  /** With somebody who knows us and whom we do not know, or not this process: at most one in 250 ms. */
  stranger(peer: Peer): void {
    const { now } = this.#context;
    if (now < this.#nextStrangerAt) return;
    this.#nextStrangerAt = now + 250;
    this.#emit(peer, "heal");
  }

  /** An exchange brought this many changes: if they are many there are more to be had. */
  merged(changes: number): void {
    const context = this.#context;
    if (changes > 0) this.#backoffMs = firstBackoffMs;
    if (this.#followUp || changes < Math.max(2, context.table.up.length / 50)) return;
    this.#followUp = true;
    context.schedule(300 + 500 * context.prng(), () => {
      this.#followUp = false;
      this.#withRandom("join");
    });
  }

  /** Rounds of gossip until all have heard: two, and one for each doubling of the cluster. */
  get #quietMs(): number {
    const { timing, upCount } = this.#context;
    return timing.gossipIntervalMs * (2 + Math.log2(upCount + 1));
  }

  #lookAgain(record: MemberRecord, delayMs: number): void {
    if (this.#lookTimer !== 0) return;
    const context = this.#context;
    const wait = delayMs + context.timing.gossipIntervalMs * context.prng();
    this.#lookTimer = context.schedule(wait, () => {
      this.#lookTimer = 0;
      if (this.#differs && context.phase === "running" && isUp(record.member.state)) {
        this.#look(record);
      }
    });
  }

  #schedule(periods: number): void {
    const { prng, timing } = this.#context;
    this.#context.schedule(timing.exchangeIntervalMs * periods, () => {
      if (this.#context.phase === "ended") return;
      this.#periodic();
      this.#schedule(0.75 + prng() / 2);
    });
  }

  #periodic(): void {
    const full = this.#context.now >= this.#fullAt;
    if (full) this.#fullAt = this.#context.now + fullEveryMs;
    if (full || this.#differs) this.#withRandom("periodic");
  }

  #withRandom(reason: ExchangeEffect["reason"]): void {
    if (this.#context.phase !== "running") return;
    const [record] = this.#context.table.randomUp(1, (other) => other.member.state === "alive");
    if (record !== undefined) this.ask(record, reason);
  }

  #emit(peer: Peer, reason: ExchangeEffect["reason"]): void {
    if (this.#context.phase !== "running") return;
    this.#context.counters.exchangesAsked += 1;
    this.#context.emit({ type: "exchange", peer, reason });
  }
}
