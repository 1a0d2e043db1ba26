/**
 * Failure detection: one member is probed in each protocol period.
 *
 *     0              ping                       to the member
 *     T              no ack: ping again         to "whoever is there": it may have restarted, and a
 *                                               single lost packet is the likeliest cause
 *     2T             no ack: ping-request       to k others, with nacks (Lifeguard)
 *                    and a stream probe         UDP may be the thing that is broken
 *     4T + min       neither: accuse            at once if the connection is refused
 *
 * `T` follows measured round trips (`swim_round_trip.ts`) and local health. An ack counts only from the id
 * that was probed, or through one of those that were asked (RULES 21). Because the stream is tried before
 * anybody is accused, a loss of packets that leaves TCP working makes next to no suspicions, and no rumor
 * of one has to go round.
 */
import {
  type Ack,
  type Envelope,
  EVIDENCE_NACK,
  EVIDENCE_NO_ACK,
  EVIDENCE_NO_INDIRECT_ACK,
  EVIDENCE_REFUSED,
  EVIDENCE_STREAM_FAILED,
  type Member,
  type Nack,
  type Ping,
  type PingRequest,
} from "@dnd/protocol";
import type { Caution } from "./swim_caution.ts";
import type { SwimContext } from "./swim_context.ts";
import type { MemberRecord } from "./swim_members.ts";
import { addRoundTrip, newRoundTrip, probeTimeout } from "./swim_round_trip.ts";
import type { StreamProbes } from "./swim_stream_probes.ts";
import type { Destination, Source } from "./swim_types.ts";
import { isUp } from "./swim_transition.ts";

interface Probe {
  readonly type: "probe";
  readonly sequence: number;
  readonly record: MemberRecord;
  readonly sentAt: number;
  readonly helpers: string[];
  nacks: number;
  evidence: number;
  retried: boolean;

  /** Neither it nor those that were asked answered in time. */
  silent: boolean;
  timer: number;
}

/** A ping on behalf of somebody else. */
interface Relay {
  readonly type: "relay";
  readonly target: string;
  readonly asker: Destination;
  readonly sequence: number;
  readonly timer: number;
}

/** A ping to somebody who is no live member: a seed, a dead one, a remembered one. */
export interface Call {
  readonly type: "call";

  /** Id that is to answer; `""` = whoever is there. */
  readonly target: string;
  readonly sentAt: number;
  readonly timer: number;
  readonly answered: (id: string) => void;
}

/** What the prober needs from the other parts. */
export interface ProberHooks {
  accuse(record: MemberRecord, evidence: number): void;
}

const maxRelays = 256;
const maxCalls = 256;
const paddedEvery = 10;

/** See the head of this file. */
export class Prober {
  #context: SwimContext;
  #caution: Caution;
  #streams: StreamProbes;
  #hooks: ProberHooks;
  #waiting: Map<number, Probe | Relay | Call> = new Map();
  #probed: Map<string, Probe> = new Map();
  #relays = 0;
  #calls = 0;
  #pings = 0;
  #remindTimer = 0;

  constructor(
    context: SwimContext,
    parts: { readonly caution: Caution; readonly streams: StreamProbes },
    hooks: ProberHooks,
  ) {
    this.#context = context;
    this.#caution = parts.caution;
    this.#streams = parts.streams;
    this.#hooks = hooks;
  }

  /** Starts the periods, at a random moment of the first one. */
  start(): void {
    const context = this.#context;
    this.#schedule(context.prng() * context.timing.probeIntervalMs);
  }

  /** Answers that are waited for. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** A suspicion was heard: four members in the whole cluster look for themselves, at random. */
  confirm(record: MemberRecord): void {
    const context = this.#context;
    if (context.prng() * context.table.up.length < 4) this.#probe(record);
  }

