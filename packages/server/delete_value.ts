import type { DeleteReceipt } from "@dnd/client";
import { checkConditions } from "./conditions.ts";
import type { NodeCore } from "./node_core.ts";
import { toNodeError } from "./node_error.ts";
import { eventId, finishWrite, neededBy, type WriteOptions, type Written } from "./write.ts";

/** Everything of a delete but the waiting. */
export function beginDelete(
  node: NodeCore,
  key: string,
  options: WriteOptions,
): Written & { readonly existed: boolean } {
  node.checkOpen();
  const needed = neededBy(node, options.w);
  try {
    checkConditions(node, key, options);
    const now = node.now();
    const existed = node.map.has(key, { now: node.readNow() ?? now });
    const entry = node.map.delete(key, { now });
    return { entry, needed, event: eventId(node), existed };
  } catch (error) {
    throw toNodeError(error);
  }
}

/** Deletes a key, whether or not it is held here: it may be held elsewhere. */
export async function deleteValue(
  node: NodeCore,
  key: string,
  options: WriteOptions,
): Promise<DeleteReceipt> {
  const begun = beginDelete(node, key, options);
  const receipt = await finishWrite(node, begun, options);
  return { ...receipt, existed: begun.existed };
}
