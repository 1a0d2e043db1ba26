import type { Entry } from "@dnd/store";
import type { NodeCore } from "./node_core.ts";
import { notReady, toNodeError } from "./node_error.ts";

/**
 * The live entry of a key.
 *
 * @returns undefined if the key is absent
 * @throws {DndError} `not-ready` when it is not here and the first copy still runs (rule 12): never a
 *   false "absent"
 */
export function getValue(node: NodeCore, key: string): Entry | undefined {
  let entry: Entry | undefined;
  try {
    entry = node.map.get(key, { now: node.now() });
  } catch (error) {
    throw toNodeError(error);
  }
  if (entry === undefined && !node.ready) throw notReady(`tell whether the key exists`);
  return entry;
}
