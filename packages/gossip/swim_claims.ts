/**
 * What is said of members, and what becomes of it: every claim, from a packet, a page, the data folder or
 * our own probes, goes through {@linkcode Claims.apply} and by its transition table into the member
 * table.
 */
import { MAX_METADATA_BYTES, type Member, MEMBER_STALLED } from "@dnd/protocol";
import type { SwimContext } from "./swim_context.ts";
import type { MemberRecord } from "./swim_members.ts";
import { differs, type SelfClaims } from "./swim_self_claims.ts";
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

const maxNewsOfPages = 32;

/** See the head of this file. */
export class Claims {
  #context: SwimContext;
  #hooks: ClaimHooks;
  #self: SelfClaims;
  #news: MemberRecord[] = [];

  constructor(context: SwimContext, self: SelfClaims, hooks: ClaimHooks) {
    this.#context = context;
    this.#self = self;
    this.#hooks = hooks;
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
    if (record === context.self) {
      this.#self.hear(claim);
      return false;
    }
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
