/**
 * What is said of members, and what becomes of it: every claim, from a packet, a page, the data folder or
 * our own probes, goes through {@linkcode Claims.apply} and by its transition table into the member
 * table.
 */
import type { MEMBER_READY, MEMBER_SKEWED } from "@dnd/protocol";
import { MAX_METADATA_BYTES, type Member, MEMBER_STALLED } from "@dnd/protocol";
import type { SwimContext } from "./swim_context.ts";
import type { MemberRecord } from "./swim_members.ts";
import { baseBytes, memberBytes } from "./swim_size.ts";
import {
  isUp,
  joinClaims,
  MAX_GENERATION,
  MAX_INCARNATION,
  MAX_JUMP,
  transition,
} from "./swim_transition.ts";

/**
 * How a claim came. A *page* is read by many: its news are spread as rumors only if they are few, by
 * {@linkcode Claims.spreadNews}; many are left to further exchanges. And what a page says is dead and
 * we hold alive becomes suspect first: one side of a
 * healed partition believes the other dead, and each member of it is to refute before anybody acts.
 */
export type Channel = "packet" | "page" | "own" | "remembered";

/** Told when the table changes. */
export interface ClaimHooks {
  /** The member is suspect now. */
  suspected(record: MemberRecord): void;

  /** A further accuser of a suspect. */
  confirmed(record: MemberRecord, claim: Member): void;

  /** It is not suspect, or not in the same way, any more. */
  cleared(record: MemberRecord): void;

  /** Who is up changed. */
  viewChanged(): void;
}

const selfChangeIntervalMs = 1_000;
const maxNewsOfPages = 32;

/** See the head of this file. */
export class Claims {
  #context: SwimContext;
  #hooks: ClaimHooks;
  #flags: number;
  #metadata: Uint8Array;
  #changedAt = -Infinity;
  #changeTimer = 0;
  #spreadAt = -Infinity;
  #copyAt = -Infinity;
  #news: MemberRecord[] = [];

  constructor(context: SwimContext, hooks: ClaimHooks) {
    this.#context = context;
    this.#hooks = hooks;
    this.#flags = context.self.member.flags;
    this.#metadata = context.self.member.metadata;
  }

  /**
   * @param via who says it: node id, `""` for nobody
   * @returns whether the view changed
   */
  apply(claim: Member, via: string, channel: Channel): boolean {
    const context = this.#context;
    const record = context.table.get(claim.id);
    // Nodes of one process share what they know, and a suspicion has accusers to count.
    if (record?.member === claim && claim.state !== "suspect") return false;
    if (!isSane(claim) || !this.#fits(claim)) {
      context.counters.claimsRefused += 1;
      return false;
    }
    if (record === context.self) return this.#aboutSelf(claim);
    if (record === undefined) return this.#meet(claim, channel);
    if (via !== claim.id && jumps(record.member, claim)) {
      context.counters.claimsRefused += 1;
      return false;
    }
    return this.#hear(record, this.#soften(record, claim, { via, channel }), channel);
  }

