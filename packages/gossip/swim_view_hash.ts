import type { Member } from "@dnd/protocol";

/** One member's share of the view hash: 32 bits over id, generation, incarnation. */
export function viewHash(member: Member): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < member.id.length; i += 1) {
    hash = Math.imul(hash ^ member.id.charCodeAt(i), 0x01000193);
  }
  hash = mix(hash ^ (member.generation | 0));
  hash = mix(hash ^ (member.incarnation | 0));
  return mix(hash ^ Math.floor(member.incarnation / 2 ** 32)) >>> 0;
}

function mix(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
