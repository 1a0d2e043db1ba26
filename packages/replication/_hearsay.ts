import type { Member } from "@dnd/protocol";
import { expectPeer } from "./exchange_error.ts";
import type { MemberTable } from "./member_table.ts";

/** Bounds of what is said of generations, as in the membership layer: no claim may use up those of another member. */
const MAX_GENERATION = 2 ** 48;
const MAX_JUMP = 2 ** 24;

/** Who hears it. */
export interface Hearer {
  readonly table: MemberTable;
  readonly generation: number;
}

/**
 * What is believed of the members that a peer speaks of in an exchange: of others, no leap of generations, and no
 * more members than a table has room for.
 *
 * @throws {ExchangeError} if it says what nobody can say of this node, or of anybody
 */
export function believable(
  members: readonly Member[],
  peer: string,
  { table, generation: own }: Hearer,
): readonly Member[] {
  let room = table.room;
  return members.filter(({ id, generation }) => {
    expectPeer(generation <= MAX_GENERATION, `generation ${generation} of member ${id}`);
    if (id === table.self) {
      expectPeer(generation - own <= MAX_JUMP, `generation ${generation} of this node`);
      return true;
    }
    const held = table.records.get(id);
    if (held !== undefined) return id === peer || generation - held.generation <= MAX_JUMP;
    room -= 1;
    return id === peer || room >= 0;
  });
}
