import { setImmediate as nextTurn } from "node:timers/promises";
import type { Entry } from "@dnd/store";
import type { NodeCore } from "./node_core.ts";
import { invalidArgument, notReady, toNodeError } from "./node_error.ts";

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
  if (!node.ready) throw notReady("list the keys to delete", "not-applied");
  let deleted = 0;
  let after: string | undefined;
  try {
    for (;;) {
      options.signal?.throwIfAborted();
      node.checkOpen();
      const now = node.now();
      const held = node.map.entries({
        prefix,
        limit: sliceKeys,
        now,
        ...(after === undefined ? {} : { after }),
      });
      const last = held.at(-1);
      if (last === undefined) return deleted;
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
