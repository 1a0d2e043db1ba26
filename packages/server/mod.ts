/**
 * One node of dnd in your program: a replicated key-value store without a server beside it.
 *
 * @example
 * ```ts
 * import { createNode } from "@dnd/server";
 *
 * const node = await createNode();
 * await node.put("user1", { name: "Jack" });
 * await node.get("user1"); // { name: "Jack" }
 * await node.close();
 * ```
 *
 * @module
 */

export * from "./create_node.ts";
export * from "./dnd_node.ts";
export * from "./key_value.ts";
export * from "./node_logger.ts";
export * from "./node_options.ts";
export * from "./token_file.ts";
