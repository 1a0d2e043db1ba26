import type { Outcome } from "@dnd/client";
import type { Entry } from "@dnd/store";
import type { NodeCore } from "./node_core.ts";
import { maxDurationMs } from "./duration.ts";
import { notReady } from "./node_error.ts";

const unknownTime = [
  "no other member's clock was heard yet, and by this node's own values have expired",
];

/**
 * The live entry of a key.
 *
 * Whether a value has expired is not told by a clock that the others contradict, and not by one that could
 * not be compared yet where it alone makes the difference (rules 8 and 12): never a false "absent".
 *
 * @param what the reader wants to do, for the error
 * @returns undefined if the key is absent
 * @throws {DndError} `not-ready`
 */
export function liveEntry(
  node: NodeCore,
  key: string,
  what: string,
  outcome?: Outcome,
): Entry | undefined {
  const { map } = node;
  const entry = map.get(key, { now: node.now() });
  // No clock makes a difference to this one: nearly every value that is read.
  if (entry !== undefined && entry.expiresAt === undefined) return entry;
  const now = node.readNow();
  const live = now === undefined ? entry : map.get(key, { now });
  if (live !== undefined) return live;
  const told = outcome === undefined ? {} : { outcome };
  if (!node.ready) throw notReady(what, { ...told, reasons: node.readiness().reasons ?? [] });
  if (now === undefined) {
    const held = map.peek(key);
    if (held?.expiresAt !== undefined && held.deleted !== true) {
      throw notReady(what, { ...told, reasons: unknownTime });
    }
  }
  return undefined;
}

/**
 * The moment that a list goes by.
 *
 * @param what the reader wants to do, for the error
 * @throws {DndError} `not-ready`, also while a clock that was not compared makes a difference
 */
export function listNow(node: NodeCore, what: string, outcome?: Outcome): number {
  const told = outcome === undefined ? {} : { outcome };
  if (!node.ready) throw notReady(what, { ...told, reasons: node.readiness().reasons ?? [] });
  const now = node.readNow();
  if (now !== undefined) return now;
  const own = node.now();
  const { nextExpiry } = node.map;
  if (nextExpiry === undefined || nextExpiry > own) return own;
  throw notReady(what, { ...told, reasons: unknownTime });
}

/**
 * A time to live as the map counts it, from this node's clock, so that it ends when it should by the others'.
 */
export function ttlFrom(node: NodeCore, ttlMs: number): number {
  const now = node.now();
  return Math.min(maxDurationMs, Math.max(1, ttlMs + (node.readNow() ?? now) - now));
}
