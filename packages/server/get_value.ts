import type { Entry } from "@dnd/store";
import { liveEntry } from "./live_entry.ts";
import type { NodeCore } from "./node_core.ts";
import { toNodeError } from "./node_error.ts";

/**
 * The live entry of a key.
 *
 * @returns undefined if the key is absent
 * @throws {DndError} `not-ready` when it is not here and the first copy still runs (rule 12): never a
 *   false "absent"
 */
export function getValue(node: NodeCore, key: string): Entry | undefined {
  try {
    return liveEntry(node, key, "tell whether the key exists");
  } catch (error) {
    throw toNodeError(error);
  }
}
