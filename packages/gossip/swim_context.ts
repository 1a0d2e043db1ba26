/**
 * What the parts of {@linkcode Swim} share: the state of this node, the effects of the call that runs,
 * timers by token, and how packets are made.
 */
import {
  type Envelope,
  type EnvelopeMessage,
  type Member,
  MEMBER_READY,
  MEMBER_SKEWED,
  MEMBER_STALLED,
  MEMBER_VOLATILE,
  PACKET_OVERHEAD_BYTES,
  PROTOCOL_VERSION,
  type Summary,
} from "@dnd/protocol";
import { AccusationLog } from "./swim_accusations.ts";
import { LocalHealth } from "./swim_health.ts";
import { newCounters, selfMember } from "./swim_initial.ts";
import { type MemberRecord, MemberTable } from "./swim_members.ts";
import { profiles, type SwimOptions, type SwimTiming } from "./swim_options.ts";
import { newRoundTrip, type RoundTrip } from "./swim_round_trip.ts";
import { RumorQueue } from "./swim_rumors.ts";
import { baseBytes, envelopeBytes, memberBytes } from "./swim_size.ts";
import type {
  Destination,
  Effect,
  MemberView,
  Peer,
  SwimCounters,
  SwimDependencies,
  SwimEvent,
} from "./swim_types.ts";

interface Timer {
  readonly dueAt: number;
  readonly run: () => void;
}

/** How a packet is filled. */
export interface PacketOptions {
  /** Claims that must be in it. */
  readonly claims?: readonly Member[];

  /** Fill the rest with rumors. A packet to "whoever is there" never carries any (RULES 13). */
  readonly rumors?: boolean;

  /** Opaque updates that must be in it. */
  readonly updates?: readonly Uint8Array[];

  /** Pad it to the full size, so that a small MTU shows (RULES 13). */
  readonly padded?: boolean;
}

/** A node's life. */
export type Phase = "new" | "running" | "silent" | "ending" | "ended";

/** See the head of this file. */
export class SwimContext {
  readonly options: SwimOptions;
  readonly cluster: string;
  readonly timing: SwimTiming;
  readonly table: MemberTable;
  readonly rumors: RumorQueue;
  readonly health: LocalHealth;
  readonly trips: RoundTrip = newRoundTrip();
  readonly accusations: AccusationLog = new AccusationLog();
  readonly counters: SwimCounters = newCounters();
  readonly prng: () => number;
  readonly wall: () => number;
  readonly summary: (() => Summary) | undefined;
  phase: Phase = "new";
  now = 0;

  /** Called when rumors were queued: the part that sends them wakes. */
  onRumors: () => void = () => undefined;

  #effects: Effect[] = [];
  #timers: Map<number, Timer> = new Map();
  #token = 0;
  #sequence: number;

  constructor(options: SwimOptions, dependencies: SwimDependencies) {
    this.options = options;
    this.cluster = options.cluster ?? "dnd";
    this.timing = { ...profiles[options.profile ?? "lan"], ...options.timing };
    this.prng = dependencies.prng;
    this.wall = dependencies.wall;
    this.summary = dependencies.summary;
    this.health = new LocalHealth(options.localHealth !== false);
    this.#sequence = 1 + Math.floor(this.prng() * 2 ** 31);
    this.table = new MemberTable(selfMember(options), {
      maxMembers: options.maxMembers ?? 16_384,
      maxDead: options.maxDead ?? 4_096,
      prng: this.prng,
    });
    this.rumors = new RumorQueue({
      onDrop: (kind) => {
        if (kind === "claim") this.counters.rumorsDropped += 1;
        else this.counters.updatesDropped += 1;
      },
    });
  }

  get self(): MemberRecord {
    return this.table.self;
  }

  /** Members that are up, this node included. */
  get upCount(): number {
    return this.table.up.length + 1;
  }

  /**
   * How often each rumor is sent: `retransmitMult * ceil(log10(members + 1))`. While more than 64 wait
   * (hundreds of nodes start, a partition heals) less often, down to twice: then the exchange of whole
   * tables is what spreads the news, at a fraction of the bytes.
   */
  get retransmitLimit(): number {
    const limit = this.timing.retransmitMult * Math.ceil(Math.log10(this.upCount + 1));
    const { claims } = this.rumors;
    return claims <= 64 ? limit : Math.max(2, Math.ceil((limit * 64) / claims));
  }

