/**
 * From *suspect* to *dead*: Lifeguard's suspicion with confirmations, and what it must pass before it
 * becomes a death.
 *
 * A suspicion runs on every node that heard of it. It starts at the longest timeout and shrinks with each
 * independent accuser, so one node with a bad network cannot kill anybody quickly. Before the end each
 * node that would declare the death tries a stream (RULES 21): UDP may be the thing that is broken. Who
 * accused by a probe of its own tries it so early that the answer is there when the time is up; who only
 * heard of it waits a little longer, at random, and so mostly hears of the death before it has to
 * probe: else a thousand nodes would connect to one at the same moment.
 *
 * A node that was itself late restarts all of this (RULES 15, `swim_caution.ts`).
 */
import { EVIDENCE_REFUSED, EVIDENCE_STREAM_FAILED, type Member } from "@dnd/protocol";
import type { Caution } from "./swim_caution.ts";
import type { SwimContext } from "./swim_context.ts";
import type { MemberRecord, Suspicion } from "./swim_members.ts";
import type { StreamProbes } from "./swim_stream_probes.ts";
import { suspicionBounds, suspicionTimeout } from "./swim_suspicion.ts";
import { isUp } from "./swim_transition.ts";

const maxAccusers = 16;

/** What the accuser needs from the other parts. */
export interface AccuserHooks {
  /** Puts a claim of our own into the table. */
  apply(claim: Member): void;

  /** The member answers a stream but is suspect: exchange tables, so that it refutes. */
  heal(record: MemberRecord): void;

  /** Pings a member outside the rounds. */
  look(record: MemberRecord): void;

  /** A suspicion by somebody else was heard: a probe of our own may confirm it. */
  rumored(record: MemberRecord): void;
}

/** See the head of this file. */
export class Accuser {
  #context: SwimContext;
  #caution: Caution;
  #streams: StreamProbes;
  #hooks: AccuserHooks;
  #expected = 0;

  constructor(
    context: SwimContext,
    parts: { readonly caution: Caution; readonly streams: StreamProbes },
    hooks: AccuserHooks,
  ) {
    this.#context = context;
    this.#caution = parts.caution;
    this.#streams = parts.streams;
    this.#hooks = hooks;
    parts.caution.onBegin = () => {
      for (const record of context.table.suspects) this.#restart(record);
    };
  }

  /** A probe of our own failed. */
  accuse(record: MemberRecord, evidence: number): void {
    const context = this.#context;
    const { member } = record;
    if (!isUp(member.state)) return;
    context.counters.suspicionsRaised += 1;
    const claim: Member = { ...member, state: "suspect", accuser: context.self.id, evidence };
    if (member.state === "suspect") {
      this.confirmed(record, claim);
      return;
    }
    this.#hooks.apply(claim);
    if (record.bootId !== "") {
      context.send(context.destination(record), undefined, { claims: [record.member] });
    }
  }

  /** The table says that the member is suspect now. */
  suspected(record: MemberRecord): void {
    const context = this.#context;
    this.#stop(record);
    const { member } = record;
    const own = member.accuser === context.self.id;
    const { probeIntervalMs } = context.timing;
    record.suspicion = {
      startedAt: context.now,
      bounds: suspicionBounds(context.timing, context.upCount),
      accusers: [member.accuser],
      refused: (member.evidence & EVIDENCE_REFUSED) !== 0,
      own,
      patienceMs: probeIntervalMs * (1 + 2 * context.prng()),
      timer: 0,
      streamProbe: 0,
      failedAt: -1,
      verifyAt: context.now,
      remindedAt: context.now,
    };
    context.accusations.open(member, context.wall());
    this.#arm(record, record.suspicion);
    if (!own) this.#hooks.rumored(record);
  }

  /** A further accuser. Up to K of them are passed on. */
  confirmed(record: MemberRecord, claim: Member): void {
    const { suspicion } = record;
    const context = this.#context;
    if (suspicion === undefined) return;
    const known = suspicion.accusers.includes(claim.accuser);
    const refused = (claim.evidence & EVIDENCE_REFUSED) !== 0;
    if (known && (!refused || suspicion.refused)) return;
    suspicion.refused ||= refused;
    if (!known && suspicion.accusers.length < maxAccusers) {
      suspicion.accusers.push(claim.accuser);
      if (claim.accuser === context.self.id) suspicion.own = true;
      context.accusations.confirm(record.id, claim.accuser);
      if (suspicion.accusers.length - 1 <= this.expected) {
        context.rumors.addConfirmation(claim);
        context.onRumors();
      }
    }
    this.#arm(record, suspicion);
  }

  /** The operating system said that nobody listens there: counts as a confirmation (RULES 21). */
  refused(record: MemberRecord): void {
    const { suspicion } = record;
    if (suspicion === undefined || suspicion.refused) return;
    suspicion.refused = true;
    this.#arm(record, suspicion);
  }

