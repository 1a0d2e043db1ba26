/**
 * The member table: what is held of each member, who is up in an order to probe, who is down, and a hash
 * over the view. Everything is bounded; what does not fit is refused or evicted (RULES 3).
 */
import { MEMBER_VOLATILE, type Member } from "@dnd/protocol";
import { newRoundTrip, type RoundTrip } from "./swim_round_trip.ts";
import type { SuspicionBounds } from "./swim_suspicion.ts";
import { isDown, isUp } from "./swim_transition.ts";
import { viewHash } from "./swim_view_hash.ts";

/** A running suspicion. */
export interface Suspicion {
  startedAt: number;
  readonly bounds: SuspicionBounds;
  readonly accusers: string[];

  /** Accusations with a refused connection count one more, once. */
  refused: boolean;

  /** This node accused it by a probe of its own. */
  own: boolean;

  /** Who only heard of it waits this much longer, so that not all probe at once. */
  readonly patienceMs: number;

  /** Timer that runs; 0 = none. */
  timer: number;

  /** Stream probe that runs; 0 = none. */
  streamProbe: number;

  /** `now` of the last failed stream probe; -1 = none. */
  failedAt: number;

  /** `now` of the start of the last stream probe. */
  verifyAt: number;

  /** `now` of the last ping beside the rounds that told the member of it. */
  remindedAt: number;
}

/** What this node holds of one member. `member` is what it says to others, and never changed in place. */
export interface MemberRecord {
  readonly id: string;
  member: Member;

  /** Boot id that packets are made for; `""` = not known. */
  bootId: string;

  /** It has our own record, or hears of us from others. */
  introduced: boolean;
  changedAt: number;
  lastHeardAt: number;

  /** Last exchange to bring it back; -1 = none. */
  lastHealAt: number;

  /** Shared while nothing was measured: most pairs of a large cluster seldom meet. */
  trip: RoundTrip;
  suspicion: Suspicion | undefined;
  viewHash: number;

  /** Places in the lists of the table; -1 = not in it. */
  upPlace: number;
  downPlace: number;
  inOrder: boolean;
}

/** Bounds of the table. */
export interface MemberTableOptions {
  readonly maxMembers: number;
  readonly maxDead: number;
  readonly prng: () => number;
}

/** See the head of this file. The node itself is in the table, but in none of the lists. */
export class MemberTable {
  readonly self: MemberRecord;

  /** Others that are alive or suspect, in no order. */
  readonly up: MemberRecord[] = [];

  /** Others that stopped or are dead. */
  readonly down: MemberRecord[] = [];

  /** Members that are suspect. */
  readonly suspects: Set<MemberRecord> = new Set();

  /** XOR over the view hashes of all who are up, this node included. */
  view = 0;

  #records: Map<string, MemberRecord> = new Map();
  #order: MemberRecord[] = [];
  #next = 0;
  #ended = 0;
  #options: MemberTableOptions;

  constructor(self: Member, options: MemberTableOptions) {
    this.#options = options;
    this.self = newRecord(self);
    this.#records.set(self.id, this.self);
    this.#rehash(this.self);
  }

  /** Members in the table, this node included. */
  get size(): number {
    return this.#records.size;
  }

  /** Others that are stopped, dead, left or forgotten. */
  get ended(): number {
    return this.#ended;
  }

  get(id: string): MemberRecord | undefined {
    return this.#records.get(id);
  }

  /** All, this node first. */
  values(): IterableIterator<MemberRecord> {
    return this.#records.values();
  }

