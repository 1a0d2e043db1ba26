import type { DndNode } from "./dnd_node.ts";
import type { NodeOptions } from "./node_options.ts";
import { startNode } from "./start_node.ts";

/**
 * Starts a node in this process: entries, gossip, replication, and HTTP if asked for. Nothing global is
 * touched: no signal handlers, nothing on standard output, metrics in a registry of its own.
 *
 * @param options all have defaults: without any it is a node in memory, alone, on free ports
 * @returns the node, once its sockets are open (not once it is ready: see `node.ready()`)
 * @throws {TypeError} or {RangeError} for an option that cannot be used; an error that says what to mend
 *   when a port or the data folder is in use. Nothing is left open then.
 *
 * @example
 * ```ts
 * import { createNode } from "@dnd/server";
 *
 * await using node = await createNode();
 * await node.put("user1", { name: "Jack" }, { ttlMs: 60_000 });
 * await node.get("user1"); // { name: "Jack" }
 * ```
 */
export function createNode(options: NodeOptions = {}): Promise<DndNode> {
  return startNode(options, {});
}
