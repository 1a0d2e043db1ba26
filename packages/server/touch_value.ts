import { liveEntry, ttlFrom } from "./live_entry.ts";
import type { NodeCore } from "./node_core.ts";
import { toNodeError } from "./node_error.ts";
import { checkTtl, eventId, type Written } from "./write.ts";

/**
 * Gives a key a new time to live, or none; the value stays. Waiting is left to the caller.
 *
 * @returns undefined if the key is absent
 */
export function beginTouch(
  node: NodeCore,
  key: string,
  ttlMs: number | undefined,
): Written | undefined {
  node.checkOpen();
  checkTtl(ttlMs);
  try {
    const now = node.now();
    const held = liveEntry(node, key, "tell whether the key exists", "not-applied");
    if (held === undefined) return undefined;
    const entry = node.map.put(key, held.value, {
      now,
      ...(held.contentType === undefined ? {} : { contentType: held.contentType }),
      ...(ttlMs === undefined ? {} : { ttlMs: ttlFrom(node, ttlMs) }),
    });
    return { entry, needed: 1, event: eventId(node) };
  } catch (error) {
    throw toNodeError(error);
  }
}
