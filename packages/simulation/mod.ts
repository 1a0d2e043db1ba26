/**
 * The deterministic simulator of dnd: real nodes on a virtual clock, network and disk, with checkers.
 *
 * @example
 * ```ts
 * import { runCluster } from "@dnd/simulation";
 *
 * const { findings, writes } = runCluster({ seed: 1, faultySeconds: 5 });
 * if (findings.length > 0) throw new Error(JSON.stringify(findings));
 * ```
 *
 * @module
 */
export * from "./agreement_checker.ts";
export * from "./bounds_checker.ts";
export * from "./checker.ts";
export * from "./cluster_ledger.ts";
export * from "./cluster_node.ts";
export * from "./cluster_pace.ts";
export * from "./cluster_run.ts";
export * from "./disk_engine.ts";
export * from "./false_death_checker.ts";
export * from "./fault_swarm.ts";
export * from "./heal_figure.ts";
export * from "./lifeguard_figure.ts";
export * from "./load_checker.ts";
export * from "./swim_figures.ts";
export * from "./swim_scenario.ts";
export * from "./swim_steady.ts";
export * from "./swim_world.ts";
