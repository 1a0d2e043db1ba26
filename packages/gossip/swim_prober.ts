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
} from "@dnd/protocol";
import type { Caution } from "./swim_caution.ts";
import type { SwimContext } from "./swim_context.ts";
import type { Calls } from "./swim_calls.ts";
import type { MemberRecord } from "./swim_members.ts";
import type { Pinger } from "./swim_pinger.ts";
import type { Relays } from "./swim_relays.ts";
import { Reminder } from "./swim_reminder.ts";
import { addRoundTrip, newRoundTrip } from "./swim_round_trip.ts";
import type { StreamProbes } from "./swim_stream_probes.ts";
import type { Source } from "./swim_types.ts";
import { isUp } from "./swim_transition.ts";

interface Probe {
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

/** The parts of a node that a prober works with. */
export interface ProberParts {
  readonly caution: Caution;
  readonly streams: StreamProbes;
  readonly pinger: Pinger;
  readonly relays: Relays;
  readonly calls: Calls;
}

/** What the prober needs from the other parts. */
export interface ProberHooks {
  accuse(record: MemberRecord, evidence: number): void;
}

/** See the head of this file. */
export class Prober {
  #context: SwimContext;
  #caution: Caution;
  #streams: StreamProbes;
  #pinger: Pinger;
  #relays: Relays;
  #calls: Calls;
  #reminder: Reminder;
  #hooks: ProberHooks;
  #waiting: Map<number, Probe> = new Map();
  #probed: Map<string, Probe> = new Map();

  constructor(context: SwimContext, parts: ProberParts, hooks: ProberHooks) {
    this.#context = context;
    this.#caution = parts.caution;
    this.#streams = parts.streams;
    this.#pinger = parts.pinger;
    this.#relays = parts.relays;
    this.#calls = parts.calls;
    this.#reminder = new Reminder(context, parts.calls);
    this.#hooks = hooks;
  }

  /** Starts the periods, at a random moment of the first one. */
  start(): void {
    const context = this.#context;
    this.#schedule(context.prng() * context.timing.probeIntervalMs);
  }

  /** Answers that are waited for. */
  get waiting(): number {
    return this.#waiting.size + this.#relays.size + this.#calls.size;
  }

  /** A suspicion was heard: four members in the whole cluster look for themselves, at random. */
  confirm(record: MemberRecord): void {
    const context = this.#context;
    if (context.prng() * context.table.up.length < 4) this.#probe(record);
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
      { type: "ack", sequence, target: "", ...this.#pinger.summary() },
      { claims, rumors: from.directed },
    );
  }

  /** An ack. Its sender's claims are in the table already. */
  handleAck(ack: Ack, envelope: Envelope): void {
    const { counters } = this.#context;
    const sender = envelope.senderId;
    const probe = this.#waiting.get(ack.sequence);
    if (probe === undefined) {
      const taken = this.#relays.handleAck(ack, sender) || this.#calls.handleAck(ack, sender);
      if (taken) counters.acksReceived += 1;
      else counters.unexpectedAnswers += 1;
      return;
    }
    counters.acksReceived += 1;
    if (sender === probe.record.id && ack.target === "") {
      this.#succeed(probe, ack, envelope);
    } else if (ack.target === probe.record.id && probe.helpers.includes(sender)) {
      counters.indirectAcks += 1;
      this.#succeed(probe, undefined, envelope);
    } else {
      counters.unexpectedAnswers += 1;
    }
  }

  /** One that we asked says that it got no answer: it works, and so does our way to it. */
  handleNack(nack: Nack, envelope: Envelope): void {
    const probe = this.#waiting.get(nack.sequence);
    if (probe === undefined || probe.record.id !== nack.target) return;
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

  #probe(record: MemberRecord): void {
    if (this.#probed.has(record.id)) return;
    const context = this.#context;
    const sequence = context.nextSequence();
    const probe: Probe = {
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
    this.#pinger.ping(context.destination(record), sequence, this.#pinger.claimsFor(record));
    this.#waitForAck(probe);
  }

  #waitForAck(probe: Probe): void {
    probe.timer = this.#context.schedule(this.#pinger.patience(probe.record), () =>
      this.#retry(probe),
    );
  }

  /** A second ping, as if we knew nothing of it: it costs a tenth of asking others. */
  #retry(probe: Probe): void {
    const { record, sequence } = probe;
    if (!isUp(record.member.state)) return this.#end(probe);
    probe.retried = true;
    this.#pinger.ping({ address: record.member.address, id: record.id }, sequence);
    probe.timer = this.#context.schedule(this.#pinger.patience(record), () =>
      this.#askOthers(probe),
    );
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
    const waitMs = 2 * this.#pinger.patience(record) + context.timing.minProbeTimeoutMs;
    probe.timer = context.schedule(waitMs, () => this.#endWait(probe));
    this.#tryStream(probe);
  }

  /** Nobody reached it by UDP in time. */
  #endWait(probe: Probe): void {
    const owed = probe.helpers.length;
    if (owed > 0) probe.evidence |= EVIDENCE_NO_INDIRECT_ACK;
    if (probe.nacks > 0) probe.evidence |= EVIDENCE_NACK;
    // Other than the paper: one nack in time says that we hear. Helpers that are gone too owe theirs for ever,
    // and would make all that are left slow just when several have died.
    if (probe.nacks === 0) this.#context.health.add(Math.max(1, owed));
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
    this.#reminder.start();
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
}

function isAlive(record: MemberRecord): boolean {
  return record.member.state === "alive";
}
