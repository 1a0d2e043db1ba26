import { BoundsChecker } from "./bounds_checker.ts";
import type { Violation } from "./checker.ts";
import { FalseDeathChecker } from "./false_death_checker.ts";
import { type Load, LoadChecker } from "./load_checker.ts";
import { SwimWorld, type SwimWorldOptions } from "./swim_world.ts";

/** Options of {@linkcode runSteady}. */
export interface SteadyOptions extends SwimWorldOptions {
  /** Virtual minutes, after the cluster formed. */
  readonly minutes: number;

  /** Called after each virtual minute, with the false deaths so far. */
  readonly onMinute?: (minute: number, falseDeaths: number) => void;
}

/** What a run gave. */
export interface SteadyReport {
  /** From the start of the first node to full views everywhere; absent if that never came. */
  readonly formedMs?: number;

  /** Times a node held a running process dead. */
  readonly falseDeaths: number;

  /** Accusations by own probes, summed over all nodes. */
  readonly accusations: number;
  readonly load: Load;

  /** From switching one machine off at the end: the first that holds it dead, and the last. */
  readonly firstMs?: number;
  readonly everywhereMs?: number;
  readonly packets: number;
  readonly violations: readonly Violation[];
  readonly traceHash: string;
}

/** A cluster at rest under loss for as long as wanted; in the end one machine is switched off. */
export function runSteady(options: SteadyOptions): SteadyReport {
  const world = new SwimWorld({ ...options, node: { wire: "parcels", ...options.node } });
  const { simulation } = world;
  const bounds = new BoundsChecker(world, { maxDatagramBytes: 1352 });
  const deaths = new FalseDeathChecker(world, { graceMs: 0 });
  const load = new LoadChecker(world, { maxPacketsPerSecond: 4 });
  const formed = (): boolean =>
    world.running().every((node) => node.swim.sizes().members === options.nodes);
  const formedMs = simulation.runUntil(formed, { limitMs: 120_000, everyMs: 100 });
  simulation.run(30_000);
  load.begin();
  for (let minute = 1; minute <= options.minutes; minute += 1) {
    simulation.run(60_000);
    bounds.check();
    options.onMinute?.(minute, deaths.ofRunning);
  }
  load.finish();
  const rest = load.load();
  const { packets } = { packets: simulation.network.counters.datagrams };
  const detection = detect(world);
  const accusations = world
    .running()
    .reduce((sum, node) => sum + node.swim.counters.suspicionsRaised, 0);
  return {
    ...(formedMs === undefined ? {} : { formedMs }),
    falseDeaths: deaths.ofRunning,
    accusations,
    load: rest,
    ...detection,
    packets,
    violations: [...bounds.violations, ...deaths.violations, ...load.violations],
    traceHash: simulation.traceHash,
  };
}

/** Switches one machine off, and measures until the first and the last of the others hold it dead. */
export function detect(world: SwimWorld): { firstMs?: number; everywhereMs?: number } {
  const { simulation } = world;
  const victim = simulation.prng.pick(world.hosts);
  const { id } = world.node(victim);
  const start = world.now;
  const times = new Map<string, number>();
  world.observers.push((event, node) => {
    if (event.type === "dead" && event.member.id === id && !times.has(node.id)) {
      times.set(node.id, world.now - start);
    }
  });
  victim.powerOff();
  world.trouble([victim]);
  const others = world.running().length;
  simulation.runUntil(() => times.size >= others, { limitMs: 120_000, everyMs: 100 });
  if (times.size < others) return {};
  const all = [...times.values()];
  return { firstMs: Math.min(...all), everywhereMs: Math.max(...all) };
}