  /** Runs one input and gives its effects. */
  run(now: number, input: () => void): Effect[] {
    this.now = now;
    this.#effects = [];
    input();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  emit(effect: Effect): void {
    this.#effects.push(effect);
  }

  notify(event: SwimEvent): void {
    this.#effects.push({ type: "notify", event });
  }

  nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  /** A token that no timer has: for effects whose outcome comes back by a method. */
  nextToken(): number {
    this.#token += 1;
    return this.#token;
  }

  /** Calls `run` in `delayMs`. Returns the token, with which it can be cancelled. */
  schedule(delayMs: number, run: () => void): number {
    const token = this.nextToken();
    this.#timers.set(token, { dueAt: this.now + delayMs, run });
    this.#effects.push({ type: "schedule", token, delayMs });
    return token;
  }

  /** The timer's token is stale from now on. */
  cancel(token: number): void {
    this.#timers.delete(token);
  }

  /** Runs the timer of a token, after `late` was told by how much; a stale one does nothing. */
  fire(token: number, late: (lateMs: number) => void): void {
    const timer = this.#timers.get(token);
    if (timer === undefined) return;
    this.#timers.delete(token);
    late(this.now - timer.dueAt);
    timer.run();
  }

  /** Timers that run. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Queues a claim for everybody. */
  spread(member: Member): void {
    if (this.table.up.length === 0) return;
    this.rumors.addClaim(member);
    this.onRumors();
  }

  /** Where packets for this member go. */
  destination(record: MemberRecord): Destination {
    const { id, bootId } = record;
    const { address } = record.member;
    return bootId === "" ? { address, id } : { address, id, bootId };
  }

  /** Makes and sends one packet. */
  send(to: Destination, message: EnvelopeMessage | undefined, options: PacketOptions = {}): void {
    const directed = to.bootId !== undefined;
    const members: Member[] = [];
    const updates = [...(options.updates ?? [])];
    const { self } = this;
    const { maxDatagramBytes } = this.timing;
    const address = message?.type === "pingRequest" ? message.address : "";
    let bytes = baseBytes(this.cluster, summaryOf(message), address);
    for (const update of updates) bytes += update.length + 5;
    for (const claim of options.claims ?? []) {
      const size = memberBytes(claim);
      if (bytes + size > maxDatagramBytes && (message !== undefined || members.length > 0)) {
        // With much metadata it does not fit beside the others: it goes in a packet of its own.
        this.send(to, undefined, { claims: [claim], rumors: false });
        continue;
      }
      members.push(claim);
      bytes += size;
    }
    if (directed && options.rumors !== false && this.rumors.size > 0) {
      const load = { members, updates, bytes: 0 };
      this.rumors.take(maxDatagramBytes - bytes, this.retransmitLimit, load);
    }
    const envelope: Envelope = {
      protocolVersion: PROTOCOL_VERSION,
      cluster: this.cluster,
      senderId: self.id,
      generation: self.member.generation,
      incarnation: self.member.incarnation,
      wall: Math.max(0, Math.floor(this.wall())),
      view: this.table.view,
      ...(message === undefined ? {} : { message }),
      members,
      updates,
      padding: 0,
    };
    this.emit({
      type: "send",
      to,
      envelope: options.padded === true ? this.#pad(envelope) : envelope,
    });
  }

  peer(record: MemberRecord): Peer {
    const { id, address, generation } = record.member;
    return { id, address, generation, bootId: record.bootId };
  }

  /** A member as the host sees it. */
  viewOf(record: MemberRecord): MemberView {
    const { member, trip } = record;
    return {
      id: member.id,
      address: member.address,
      name: member.name,
      state: member.state,
      generation: member.generation,
      incarnation: member.incarnation,
      bootId: record.bootId === "" ? member.bootId : record.bootId,
      stalled: (member.flags & MEMBER_STALLED) !== 0,
      ready: (member.flags & MEMBER_READY) !== 0,
      volatile: (member.flags & MEMBER_VOLATILE) !== 0,
      skewed: (member.flags & MEMBER_SKEWED) !== 0,
      metadata: member.metadata,
      protocolMin: member.protocolMin,
      protocolMax: member.protocolMax,
      seen: member.seen,
      departed: member.departed,
      ...(trip.samples > 0 ? { rttMs: trip.smoothedMs } : {}),
      self: record === this.self,
      changedAt: record.changedAt,
    };
  }

  /** A padding field has a tag of two bytes and a length of two. */
  #pad(envelope: Envelope): Envelope {
    const bytes = PACKET_OVERHEAD_BYTES + envelopeBytes(envelope) + 4;
    const padding = this.timing.maxDatagramBytes - bytes;
    return padding > 127 ? { ...envelope, padding } : envelope;
  }
}

function summaryOf(message: EnvelopeMessage | undefined): Summary | undefined {
  return message?.type === "ping" || message?.type === "ack" ? message.summary : undefined;
}
