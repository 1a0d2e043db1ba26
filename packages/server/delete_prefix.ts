import { setImmediate as nextTurn } from "node:timers/promises";
import type { Entry } from "@dnd/store";
import { listNow } from "./live_entry.ts";
import type { NodeCore } from "./node_core.ts";
import { invalidArgument, toNodeError } from "./node_error.ts";

/** Keys that are deleted between two turns of the event loop. */
const sliceKeys = 500;

/**
 * Deletes all keys that start so. Not atomic: slices of 500, each durable before the next.
 *
 * @param prefix not empty
 * @returns how many live keys were deleted
 */
export async function deletePrefix(
  node: NodeCore,
  prefix: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<number> {
  if (prefix === "") throw invalidArgument("Cannot delete by prefix: the prefix is empty");
  const what = "list the keys to delete";
  listNow(node, what, "not-applied");
  let deleted = 0;
  let after: string | undefined;
  try {
    for (;;) {
      options.signal?.throwIfAborted();
      node.checkOpen();
      const held = node.map.entries({
        prefix,
        limit: sliceKeys,
        now: listNow(node, what),
        ...(after === undefined ? {} : { after }),
      });
      const last = held.at(-1);
      if (last === undefined) return deleted;
      const now = node.now();
      const tombstones: Entry[] = held.map((entry) => node.map.delete(entry.key, { now }));
      await node.written(tombstones);
      deleted += tombstones.length;
      if (held.length < sliceKeys) return deleted;
      after = last.key;
      await nextTurn();
    }
  } catch (error) {
    throw toNodeError(error);
  }
}
