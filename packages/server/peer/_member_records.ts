import type { ClusterMember } from "@dnd/client";
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
function httpAddressOf({ metadata }: MemberView): string | null {
  if (metadata.length === 0) return null;
  const told = decodeMetadata(metadata);
  if (typeof told !== "object" || told === null || !("http" in told)) return null;
  return typeof told.http === "string" ? told.http : null;
}

/** A member as `/cluster` shows it. @param ownHttp where this node answers HTTP */
export function clusterMember(member: MemberView, ownHttp: string | null): ClusterMember {
  const { id, name, address, state, self, incarnation, generation, stalled, skewed, rttMs } =
    member;
  return {
    ...{ id, name, address, httpAddress: self ? ownHttp : httpAddressOf(member), state, self },
    ...{ incarnation, generation, stalled, skewed },
    rttMs: rttMs === undefined ? null : Math.round(rttMs * 1000) / 1000,
  };
}