  /** Pings a member outside the rounds, for what its answer says beside that it lives. */
  look(record: MemberRecord): void {
    this.call(this.#context.destination(record), nothing, nothing, this.#claimsFor(record));
  }

  /** Pings an address outside the rounds. Returns false when too many calls wait already. */
  call(
    to: Destination,
    answered: (id: string) => void,
    silent: () => void,
    claims: readonly Member[] = [],
  ): boolean {
    const context = this.#context;
    if (this.#calls >= maxCalls) return false;
    const sequence = context.nextSequence();
    const timer = context.schedule(2 * context.timing.probeTimeoutMs, () => {
      if (this.#waiting.delete(sequence)) this.#calls -= 1;
      silent();
    });
    const target = to.id ?? "";
    this.#calls += 1;
    this.#waiting.set(sequence, { type: "call", target, sentAt: context.now, timer, answered });
    this.#ping(to, sequence, claims);
    return true;
  }

  /** A ping from somebody who knows our id and boot id, or (`record` absent) from whoever it is. */
  handlePing(ping: Ping, envelope: Envelope, from: Source): void {
    const context = this.#context;
    if (ping.target !== "" && ping.target !== context.self.id) return;
    const record = context.table.get(envelope.senderId);
    const claims: Member[] = [];
    if (record === undefined || !from.directed) claims.push(context.self.member);
    if (record !== undefined && !isAlive(record)) claims.push(record.member);
    const to = { address: from.address, id: envelope.senderId, bootId: from.bootId };
    const { sequence } = ping;
    context.send(
      to,
      { type: "ack", sequence, target: "", ...this.#summary() },
      { claims, rumors: from.directed },
    );
  }

  /** An ack. Its sender's claims are in the table already. */
  handleAck(ack: Ack, envelope: Envelope): void {
    const context = this.#context;
    const waiting = this.#waiting.get(ack.sequence);
    const sender = envelope.senderId;
    if (waiting === undefined) {
      context.counters.unexpectedAnswers += 1;
      return;
    }
    context.counters.acksReceived += 1;
    switch (waiting.type) {
      case "probe":
        if (sender === waiting.record.id && ack.target === "")
          this.#succeed(waiting, ack, envelope);
        else if (ack.target === waiting.record.id && waiting.helpers.includes(sender)) {
          context.counters.indirectAcks += 1;
          this.#succeed(waiting, undefined, envelope);
        } else context.counters.unexpectedAnswers += 1;
        return;
      case "relay":
        if (sender !== waiting.target) return;
        this.#endRelay(ack.sequence, waiting);
        context.send(waiting.asker, {
          type: "ack",
          sequence: waiting.sequence,
          target: waiting.target,
        });
        return;
      case "call":
        if (waiting.target !== "" && sender !== waiting.target) return;
        this.#waiting.delete(ack.sequence);
        this.#calls -= 1;
        context.cancel(waiting.timer);
        waiting.answered(sender);
    }
  }

  /** A member asks us to probe another one. */
  handlePingRequest(request: PingRequest, envelope: Envelope, from: Source): void {
    const context = this.#context;
    const asker = context.table.get(envelope.senderId);
    const known = context.table.get(request.target);
    const address = known?.member.address ?? request.address;
    if (asker === undefined || this.#relays >= maxRelays || !isAddress(address)) {
      context.counters.relaysRefused += 1;
      return;
    }
    if (request.target.length !== 32 || request.target === context.self.id) return;
    const to = known === undefined ? { address, id: request.target } : context.destination(known);
    const back = { address: from.address, id: asker.id, bootId: from.bootId };
    const sequence = context.nextSequence();
    const timer = context.schedule(this.#timeout(known), () => {
      const relay = this.#waiting.get(sequence);
      if (relay?.type !== "relay") return;
      this.#endRelay(sequence, relay);
      if (!request.nack) return;
      const nack = { sequence: request.sequence, target: request.target };
      context.send(back, { type: "nack", ...nack });
    });
    this.#relays += 1;
    this.#waiting.set(sequence, {
      type: "relay",
      target: request.target,
      asker: back,
      sequence: request.sequence,
      timer,
    });
    this.#ping(to, sequence);
  }

  /** One that we asked says that it got no answer: it works, and so does our way to it. */
  handleNack(nack: Nack, envelope: Envelope): void {
    const probe = this.#waiting.get(nack.sequence);
    if (probe?.type !== "probe" || probe.record.id !== nack.target) return;
    const place = probe.helpers.indexOf(envelope.senderId);
    if (place < 0 || probe.nacks >= probe.helpers.length) return;
    probe.nacks += 1;
  }

  /** Nobody listens at this address: no need to wait for an answer from it. */
  handleRefused(address: string): void {
    for (const probe of [...this.#probed.values()]) {
      if (probe.record.member.address !== address || probe.retried) continue;
      probe.evidence |= EVIDENCE_REFUSED;
      this.#context.cancel(probe.timer);
      this.#askOthers(probe);
    }
  }

  #schedule(delayMs: number): void {
    this.#context.schedule(delayMs, () => {
      if (this.#context.phase === "ending" || this.#context.phase === "ended") return;
      this.#caution.endRound();
      this.#schedule(this.#context.timing.probeIntervalMs * this.#context.health.multiplier);
      if (this.#context.phase !== "running") return;
      const record = this.#context.table.nextToProbe();
      if (record !== undefined) this.#probe(record);
    });
  }

  /**
   * One that we accused hears of it again each `probeIntervalMs`, however bad our health is: in a short cut
   * all our rumors may have been lost, and then nobody else would clear it before its time is up.
   */
  #remind(): void {
    if (this.#remindTimer !== 0) return;
    this.#remindTimer = this.#context.schedule(this.#context.timing.probeIntervalMs, () => {
      this.#remindTimer = 0;
      const record = this.#context.phase === "running" ? this.#leastReminded() : undefined;
      if (record?.suspicion === undefined) return;
      record.suspicion.remindedAt = this.#context.now;
      if (!this.#probed.has(record.id)) this.look(record);
      this.#remind();
    });
  }

