import { setImmediate as nextTurn } from "node:timers/promises";
import type { Entry } from "@dnd/store";
import { listNow } from "./live_entry.ts";
import type { NodeCore } from "./node_core.ts";
import { invalidArgument, toNodeError } from "./node_error.ts";
import { PageSize } from "./page_size.ts";

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
  const size = new PageSize();
  let tombstones: Entry[] = [];
  let deleted = 0;
  let after: string | undefined;
  try {
    for (;;) {
      options.signal?.throwIfAborted();
      node.checkOpen();
      const limit = size.entries;
      const held = node.map.entries({
        prefix,
        limit,
        now: listNow(node, what),
        ...(after === undefined ? {} : { after }),
      });
      size.add(held);
      const now = node.now();
      for (const { key } of held) tombstones.push(node.map.delete(key, { now }));
      const isLast = held.length < limit;
      after = held.at(-1)?.key;
      if (!isLast && tombstones.length < sliceKeys) continue;
      if (tombstones.length > 0) await node.written(tombstones);
      deleted += tombstones.length;
      if (isLast) return deleted;
      tombstones = [];
      await nextTurn();
    }
  } catch (error) {
    throw toNodeError(error);
  }
}
