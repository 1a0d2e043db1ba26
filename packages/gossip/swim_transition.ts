/**
 * Who wins when two things are said of one member: the transition table of SWIM.
 *
 * The paper (Das, Gupta, Motivala: *SWIM*, 2002, section 4.2) gives precedence rules for Alive, Suspect
 * and Confirm by incarnation number. Ours are the same with four things added (RULES 2):
 *
 * - the *generation* comes before everything: an older process never beats a newer one;
 * - *dead* is not for ever: the member itself may refute it with a higher incarnation, because a healed
 *   partition must heal the cluster;
 * - *stopped* is the member's own word and stands where *dead* stands;
 * - *left* and *forgotten* are for ever in their generation: no incarnation gets past them. A node that
 *   comes back raises its generation (RULES 3).
 *
 * Put together this is one total preorder, and the view is the greatest claim heard: so any order of
 * rumors, with any repetition, ends in the same view. Where two claims are equal in that order (only
 * somebody hostile makes two different ones) the contents decide, so that even then all agree.
 *
 * | held \ said, same generation | alive i | suspect i | dead, stopped i | left | forgotten |
 * |---|---|---|---|---|---|
 * | alive j | i > j | i >= j | i >= j | yes | yes |
 * | suspect j | i > j | i > j | i >= j | yes | yes |
 * | dead, stopped j | i > j | i > j | i > j | yes | yes |
 * | left j | no | no | no | i > j | yes |
 * | forgotten j | no | no | no | no | i > j |
 */
import type { Member, MemberState } from "@dnd/protocol";

/** The part of a claim that decides. */
export interface Claim {
  readonly generation: number;
  readonly incarnation: number;
  readonly state: MemberState;
}

/** What a claim does to what is held. */
export type Transition = "replace" | "equal" | "older";

/** Highest incarnation: 2^48. A node that gets there raises its generation. */
export const MAX_INCARNATION: number = 2 ** 48;

/** Highest generation: 2^48. */
export const MAX_GENERATION: number = 2 ** 48;

/**
 * Most that an incarnation or generation may rise in one claim by others, 2^24: half a year of one
 * change a second. What a member says of itself may rise further, up to the maximum.
 */
export const MAX_JUMP: number = 2 ** 24;

/**
 * The transition table: what `said` does to `held`.
 *
 * @returns `replace` if the claim wins, `older` if it loses, `equal` if neither beats the other
 */
export function transition(held: Claim, said: Claim): Transition {
  if (said.generation !== held.generation) {
    return said.generation > held.generation ? "replace" : "older";
  }
  const departure = finality(said.state) - finality(held.state);
  if (departure !== 0) return departure > 0 ? "replace" : "older";
  if (said.incarnation !== held.incarnation) {
    return said.incarnation > held.incarnation ? "replace" : "older";
  }
  const rank = severity(said.state) - severity(held.state);
  if (rank !== 0) return rank > 0 ? "replace" : "older";
  return "equal";
}

/** 0: the member may come back by a higher incarnation; 1, 2: only by a higher generation. */
function finality(state: MemberState): number {
  switch (state) {
    case "alive":
    case "suspect":
    case "stopped":
    case "dead":
      return 0;
    case "left":
      return 1;
    case "forgotten":
      return 2;
  }
}

/** Order inside one incarnation. The paper has no *stopped*; its own word beats what others think. */
function severity(state: MemberState): number {
  switch (state) {
    case "alive":
      return 0;
    case "suspect":
      return 1;
    case "dead":
      return 2;
    case "stopped":
      return 3;
    case "left":
    case "forgotten":
      return 4;
  }
}

/** Whether the member takes part: it is probed, gossiped to, and counted. */
export function isUp(state: MemberState): boolean {
  return state === "alive" || state === "suspect";
}

/** Whether the member keeps its place and is called again: it may be back (RULES 20). */
export function isDown(state: MemberState): boolean {
  return state === "stopped" || state === "dead";
}

/**
 * The join of the lattice: what is held after both claims were heard, in whatever order.
 *
 * `seen` and `departed` are merged by the greater one whoever wins (RULES 1). Returns `held` itself if
 * nothing changed.
 */
export function joinClaims(held: Member, said: Member): Member {
  const outcome = transition(held, said);
  const winner = outcome === "replace" ? said : outcome === "older" ? held : joinEqual(held, said);
  const seen = Math.max(held.seen, said.seen);
  const departed = Math.max(held.departed, said.departed);
  if (winner.seen === seen && winner.departed === departed) return winner;
  return { ...winner, seen, departed };
}

function joinEqual(held: Member, said: Member): Member {
  const base = compareContent(held, said) >= 0 ? held : said;
  const accuser = lesserAccuser(held.accuser, said.accuser);
  const evidence = (held.evidence | said.evidence) >>> 0;
  if (base.accuser === accuser && base.evidence === evidence) return base;
  return { ...base, accuser, evidence };
}

function lesserAccuser(a: string, b: string): string {
  if (a === "" || b === "") return a === "" ? b : a;
  return a < b ? a : b;
}

/** An arbitrary but fixed order of what a member says of itself. */
function compareContent(a: Member, b: Member): number {
  return (
    compare(a.address, b.address) ||
    compare(a.bootId, b.bootId) ||
    compare(a.name, b.name) ||
    a.flags - b.flags ||
    a.protocolMin - b.protocolMin ||
    a.protocolMax - b.protocolMax ||
    compareBytes(a.metadata, b.metadata) ||
    compareBytes(a.extra ?? nothing, b.extra ?? nothing)
  );
}

const nothing = new Uint8Array(0);

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
