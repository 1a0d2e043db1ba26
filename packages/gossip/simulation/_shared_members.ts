import type { Member } from "@dnd/protocol";

/**
 * A thousand nodes hold a thousand members each. In one process equal ones are kept once: a decoded
 * member that equals the last one seen with its id is replaced by that one. `Swim` never changes them.
 */
const latest = new Map<string, Member>();
const most = 100_000;

/** The member, or one that equals it. */
export function shared(member: Member): Member {
  const known = latest.get(member.id);
  if (known !== undefined && equal(known, member)) return known;
  if (latest.size >= most) latest.clear();
  latest.set(member.id, member);
  return member;
}

function equal(a: Member, b: Member): boolean {
  return (
    a.generation === b.generation &&
    a.incarnation === b.incarnation &&
    a.state === b.state &&
    a.address === b.address &&
    a.name === b.name &&
    a.flags === b.flags &&
    a.seen === b.seen &&
    a.departed === b.departed &&
    a.accuser === b.accuser &&
    a.evidence === b.evidence &&
    a.bootId === b.bootId &&
    a.protocolMin === b.protocolMin &&
    a.protocolMax === b.protocolMax &&
    a.metadata.length === b.metadata.length &&
    a.metadata.every((byte, i) => byte === b.metadata[i]) &&
    a.extra === undefined &&
    b.extra === undefined
  );
}
