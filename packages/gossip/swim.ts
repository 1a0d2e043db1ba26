/**
 * SWIM with Lifeguard as a state machine: who is in the cluster, and who of them is alive.
 *
 * The idea. Each node probes one other in each period, in a shuffled order, so the load of a node does
 * not depend on the size of the cluster. Who does not answer is probed through others, then over a
 * stream, and only then accused; an accusation is a rumor that the accused may refute by raising its
 * incarnation; what is not refuted in time becomes a death. All of this rides on the probes themselves.
 *
 * Nothing here opens a socket, sets a timer, reads a clock or draws a random number of its own: each
 * input comes with `now`, and what should happen comes back as effects. So the same machine runs behind
 * a UDP socket, in a worker thread, and a thousand times in one simulation.
 *
 * Which part is where: `swim_transition.ts` who wins, `swim_receiver.ts` packets, `swim_claims.ts` what is
 * said of others and `swim_self_claims.ts` of this node, `swim_prober.ts`, `swim_relays.ts` and
 * `swim_calls.ts` pings, `swim_accuser.ts` suspicion and death, `swim_spreader.ts` and `swim_rumors.ts`
 * gossip, `swim_exchanger.ts` whole tables, `swim_caller.ts` seeds and the dead, `swim_caution.ts` own
 * stalls. This file is the surface, and puts the parts together.
 *
 * Further reading: Das, Gupta, Motivala, *SWIM* (DSN 2002); Dadgar, Phillips, Currey, *Lifeguard* (2017).
 */
import {
  type Envelope,
  type Member,
  MEMBER_READY,
  MEMBER_SKEWED,
  MEMBER_STALLED,
} from "@dnd/protocol";
import { MembershipError } from "./membership_error.ts";
import { Accuser } from "./swim_accuser.ts";
import type { Accusation } from "./swim_accusations.ts";
import { Calls } from "./swim_calls.ts";
import { Caller } from "./swim_caller.ts";
import { Caution } from "./swim_caution.ts";
import { Claims } from "./swim_claims.ts";
import { SwimContext } from "./swim_context.ts";
import { Exchanger } from "./swim_exchanger.ts";
import { Farewell } from "./swim_farewell.ts";
import type { SwimMachine } from "./swim_machine.ts";
import type { MemberRecord } from "./swim_members.ts";
import { checkOptions, type SwimOptions } from "./swim_options.ts";
import { Pinger } from "./swim_pinger.ts";
import { Prober } from "./swim_prober.ts";
import { Receiver } from "./swim_receiver.ts";
import { Relays } from "./swim_relays.ts";
import { baseBytes, memberBytes } from "./swim_size.ts";
import { SelfClaims } from "./swim_self_claims.ts";
import { Spreader } from "./swim_spreader.ts";
import { StreamProbes } from "./swim_stream_probes.ts";
import { isDown } from "./swim_transition.ts";
import type {
  Effect,
  MemberView,
  Source,
  StreamProbeOutcome,
  SwimCounters,
  SwimDependencies,
} from "./swim_types.ts";

const defaultPageBytes = 64 * 1024;

/**
 * See the head of this file and {@linkcode SwimMachine}.
 *
 * @example
 * ```ts
 * import { Swim } from "@dnd/gossip";
 *
 * const swim = new Swim(
 *   {
 *     id: "0123456789abcdef0123456789abcdef",
 *     generation: 1,
 *     bootId: "0123456789abcdef",
 *     address: "10.0.0.1:5000",
 *     seeds: ["10.0.0.2:5000"],
 *   },
 *   { prng: () => 0.5, wall: () => 1_800_000_000_000 },
 * );
 * const effects = swim.start(0); // schedule a probe, resolve the seed, ...
 * ```
 */
export class Swim implements SwimMachine {
  #context: SwimContext;
  #caution: Caution;
  #claims: Claims;
  #streams: StreamProbes;
  #accuser: Accuser;
  #prober: Prober;
  #calls: Calls;
  #exchanger: Exchanger;
  #caller: Caller;
  #receiver: Receiver;
  #self: SelfClaims;
  #farewell: Farewell;
  #maxUpdateBytes: number;

