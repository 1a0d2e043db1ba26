import { type SwimEvent, transition } from "@dnd/gossip";

type View = Extract<SwimEvent, { readonly member: unknown }>["member"];

/**
 * Safety of what one process says of the members: a view only ever moves up the transition table. An old
 * *alive* that brings back somebody who was declared dead later would be a step down.
 */
export class MembershipChecker {
  readonly #held = new Map<string, View>();

  /** @returns what is wrong with this event, if anything is */
  hear(event: SwimEvent): string | undefined {
    if (!("member" in event)) return undefined;
    const { member } = event;
    const held = this.#held.get(member.id);
    if (event.type === "removed") this.#held.delete(member.id);
    else this.#held.set(member.id, member);
    if (held === undefined || transition(held, member) !== "older") return undefined;
    return `${member.id.slice(-4)} went from ${claim(held)} to ${claim(member)}`;
  }
}

function claim({ state, generation, incarnation }: View): string {
  return `${state} ${generation}.${incarnation}`;
}
