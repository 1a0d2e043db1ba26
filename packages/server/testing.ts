/**
 * Whole clusters in one process, for tests of programs that use dnd.
 *
 * @example
 * ```ts
 * import { createTestCluster } from "@dnd/server/testing";
 *
 * await using cluster = await createTestCluster({ nodes: 3 });
 * const [first, second] = cluster.nodes;
 * await first?.put("greeting", "hello", { w: "all" });
 * await second?.get("greeting"); // "hello"
 * ```
 *
 * @module
 */

export * from "./create_test_cluster.ts";
