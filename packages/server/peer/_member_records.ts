import { decodeMetadata, type MemberView } from "@dnd/gossip";

/** Whether a member is said to be up. */
export function isUp(state: MemberView["state"]): boolean {
  return state === "alive" || state === "suspect";
}

/** A member as its record goes over the wire. */
export function wireMember(member: MemberView) {
  const { id, generation, incarnation, state, address, name, metadata, seen, departed } = member;
  const { protocolMin, protocolMax } = member;
  return {
    ...{ id, generation, incarnation, state, address, name, metadata, seen, departed },
    ...{ protocolMin, protocolMax },
  };
}

/** Where a member answers HTTP, by its own word. */
export function httpAddressOf({ metadata }: MemberView): string | null {
  if (metadata.length === 0) return null;
  const told = decodeMetadata(metadata);
  if (typeof told !== "object" || told === null || !("http" in told)) return null;
  return typeof told.http === "string" ? told.http : null;
}

/** Nested counters as names joined by `_`. */
export function flatten(prefix: string, counters: object, into: Record<string, number>): void {
  for (const [name, value] of Object.entries(counters) as [string, unknown][]) {
    if (typeof value === "number") into[`${prefix}_${name}`] = value;
    else if (typeof value === "object" && value !== null) flatten(`${prefix}_${name}`, value, into);
  }
}
