/**
 * The figures of `packages/gossip/README.md`, each one function of a size and a seed.
 */
import { type Load, LoadChecker } from "./load_checker.ts";
import { detect } from "./swim_steady.ts";
import { SwimWorld } from "./swim_world.ts";

/** A cluster that knows itself and had time to get quiet. */
function quietWorld(nodes: number, seed: number, options: { lossRate?: number } = {}): SwimWorld {
  const network = { lossRate: options.lossRate ?? 0 };
  const world = new SwimWorld({ nodes, seed, network, node: { wire: "parcels" } });
  world.simulation.runUntil(
    () => world.running().every((node) => node.swim.sizes().members === nodes),
    { limitMs: 120_000, everyMs: 100 },
  );
  world.simulation.run(20_000);
  return world;
}

/** Detection of a machine that is switched off: first and everywhere. */
export function detection(
  nodes: number,
  seed: number,
): { firstMs?: number; everywhereMs?: number } {
  return detect(quietWorld(nodes, seed));
}

/** Packets and bytes per node and second at rest, over `seconds`. */
export function rest(nodes: number, seed: number, seconds: number): Load {
  const world = quietWorld(nodes, seed);
  const load = new LoadChecker(world, { maxPacketsPerSecond: Infinity });
  load.begin();
  world.simulation.run(seconds * 1_000);
  return load.load();
}

/** A partition into two halves: ms from its end to full agreement; `undefined` = not in two minutes. */
export function partition(nodes: number, seed: number, durationMs: number): number | undefined {
  const world = quietWorld(nodes, seed, { lossRate: 0.01 });
  const hosts = world.simulation.prng.shuffle([...world.hosts]);
  const half = Math.ceil(hosts.length / 2);
  world.simulation.network.partition([hosts.slice(0, half), hosts.slice(half)]);
  world.simulation.run(durationMs);
  world.simulation.network.heal();
  return world.simulation.runUntil(() => world.agrees(), { limitMs: 120_000, everyMs: 100 });
}

/** All processes end at once and start again within `spreadMs`: ms from the last boot to full views. */
export function massRestart(nodes: number, seed: number, spreadMs: number): number | undefined {
  const world = quietWorld(nodes, seed);
  const { simulation } = world;
  simulation.run(15_000);
  for (const host of world.hosts) host.kill();
  for (const host of world.hosts) {
    simulation.clock.schedule(simulation.prng.between(0, spreadMs), () => host.start());
  }
  simulation.run(spreadMs);
  return simulation.runUntil(() => world.agrees(), { limitMs: 120_000, everyMs: 250 });
}