  /** Fields of the future may make a member too large to be passed on in a packet. */
  #fits(claim: Member): boolean {
    if (claim.extra === undefined) return true;
    const { cluster, timing } = this.#context;
    return baseBytes(cluster, undefined) + memberBytes(claim) <= timing.maxDatagramBytes;
  }

  /** Own flags: a change is a new incarnation, at most one a second (RULES 15). */
  setFlag(
    bit: typeof MEMBER_STALLED | typeof MEMBER_READY | typeof MEMBER_SKEWED,
    on: boolean,
  ): void {
    this.#flags = on ? this.#flags | bit : this.#flags & ~bit;
    this.#changeSelf();
  }

  /** @throws {RangeError} if it has more than 512 bytes; nothing is changed */
  setMetadata(metadata: Uint8Array): void {
    if (metadata.length > MAX_METADATA_BYTES) {
      throw new RangeError(
        `Cannot set metadata: it has ${metadata.length} bytes, at most ${MAX_METADATA_BYTES}`,
      );
    }
    this.#metadata = metadata.slice();
    this.#changeSelf();
  }

  /** Own words that others are to hear: a new incarnation. */
  raiseIncarnation(incarnation: number, changes: Partial<Member> = {}): void {
    const context = this.#context;
    if (incarnation > MAX_INCARNATION) {
      context.phase = "silent";
      context.notify({ type: "exhausted", generation: context.self.member.generation });
      return;
    }
    const member = { ...context.self.member, ...changes, incarnation };
    this.setSelf(member);
  }

  /** Holds and spreads a new record of this node. */
  setSelf(member: Member): void {
    const context = this.#context;
    context.table.replace(context.self, member);
    context.self.changedAt = Math.floor(context.now);
    this.#hooks.viewChanged();
    this.#spreadAt = context.now;
    context.spread(member);
  }

  /** `seen` of another member, from its own summary (RULES 1). */
  setSeen(record: MemberRecord, seen: number): void {
    if (seen > record.member.seen) {
      this.#context.table.replace(record, { ...record.member, seen });
    }
  }

  /** The pages are read: spreads what was new in them, unless that is much. */
  spreadNews(): void {
    const news = this.#news;
    this.#news = [];
    if (news.length > maxNewsOfPages) return;
    for (const record of news) this.#context.spread(record.member);
  }

  #spread(record: MemberRecord, channel: Channel): void {
    if (channel === "page") this.#news.push(record);
    else if (channel !== "remembered") this.#context.spread(record.member);
  }

  #soften(
    record: MemberRecord,
    claim: Member,
    source: { readonly via: string; readonly channel: Channel },
  ): Member {
    if (source.channel !== "page" || claim.state !== "dead") return claim;
    if (!isUp(record.member.state) || transition(record.member, claim) !== "replace") return claim;
    return { ...claim, state: "suspect", accuser: claim.accuser || source.via };
  }

  #meet(claim: Member, channel: Channel): boolean {
    const context = this.#context;
    if (!context.table.hasRoom(isUp(claim.state))) {
      context.counters.membersRefused += 1;
      return false;
    }
    const record = context.table.insert(claim);
    record.changedAt = Math.floor(context.now);
    if (channel === "remembered") record.bootId = "";
    this.#spread(record, channel);
    context.notify({ type: claim.state, member: context.viewOf(record) });
    if (claim.state === "suspect") this.#hooks.suspected(record);
    this.#hooks.viewChanged();
    return true;
  }

  #hear(record: MemberRecord, said: Member, channel: Channel): boolean {
    const context = this.#context;
    const held = record.member;
    const outcome = transition(held, said);
    const next = joinClaims(held, said);
    if (outcome === "replace") {
      this.#change(record, next, channel);
      return true;
    }
    if (next !== held) context.table.replace(record, next);
    if (outcome === "older") return false;
    const changed = next !== held && differs(held, next);
    if (changed) {
      this.#spread(record, channel);
      context.notify({ type: "updated", member: context.viewOf(record), previous: held.state });
    }
    if (said.state === "suspect" && said.accuser !== "") this.#hooks.confirmed(record, said);
    return changed;
  }

  #change(record: MemberRecord, next: Member, channel: Channel): void {
    const context = this.#context;
    const held = record.member;
    context.table.replace(record, next);
    if (next.generation !== held.generation) {
      record.bootId = next.bootId;
      record.lastHeardAt = -1;
    } else if (record.bootId === "" && channel !== "remembered") {
      record.bootId = next.bootId;
    }
    if (next.state !== held.state) record.changedAt = Math.floor(context.now);
    this.#spread(record, channel);
    if (next.state === "suspect") this.#hooks.suspected(record);
    else this.#hooks.cleared(record);
    this.#announce(record, held);
    this.#hooks.viewChanged();
    if (!isUp(next.state)) {
      for (const evicted of context.table.evict()) {
        context.notify({ type: "removed", member: context.viewOf(evicted) });
      }
    }
  }

  #announce(record: MemberRecord, held: Member): void {
    const context = this.#context;
    const { member } = record;
    const view = context.viewOf(record);
    const previous = held.state;
    const stalled = (member.flags & MEMBER_STALLED) !== 0;
    const wasStalled = (held.flags & MEMBER_STALLED) !== 0;
    const turned = member.state !== held.state || member.generation !== held.generation;
    if (turned) context.notify({ type: member.state, member: view, previous });
    if (stalled !== wasStalled) {
      context.notify({ type: stalled ? "stalled" : "resumed", member: view, previous });
    } else if (!turned) {
      context.notify({ type: "updated", member: view, previous });
    }
  }

  /** Others speak of this node. Returns false: the view of others does not change by it. */
  #aboutSelf(claim: Member): boolean {
    const context = this.#context;
    const own = context.self.member;
    if (context.phase !== "running") return false;
    if (claim.generation > own.generation || isCopy(own, claim)) {
      this.copy(claim.bootId, claim.generation);
      return false;
    }
    if (claim.generation < own.generation) {
      this.#spreadAgain();
      return false;
    }
    if (claim.state === "left" || claim.state === "forgotten") {
      context.phase = "silent";
      context.notify({ type: "forgotten-self", generation: own.generation });
      return false;
    }
    if (claim.incarnation - own.incarnation > MAX_JUMP) {
      context.counters.claimsRefused += 1;
      return false;
    }
    if (claim.incarnation < own.incarnation) {
      if (claim.state !== "alive") this.#spreadAgain();
      return false;
    }
    if (claim.state === "alive" && claim.incarnation === own.incarnation && !differs(own, claim)) {
      return false;
    }
    this.#refute(claim);
    return false;
  }

  /** Somebody else runs with this node's id (RULES 19). Said at most once a second. */
  copy(bootId: string, generation: number): void {
    const context = this.#context;
    if (context.now - this.#copyAt < 1_000) return;
    this.#copyAt = context.now;
    context.notify({ type: "copy", generation, bootId });
  }

  #refute(claim: Member): void {
    const context = this.#context;
    const at = context.wall();
    context.counters.refutations += 1;
    context.health.add(1);
    if (claim.state !== "alive") {
      context.accusations.open(claim, at);
      context.accusations.close(claim.id, { at, outcome: "refuted", by: claim.id });
    }
    this.raiseIncarnation(claim.incarnation + 1);
  }

  /** Somebody is behind: says it again, at most once a second. */
  #spreadAgain(): void {
    const context = this.#context;
    if (context.now - this.#spreadAt < 1_000) return;
    this.#spreadAt = context.now;
    context.spread(context.self.member);
  }

  #changeSelf(): void {
    const context = this.#context;
    const member = context.self.member;
    if (context.phase === "new") {
      const before = { flags: this.#flags, metadata: this.#metadata };
      context.table.replace(context.self, { ...member, ...before });
      return;
    }
    if (context.phase !== "running" || this.#changeTimer !== 0) return;
    const wait = this.#changedAt + selfChangeIntervalMs - context.now;
    if (wait <= 0) {
      this.#changeNow();
      return;
    }
    this.#changeTimer = context.schedule(wait, () => {
      this.#changeTimer = 0;
      if (context.phase === "running") this.#changeNow();
    });
  }

  #changeNow(): void {
    const context = this.#context;
    const { flags, metadata, incarnation } = context.self.member;
    if (flags === this.#flags && metadata === this.#metadata) return;
    this.#changedAt = context.now;
    this.raiseIncarnation(incarnation + 1, { flags: this.#flags, metadata: this.#metadata });
  }
}

function isCopy(own: Member, claim: Member): boolean {
  return claim.generation === own.generation && claim.bootId !== "" && claim.bootId !== own.bootId;
}

function jumps(held: Member, claim: Member): boolean {
  if (claim.generation !== held.generation) return claim.generation - held.generation > MAX_JUMP;
  return claim.incarnation - held.incarnation > MAX_JUMP;
}

/** What a decoder cannot know: the bounds of this layer. */
function isSane(claim: Member): boolean {
  return (
    claim.id.length === 32 &&
    (claim.accuser === "" || claim.accuser.length === 32) &&
    claim.generation >= 0 &&
    claim.generation <= MAX_GENERATION &&
    claim.incarnation >= 0 &&
    claim.incarnation <= MAX_INCARNATION &&
    claim.address !== "" &&
    claim.address.length <= 255 &&
    claim.metadata.length <= MAX_METADATA_BYTES
  );
}

/** Whether what the member says of itself differs. */
function differs(a: Member, b: Member): boolean {
  return (
    a.address !== b.address ||
    a.name !== b.name ||
    a.flags !== b.flags ||
    a.bootId !== b.bootId ||
    a.protocolMin !== b.protocolMin ||
    a.protocolMax !== b.protocolMax ||
    a.metadata.length !== b.metadata.length ||
    a.metadata.some((byte, i) => byte !== b.metadata[i])
  );
}
