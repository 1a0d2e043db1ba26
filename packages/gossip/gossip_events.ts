import type { MemberEvent, MemberView, RefusalEvent, SeedEvent, SelfEvent } from "./swim_types.ts";

/**
 * What a reader of `events()` gets. Every event has a `member`; in those about this node it is this node.
 */
export type GossipEvent = MemberEvent | OwnEvent | LostEvent | FailedEvent;

/**
 * About this node: `joined` when the first live member is known; `forgotten-self` and `exhausted` when it
 * is silent until `raiseGeneration()`; `copy` when somebody else runs with its id (RULES 19).
 */
export interface OwnEvent extends Omit<SelfEvent, "type"> {
  readonly type: Exclude<SelfEvent["type"], "ended">;
  readonly member: MemberView;
}

/** This reader was too slow for its buffer, or the host's thread for the engine. Read `members()` again. */
export interface LostEvent {
  readonly type: "lost";
  /** How many events are missing here. */
  readonly count: number;
  readonly member: MemberView;
}

/** The thread of the protocol ended by itself: this node hears and says nothing any more. The last event. */
export interface FailedEvent {
  readonly type: "failed";
  readonly error: Error;
  readonly member: MemberView;
}

/** What may interest an operator and concerns no member. */
export type GossipNotice = RefusalEvent | SeedEvent;