  /** The member is not suspect any more, or died. */
  cleared(record: MemberRecord): void {
    const { member } = record;
    const at = this.#context.wall();
    const { accusations } = this.#context;
    const was = record.suspicion !== undefined;
    this.#stop(record);
    if (member.state === "dead") {
      if (!was) accusations.open(member, at);
      const { accuser, evidence } = member;
      accusations.close(member.id, { at, outcome: "dead", by: accuser, evidence });
    } else {
      const outcome = member.state === "alive" ? "refuted" : "ended";
      accusations.close(member.id, { at, outcome, by: member.id });
    }
  }

  /** K of RULES 21: how many could confirm. */
  get expected(): number {
    const { table } = this.#context;
    return Math.min(3, table.up.length - table.suspects.size);
  }

  /** Who is up or suspect changed: where that moves K, all deadlines move. */
  recompute(): void {
    const { expected } = this;
    if (expected === this.#expected) return;
    this.#expected = expected;
    for (const record of this.#context.table.suspects) {
      if (record.suspicion !== undefined) this.#arm(record, record.suspicion);
    }
  }

  #deadline(suspicion: Suspicion): number {
    const confirmations = suspicion.accusers.length - 1 + Number(suspicion.refused);
    const wait = suspicionTimeout(confirmations, this.expected, suspicion.bounds);
    return suspicion.startedAt + wait + (suspicion.own ? 0 : suspicion.patienceMs);
  }

  #isVerified(suspicion: Suspicion): boolean {
    const { now, timing } = this.#context;
    const age = now - suspicion.failedAt;
    return suspicion.failedAt >= suspicion.startedAt && age <= 3 * timing.streamProbeTimeoutMs;
  }

  #arm(record: MemberRecord, suspicion: Suspicion): void {
    const context = this.#context;
    const lead = this.#isVerified(suspicion) ? 0 : context.timing.streamProbeTimeoutMs;
    const wait = this.#deadline(suspicion) - lead - context.now;
    this.#wait(record, suspicion, Math.max(0, wait));
  }

  #wait(record: MemberRecord, suspicion: Suspicion, delayMs: number): void {
    this.#context.cancel(suspicion.timer);
    suspicion.timer = this.#context.schedule(delayMs, () => {
      suspicion.timer = 0;
      if (record.suspicion === suspicion) this.#judge(record, suspicion);
    });
  }

  #judge(record: MemberRecord, suspicion: Suspicion): void {
    const context = this.#context;
    if (suspicion.streamProbe !== 0 || context.phase !== "running") return;
    if (this.#caution.active) {
      this.#wait(record, suspicion, context.timing.probeIntervalMs);
      return;
    }
    if (record.lastHeardAt > suspicion.startedAt) {
      // It spoke to us since: it lives, and has only not heard yet what is said of it.
      this.#restart(record);
      this.#hooks.heal(record);
      return;
    }
    const deadline = this.#deadline(suspicion);
    if (!this.#isVerified(suspicion)) {
      const lead = deadline - context.timing.streamProbeTimeoutMs;
      if (context.now < lead) this.#wait(record, suspicion, lead - context.now);
      else this.#verify(record, suspicion);
    } else if (context.now < deadline) {
      this.#wait(record, suspicion, deadline - context.now);
    } else if (suspicion.refused || this.#caution.trusts(suspicion.verifyAt)) {
      this.#declare(record);
    }
  }

  /** Tries a stream, and pings two others: if they are silent too, the fault is ours. */
  #verify(record: MemberRecord, suspicion: Suspicion): void {
    const { table, now } = this.#context;
    suspicion.verifyAt = now;
    for (const other of table.randomUp(2, (one) => one !== record && one.bootId !== "")) {
      this.#hooks.look(other);
    }
    suspicion.streamProbe = this.#streams.start(record, (outcome) => {
      suspicion.streamProbe = 0;
      if (record.suspicion !== suspicion) return;
      if (outcome === "ok") {
        this.#restart(record);
        this.#hooks.heal(record);
        return;
      }
      if (outcome === "refused") suspicion.refused = true;
      suspicion.failedAt = this.#context.now;
      this.#judge(record, suspicion);
    });
  }

  #declare(record: MemberRecord): void {
    const context = this.#context;
    const { member, suspicion } = record;
    context.counters.deathsDeclared += 1;
    const refused = suspicion?.refused === true ? EVIDENCE_REFUSED : 0;
    const evidence = (member.evidence | EVIDENCE_STREAM_FAILED | refused) >>> 0;
    this.#hooks.apply({ ...member, state: "dead", accuser: context.self.id, evidence });
  }

  #restart(record: MemberRecord): void {
    const { suspicion } = record;
    if (suspicion === undefined) return;
    suspicion.startedAt = this.#context.now;
    suspicion.failedAt = -1;
    this.#arm(record, suspicion);
  }

  #stop(record: MemberRecord): void {
    if (record.suspicion === undefined) return;
    this.#context.cancel(record.suspicion.timer);
    record.suspicion = undefined;
  }
}