  /**
   * @throws {TypeError} if an id is not lower-case hex of its length, or the address is empty
   * @throws {RangeError} if a number or length is outside its bounds
   */
  constructor(options: SwimOptions, dependencies: SwimDependencies) {
    checkOptions(options);
    const context = new SwimContext(options, dependencies);
    this.#context = context;
    this.#caution = new Caution(context);
    this.#streams = new StreamProbes(context);
    this.#exchanger = new Exchanger(context, (record) => this.#calls.look(record));
    new Spreader(context).attach();
    const pinger = new Pinger(context);
    const relays = new Relays(context, pinger);
    this.#calls = new Calls(context, pinger);
    const parts = {
      caution: this.#caution,
      streams: this.#streams,
      pinger,
      relays,
      calls: this.#calls,
    };
    this.#accuser = new Accuser(context, parts, {
      apply: (claim) => this.#claims.apply(claim, context.self.id, "own"),
      heal: (record) => this.#exchanger.heal(record),
      look: (record) => this.#calls.look(record),
      rumored: (record) => this.#prober.confirm(record),
    });
    this.#prober = new Prober(context, parts, {
      accuse: (record, evidence) => this.#accuser.accuse(record, evidence),
    });
    const viewChanged = (): void => {
      this.#exchanger.viewChanged();
      this.#accuser.recompute();
    };
    this.#self = new SelfClaims(context, viewChanged);
    this.#claims = new Claims(context, this.#self, {
      suspected: (record) => this.#accuser.suspected(record),
      confirmed: (record, claim) => this.#accuser.confirmed(record, claim),
      cleared: (record) => this.#accuser.cleared(record),
      viewChanged,
    });
    this.#caller = new Caller(
      context,
      { calls: this.#calls, exchanger: this.#exchanger },
      (record) => this.#forget(record, dependencies.summary?.().clock ?? 0),
    );
    this.#receiver = new Receiver(context, {
      caution: this.#caution,
      claims: this.#claims,
      self: this.#self,
      prober: this.#prober,
      relays,
      exchanger: this.#exchanger,
      caller: this.#caller,
    });
    this.#farewell = new Farewell(context);
    this.#maxUpdateBytes =
      context.timing.maxDatagramBytes - baseBytes(context.cluster, undefined) - 8;
  }

  /** {@inheritDoc SwimMachine.start} */
  start(now: number): Effect[] {
    return this.#run(now, () => {
      if (this.#context.phase !== "new") return;
      this.#context.self.changedAt = Math.floor(now);
      for (const member of this.#context.options.remembered ?? []) {
        if (member.id === this.#context.self.id) continue;
        this.#claims.apply(settled(member), "", "remembered");
      }
      this.#context.phase = "running";
      this.#prober.start();
      this.#exchanger.start();
      this.#caller.start();
      this.#context.spread(this.#context.self.member);
    });
  }

  /** {@inheritDoc SwimMachine.join} */
  join(seeds: readonly string[], now: number): Effect[] {
    return this.#run(now, () => {
      if (this.#context.phase === "running") this.#caller.addSeeds(seeds);
    });
  }

  /** {@inheritDoc SwimMachine.handleMessage} */
  handleMessage(envelope: Envelope, from: Source, now: number): Effect[] {
    return this.#run(now, () => this.#receiver.receive(envelope, from));
  }

  /** {@inheritDoc SwimMachine.handleTimer} */
  handleTimer(token: number, now: number): Effect[] {
    return this.#run(now, () =>
      this.#context.fire(token, (lateMs) => {
        if (lateMs > this.#caution.thresholdMs) this.#caution.late();
      }),
    );
  }

  /** {@inheritDoc SwimMachine.handleStreamProbe} */
  handleStreamProbe(token: number, outcome: StreamProbeOutcome, now: number): Effect[] {
    return this.#run(now, () => this.#streams.finish(token, outcome));
  }

  /** {@inheritDoc SwimMachine.handleResolved} */
  handleResolved(seed: string, addresses: readonly string[], now: number): Effect[] {
    return this.#run(now, () => this.#caller.handleResolved(seed, addresses));
  }

  /** {@inheritDoc SwimMachine.handleRefused} */
  handleRefused(address: string, now: number): Effect[] {
    return this.#run(now, () => {
      this.#prober.handleRefused(address);
      for (const record of this.#context.table.suspects) {
        if (record.member.address === address) this.#accuser.refused(record);
      }
    });
  }

  /** {@inheritDoc SwimMachine.handleTransportError} */
  handleTransportError(now: number): Effect[] {
    return this.#run(now, () => this.#context.health.add(1));
  }

  /** {@inheritDoc SwimMachine.memberPages} */
  memberPages(maxBytes: number = defaultPageBytes): Member[][] {
    const pages: Member[][] = [];
    let page: Member[] = [];
    let bytes = 0;
    for (const { member } of this.#context.table.values()) {
      const size = memberBytes(member);
      if (page.length > 0 && bytes + size > maxBytes) {
        pages.push(page);
        page = [];
        bytes = 0;
      }
      page.push(member);
      bytes += size;
    }
    pages.push(page);
    return pages;
  }

  /** {@inheritDoc SwimMachine.mergeMembers} */
  mergeMembers(members: readonly Member[], from: { readonly id: string }, now: number): Effect[] {
    return this.#run(now, () => {
      if (this.#context.phase !== "running") return;
      let changes = 0;
      for (const member of members) {
        if (this.#claims.apply(member, from.id, "page")) changes += 1;
      }
      this.#claims.spreadNews();
      this.#exchanger.merged(changes);
    });
  }

  /** {@inheritDoc SwimMachine.broadcast} */
  broadcast(update: Uint8Array, now: number): Effect[] {
    return this.#run(now, () => {
      this.#checkUpdate(update);
      if (this.#context.phase !== "running" || this.#context.table.up.length === 0) return;
      this.#context.rumors.addUpdate(update);
      this.#context.onRumors();
    });
  }

  /** {@inheritDoc SwimMachine.send} */
  send(ids: readonly string[], update: Uint8Array, now: number): Effect[] {
    return this.#run(now, () => {
      this.#checkUpdate(update);
      if (this.#context.phase !== "running") return;
      for (const id of ids) {
        const record = this.#context.table.get(id);
        if (record === undefined || record.bootId === "" || record === this.#context.self) {
          this.#context.counters.updatesDropped += 1;
          continue;
        }
        this.#context.send(this.#context.destination(record), undefined, { updates: [update] });
      }
    });
  }

  /** {@inheritDoc SwimMachine.maxUpdateBytes} */
  get maxUpdateBytes(): number {
    return this.#maxUpdateBytes;
  }

  /** {@inheritDoc SwimMachine.setStalled} */
  setStalled(stalled: boolean, now: number): Effect[] {
    return this.#run(now, () => {
      this.#caution.setStalled(stalled);
      this.#self.setFlag(MEMBER_STALLED, stalled);
    });
  }

  /** {@inheritDoc SwimMachine.setReady} */
  setReady(ready: boolean, now: number): Effect[] {
    return this.#run(now, () => this.#self.setFlag(MEMBER_READY, ready));
  }

  /** {@inheritDoc SwimMachine.setSkewed} */
  setSkewed(skewed: boolean, now: number): Effect[] {
    return this.#run(now, () => this.#self.setFlag(MEMBER_SKEWED, skewed));
  }

  /** {@inheritDoc SwimMachine.setMetadata} */
  setMetadata(metadata: Uint8Array, now: number): Effect[] {
    return this.#run(now, () => this.#self.setMetadata(metadata));
  }

  /** {@inheritDoc SwimMachine.setSeen} */
  setSeen(seen: number): void {
    this.#claims.setSeen(this.#context.self, seen);
  }

  /** {@inheritDoc SwimMachine.leave} */
  leave(now: number, options: { readonly departed?: number } = {}): Effect[] {
    return this.#run(now, () => this.#farewell.end("left", options.departed ?? 0));
  }

  /** {@inheritDoc SwimMachine.stop} */
  stop(now: number): Effect[] {
    return this.#run(now, () => this.#farewell.end("stopped", 0));
  }

  /** {@inheritDoc SwimMachine.forget} */
  forget(id: string, now: number, options: { readonly departed?: number } = {}): Effect[] {
    return this.#run(now, () => {
      const record = this.#context.table.get(id);
      if (record === undefined) {
        throw new MembershipError("unknown-member", `Cannot forget ${id}: no such member`);
      }
      if (record === this.#context.self) {
        throw new MembershipError("self", "Cannot forget this node itself: let it leave");
      }
      if (!isDown(record.member.state)) {
        const { state } = record.member;
        throw new MembershipError("not-dead", `Cannot forget ${id}: it is ${state}, not dead`);
      }
      this.#forget(record, options.departed ?? 0);
    });
  }

  /** {@inheritDoc SwimMachine.raiseGeneration} */
  raiseGeneration(generation: number, now: number): Effect[] {
    return this.#run(now, () => {
      const context = this.#context;
      const { member } = context.self;
      if (!Number.isSafeInteger(generation) || generation <= member.generation) {
        throw new RangeError(
          `Cannot raise the generation: ${generation} is not above ${member.generation}`,
        );
      }
      if (context.phase !== "silent" && context.phase !== "running") return;
      context.phase = "running";
      this.#self.setSelf({ ...member, generation, incarnation: 1 });
      for (const record of context.table.randomUp(3, (other) => other.member.state === "alive")) {
        this.#exchanger.ask(record, "join");
      }
    });
  }

  /** {@inheritDoc SwimMachine.members} */
  members(): MemberView[] {
    return [...this.#context.table.values()].map((record) => this.#context.viewOf(record));
  }

  /** {@inheritDoc SwimMachine.member} */
  member(id: string): MemberView | undefined {
    const record = this.#context.table.get(id);
    return record === undefined ? undefined : this.#context.viewOf(record);
  }

  /** {@inheritDoc SwimMachine.remembered} */
  remembered(): Member[] {
    const { self, table } = this.#context;
    return [...table.values()].filter((record) => record !== self).map((record) => record.member);
  }

  /** {@inheritDoc SwimMachine.accusations} */
  accusations(): Accusation[] {
    return this.#context.accusations.list();
  }

  /** {@inheritDoc SwimMachine.counters} */
  get counters(): Readonly<SwimCounters> {
    return this.#context.counters;
  }

  /** {@inheritDoc SwimMachine.localHealth} */
  get localHealth(): number {
    return this.#context.health.value;
  }

  /** {@inheritDoc SwimMachine.sizes} */
  sizes(): { members: number; ended: number; rumors: number; timers: number; waiting: number } {
    const { table, rumors, timers } = this.#context;
    return {
      members: table.size,
      ended: table.ended,
      rumors: rumors.size,
      timers,
      waiting: this.#prober.waiting,
    };
  }

  #run(now: number, input: () => void): Effect[] {
    return this.#context.run(now, input);
  }

  #checkUpdate(update: Uint8Array): void {
    if (update.length > this.#maxUpdateBytes) {
      throw new RangeError(
        `Cannot send an update of ${update.length} bytes: at most ${this.#maxUpdateBytes} fit a packet`,
      );
    }
  }

  #forget(record: MemberRecord, departed: number): void {
    this.#claims.apply(
      {
        ...record.member,
        state: "forgotten",
        departed: Math.max(departed, record.member.departed),
      },
      this.#context.self.id,
      "own",
    );
  }
}

/** A suspicion does not outlive a restart: it is looked into anew. */
function settled(member: Member): Member {
  return member.state === "suspect"
    ? { ...member, state: "alive", accuser: "", evidence: 0 }
    : member;
}
