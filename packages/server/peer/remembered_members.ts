import { decode, encode, type Member } from "@dnd/protocol";
import type { VersionedMap } from "@dnd/store";
import type { NodeLogger } from "../node_logger.ts";

/** The name of the durable value, beside the entries. */
const metaName = "members";

/** The members of the last life of this data folder: they are called at start, whatever the command. */
export function loadMembers(map: VersionedMap, logger: NodeLogger): readonly Member[] {
  const bytes = map.getMeta(metaName);
  if (bytes === undefined) return [];
  try {
    return decode(bytes, "MemberPage").members;
  } catch (error) {
    logger.warn({ err: error }, "the remembered members cannot be read; seeds are called alone");
    return [];
  }
}

/** Keeps the members in the data folder. */
export function saveMembers(map: VersionedMap, members: readonly Member[]): void {
  map.setMeta(metaName, encode({ members, last: true }, "MemberPage"));
}
