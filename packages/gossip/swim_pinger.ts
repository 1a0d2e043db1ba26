import type { Member, Summary } from "@dnd/protocol";
import type { SwimContext } from "./swim_context.ts";
import type { MemberRecord } from "./swim_members.ts";
import { probeTimeout } from "./swim_round_trip.ts";
import type { Destination } from "./swim_types.ts";

const paddedEvery = 10;

/** Makes pings, and knows how long to wait for their acks. */
export class Pinger {
  #context: SwimContext;
  #pings = 0;

  constructor(context: SwimContext) {
    this.#context = context;
  }

  /** One in ten is padded to the full size, so that a small MTU shows (RULES 13). */
  ping(to: Destination, sequence: number, claims: readonly Member[] = []): void {
    const context = this.#context;
    this.#pings += 1;
    context.counters.pingsSent += 1;
    context.send(
      to,
      { type: "ping", sequence, target: to.id ?? "", ...this.summary() },
      {
        claims: to.bootId === undefined ? [] : claims,
        padded: this.#pings % paddedEvery === 0,
      },
    );
  }

  /** The local numbers, if the host has any. */
  summary(): { summary?: Summary } {
    const { summary } = this.#context;
    return summary === undefined ? {} : { summary: summary() };
  }

  /** Buddy (Lifeguard): a suspect hears first of all what is said of it. */
  claimsFor(record: MemberRecord): Member[] {
    const claims: Member[] = [];
    if (!record.introduced) claims.push(this.#context.self.member);
    if (record.member.state !== "alive") claims.push(record.member);
    return claims;
  }

  /** How long to wait for a direct answer, as our own health is. */
  patience(record: MemberRecord): number {
    return this.timeout(record) * this.#context.health.multiplier;
  }

  /** How long an answer takes at most; of somebody unknown as long as that of all. */
  timeout(record: MemberRecord | undefined): number {
    const { timing, trips } = this.#context;
    const bounds = { minMs: timing.minProbeTimeoutMs, maxMs: timing.probeTimeoutMs };
    return probeTimeout(record?.trip ?? trips, trips, bounds);
  }
}
