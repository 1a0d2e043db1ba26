import {
  MAX_METADATA_BYTES,
  type Member,
  type MEMBER_READY,
  type MEMBER_SKEWED,
  type MEMBER_STALLED,
} from "@dnd/protocol";
import type { SwimContext } from "./swim_context.ts";
import { MAX_INCARNATION, MAX_JUMP } from "./swim_transition.ts";

const selfChangeIntervalMs = 1_000;

/** What a node says of itself, and what it answers to what others say of it (SWIM 4.2: refutation). */
export class SelfClaims {
  #context: SwimContext;
  #viewChanged: () => void;
  #flags: number;
  #metadata: Uint8Array;
  #changedAt = -Infinity;
  #changeTimer = 0;
  #spreadAt = -Infinity;
  #copyAt = -Infinity;

  constructor(context: SwimContext, viewChanged: () => void) {
    this.#context = context;
    this.#viewChanged = viewChanged;
    this.#flags = context.self.member.flags;
    this.#metadata = context.self.member.metadata;
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
    this.#viewChanged();
    this.#spreadAt = context.now;
    context.spread(member);
  }

  /** Others speak of this node. */
  hear(claim: Member): void {
    const context = this.#context;
    const own = context.self.member;
    if (context.phase !== "running") return;
    if (claim.generation > own.generation || isCopy(own, claim)) {
      this.copy(claim.bootId, claim.generation);
      return;
    }
    if (claim.generation < own.generation) {
      this.#spreadAgain();
      return;
    }
    if (claim.state === "left" || claim.state === "forgotten") {
      context.phase = "silent";
      context.notify({ type: "forgotten-self", generation: own.generation });
      return;
    }
    if (claim.incarnation - own.incarnation > MAX_JUMP) {
      context.counters.claimsRefused += 1;
      return;
    }
    if (claim.incarnation < own.incarnation) {
      if (claim.state !== "alive") this.#spreadAgain();
      return;
    }
    if (claim.state === "alive" && claim.incarnation === own.incarnation && !differs(own, claim)) {
      return;
    }
    this.#refute(claim);
    return;
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

/** Whether what the member says of itself differs. */
export function differs(a: Member, b: Member): boolean {
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
