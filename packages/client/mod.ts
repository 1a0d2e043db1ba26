/**
 * The typed HTTP client of dnd, and the interface that it shares with an embedded node.
 *
 * @example
 * ```ts
 * import { createClient } from "@dnd/client";
 *
 * const dnd = createClient({ urls: ["http://127.0.0.1:6080"] });
 * await dnd.put("user1", { name: "Jack" });
 * await dnd.get("user1"); // { name: "Jack" }
 * await dnd.close();
 * ```
 *
 * @module
 */

export * from "./check_key.ts";
export * from "./client_options.ts";
export * from "./create_client.ts";
export * from "./dnd_error.ts";
export * from "./etag.ts";
export * from "./key_value.ts";
export * from "./key_value_types.ts";
export * from "./operations.ts";
export * from "./value_codec.ts";
export * from "./watch.ts";