  /** Whether a member not known before may be taken in. */
  hasRoom(up: boolean): boolean {
    if (this.size >= this.#options.maxMembers) return false;
    return up || this.#ended < this.#options.maxDead;
  }

  /** Takes in a member not known before. */
  insert(member: Member): MemberRecord {
    const record = newRecord(member);
    this.#records.set(member.id, record);
    this.#place(record, undefined);
    return record;
  }

  /** Holds something new of a member. */
  replace(record: MemberRecord, member: Member): void {
    const before = record.member;
    record.member = member;
    if (record === this.self) this.#rehash(record);
    else this.#place(record, before);
  }

  /** Ended members beyond the bound, which are removed: volatile ones first, then the gone, then by age. */
  evict(): MemberRecord[] {
    const evicted: MemberRecord[] = [];
    while (this.#ended > this.#options.maxDead) {
      let worst: MemberRecord | undefined;
      for (const record of this.#records.values()) {
        if (record === this.self || isUp(record.member.state)) continue;
        if (worst === undefined || dispensable(record, worst)) worst = record;
      }
      if (worst === undefined) break;
      this.#remove(worst);
      evicted.push(worst);
    }
    return evicted;
  }

  /** The next member to probe: all of them once, in an order that is shuffled each round (SWIM, 4.3). */
  nextToProbe(): MemberRecord | undefined {
    for (let tries = this.#order.length + 1; tries > 0; tries -= 1) {
      if (this.#next >= this.#order.length) {
        if (this.#order.length === 0) return undefined;
        this.#shuffle();
      }
      const record = this.#order[this.#next] as MemberRecord;
      if (record.upPlace >= 0) {
        this.#next += 1;
        return record;
      }
      record.inOrder = false;
      const last = this.#order.pop() as MemberRecord;
      if (last !== record) this.#order[this.#next] = last;
    }
    return undefined;
  }

  /** Up to `count` different members that are up, at random. */
  randomUp(count: number, accept: (record: MemberRecord) => boolean): MemberRecord[] {
    const chosen: MemberRecord[] = [];
    const { up } = this;
    if (up.length <= 2 * count) {
      for (const record of up) if (accept(record)) chosen.push(record);
      while (chosen.length > count) chosen.splice(this.#random(chosen.length), 1);
      return chosen;
    }
    for (let tries = 4 * count; tries > 0 && chosen.length < count; tries -= 1) {
      const record = up[this.#random(up.length)] as MemberRecord;
      if (!chosen.includes(record) && accept(record)) chosen.push(record);
    }
    return chosen;
  }

  #place(record: MemberRecord, before: Member | undefined): void {
    const { state } = record.member;
    const up = isUp(state);
    const wasEnded = before !== undefined && !isUp(before.state);
    this.#ended += Number(!up) - Number(wasEnded);
    if (up && record.upPlace < 0) {
      record.upPlace = this.up.push(record) - 1;
      this.#enqueue(record);
    } else if (!up && record.upPlace >= 0) {
      removeAt(this.up, record.upPlace, "upPlace");
      record.upPlace = -1;
    }
    const down = isDown(state);
    if (down && record.downPlace < 0) {
      record.downPlace = this.down.push(record) - 1;
    } else if (!down && record.downPlace >= 0) {
      removeAt(this.down, record.downPlace, "downPlace");
      record.downPlace = -1;
    }
    if (state === "suspect") this.suspects.add(record);
    else this.suspects.delete(record);
    this.#rehash(record);
  }

  #remove(record: MemberRecord): void {
    if (record.downPlace >= 0) removeAt(this.down, record.downPlace, "downPlace");
    record.downPlace = -1;
    this.#ended -= 1;
    this.#records.delete(record.id);
  }

  /** Puts a new member at a random place of the rest of the round. */
  #enqueue(record: MemberRecord): void {
    if (record.inOrder) return;
    record.inOrder = true;
    const end = this.#order.push(record) - 1;
    const place = this.#next + this.#random(end - this.#next + 1);
    const other = this.#order[place] as MemberRecord;
    this.#order[place] = record;
    this.#order[end] = other;
  }

  #shuffle(): void {
    this.#next = 0;
    const order = this.#order;
    for (let i = order.length - 1; i > 0; i -= 1) {
      const j = this.#random(i + 1);
      const record = order[i] as MemberRecord;
      order[i] = order[j] as MemberRecord;
      order[j] = record;
    }
  }

  #random(below: number): number {
    return Math.floor(this.#options.prng() * below);
  }

  #rehash(record: MemberRecord): void {
    const { member } = record;
    const hash = isUp(member.state) ? viewHash(member) : 0;
    this.view = (this.view ^ record.viewHash ^ hash) >>> 0;
    record.viewHash = hash;
  }
}

const unmeasured: RoundTrip = Object.freeze(newRoundTrip());

function newRecord(member: Member): MemberRecord {
  return {
    id: member.id,
    member,
    bootId: member.bootId,
    introduced: true,
    changedAt: 0,
    lastHeardAt: -1,
    lastHealAt: -1,
    trip: unmeasured,
    suspicion: undefined,
    viewHash: 0,
    upPlace: -1,
    downPlace: -1,
    inOrder: false,
  };
}

function removeAt(list: MemberRecord[], place: number, field: "upPlace" | "downPlace"): void {
  const last = list.pop() as MemberRecord;
  if (place < list.length) {
    list[place] = last;
    last[field] = place;
  }
}

function dispensable(a: MemberRecord, b: MemberRecord): boolean {
  const aVolatile = (a.member.flags & MEMBER_VOLATILE) !== 0;
  const bVolatile = (b.member.flags & MEMBER_VOLATILE) !== 0;
  if (aVolatile !== bVolatile) return aVolatile;
  const aGone = !isDown(a.member.state);
  const bGone = !isDown(b.member.state);
  if (aGone !== bGone) return aGone;
  return a.changedAt < b.changedAt;
}