  #leastReminded(): MemberRecord | undefined {
    let least: MemberRecord | undefined;
    let at = Infinity;
    for (const record of this.#context.table.suspects) {
      const { suspicion } = record;
      if (suspicion?.own !== true || suspicion.remindedAt >= at) continue;
      least = record;
      at = suspicion.remindedAt;
    }
    return least;
  }

  #probe(record: MemberRecord): void {
    if (this.#probed.has(record.id)) return;
    const context = this.#context;
    const sequence = context.nextSequence();
    const probe: Probe = {
      type: "probe",
      sequence,
      record,
      sentAt: context.now,
      helpers: [],
      nacks: 0,
      evidence: 0,
      retried: false,
      silent: false,
      timer: 0,
    };
    this.#waiting.set(sequence, probe);
    this.#probed.set(record.id, probe);
    this.#ping(context.destination(record), sequence, this.#claimsFor(record));
    this.#waitForAck(probe);
  }

  #waitForAck(probe: Probe): void {
    probe.timer = this.#context.schedule(this.#patience(probe.record), () => this.#retry(probe));
  }

  /** A second ping, as if we knew nothing of it: it costs a tenth of asking others. */
  #retry(probe: Probe): void {
    const { record, sequence } = probe;
    if (!isUp(record.member.state)) return this.#end(probe);
    probe.retried = true;
    this.#ping({ address: record.member.address, id: record.id }, sequence);
    probe.timer = this.#context.schedule(this.#patience(record), () => this.#askOthers(probe));
  }

  #askOthers(probe: Probe): void {
    const context = this.#context;
    const { record, sequence } = probe;
    if (!isUp(record.member.state)) return this.#end(probe);
    probe.evidence |= EVIDENCE_NO_ACK;
    probe.retried = true;
    const { address } = record.member;
    const helpers = context.table.randomUp(
      context.timing.indirectProbes,
      (other) => other !== record && other.member.state === "alive" && other.bootId !== "",
    );
    for (const helper of helpers) {
      probe.helpers.push(helper.id);
      context.send(context.destination(helper), {
        type: "pingRequest",
        sequence,
        target: record.id,
        address,
        nack: true,
      });
    }
    const waitMs = 2 * this.#patience(record) + context.timing.minProbeTimeoutMs;
    probe.timer = context.schedule(waitMs, () => this.#endWait(probe));
    this.#tryStream(probe);
  }

  /** Nobody reached it by UDP in time. */
  #endWait(probe: Probe): void {
    const owed = probe.helpers.length;
    if (owed > 0) probe.evidence |= EVIDENCE_NO_INDIRECT_ACK;
    if (probe.nacks > 0) probe.evidence |= EVIDENCE_NACK;
    this.#context.health.add(owed > 0 ? owed - probe.nacks : 1);
    probe.silent = true;
    if ((probe.evidence & EVIDENCE_STREAM_FAILED) !== 0) this.#fail(probe);
  }

  /** At the same time as others are asked: it is seldom needed, and then each moment counts. */
  #tryStream(probe: Probe): void {
    this.#streams.start(probe.record, (outcome) => {
      if (this.#waiting.get(probe.sequence) !== probe) return;
      if (outcome === "ok") return this.#end(probe);
      probe.evidence |= EVIDENCE_STREAM_FAILED;
      if (outcome === "refused") probe.evidence |= EVIDENCE_REFUSED;
      if (probe.silent || outcome === "refused") this.#fail(probe);
    });
  }

  #fail(probe: Probe): void {
    this.#end(probe);
    if (!isUp(probe.record.member.state)) return;
    this.#context.counters.probesFailed += 1;
    const refused = (probe.evidence & EVIDENCE_REFUSED) !== 0;
    if (!refused && !this.#caution.trusts(probe.sentAt)) return;
    this.#hooks.accuse(probe.record, probe.evidence);
    this.#remind();
  }

  #succeed(probe: Probe, direct: Ack | undefined, envelope: Envelope): void {
    const context = this.#context;
    this.#end(probe);
    context.health.add(-1);
    if (direct === undefined) return;
    probe.record.introduced = true;
    const rttMs = context.now - probe.sentAt;
    if (!probe.retried) {
      const { record } = probe;
      if (record.trip.samples === 0) record.trip = newRoundTrip();
      addRoundTrip(record.trip, rttMs);
      addRoundTrip(context.trips, rttMs);
    }
    if (direct.summary === undefined) return;
    const { wall } = envelope;
    const from = probe.record.id;
    context.notify({ type: "summary", from, summary: direct.summary, wall, rttMs });
  }

  #end(probe: Probe): void {
    this.#context.cancel(probe.timer);
    this.#waiting.delete(probe.sequence);
    if (this.#probed.get(probe.record.id) === probe) this.#probed.delete(probe.record.id);
  }

  #endRelay(sequence: number, relay: Relay): void {
    this.#context.cancel(relay.timer);
    this.#waiting.delete(sequence);
    this.#relays -= 1;
  }

  #ping(to: Destination, sequence: number, claims: readonly Member[] = []): void {
    const context = this.#context;
    this.#pings += 1;
    context.counters.pingsSent += 1;
    context.send(
      to,
      { type: "ping", sequence, target: to.id ?? "", ...this.#summary() },
      {
        claims: to.bootId === undefined ? [] : claims,
        padded: this.#pings % paddedEvery === 0,
      },
    );
  }

  #summary(): { summary?: ReturnType<NonNullable<SwimContext["summary"]>> } {
    const { summary } = this.#context;
    return summary === undefined ? {} : { summary: summary() };
  }

  /** Buddy (Lifeguard): a suspect hears first of all what is said of it. */
  #claimsFor(record: MemberRecord): Member[] {
    const claims: Member[] = [];
    if (!record.introduced) claims.push(this.#context.self.member);
    if (!isAlive(record)) claims.push(record.member);
    return claims;
  }

  /** How long to wait for a direct answer, as our own health is. */
  #patience(record: MemberRecord): number {
    return this.#timeout(record) * this.#context.health.multiplier;
  }

  #timeout(record: MemberRecord | undefined): number {
    const { timing, trips } = this.#context;
    const bounds = { minMs: timing.minProbeTimeoutMs, maxMs: timing.probeTimeoutMs };
    return probeTimeout(record?.trip ?? trips, trips, bounds);
  }
}

function isAlive(record: MemberRecord): boolean {
  return record.member.state === "alive";
}

function isAddress(address: string): boolean {
  return address !== "" && address.length <= 255;
}

function nothing(): void {}
