/**
 * A swarm of faults: each seed draws its own subset of faults and their rates (swarm testing, Groce et
 * al., 2012: a run that does not use everything at once finds what a mixture hides).
 */
import type { Prng, SimulatedHost } from "@dnd/gossip/simulation";
import type { SwimWorld } from "./swim_world.ts";

/** One kind of fault. */
type Fault = (world: SwimWorld, prng: Prng) => void;

const faults: Readonly<Record<string, Fault>> = {
  pause(world, prng) {
    const host = prng.pick(world.hosts);
    host.pause();
    world.trouble([host]);
    world.simulation.clock.schedule(prng.between(100, 20_000), () => {
      host.resume();
      world.trouble([host]);
    });
  },
  slow(world, prng) {
    const host = prng.pick(world.hosts);
    host.slowMs = prng.between(10, 400);
    world.trouble([host]);
    world.simulation.clock.schedule(prng.between(1_000, 20_000), () => {
      host.slowMs = 0;
      world.trouble([host]);
    });
  },
  restart(world, prng) {
    restart(world, prng, prng.pick(world.hosts), true);
  },
  wipe(world, prng) {
    restart(world, prng, prng.pick(world.hosts), false);
  },
  terminate(world, prng) {
    const host = prng.pick(world.hosts);
    if (host.state !== "running") return;
    host.terminate();
    world.trouble([host]);
    world.simulation.clock.schedule(prng.between(2_000, 20_000), () => {
      host.start();
      world.trouble([host]);
    });
  },
  powerOff(world, prng) {
    const host = prng.pick(world.hosts);
    host.powerOff();
    world.trouble([host]);
    world.simulation.clock.schedule(prng.between(1_000, 30_000), () => {
      host.start();
      world.trouble([host]);
    });
  },
  massRestart(world, prng) {
    for (const host of world.hosts) if (prng.chance(0.8)) restart(world, prng, host, true);
  },
  cut(world, prng) {
    const [a, b] = [prng.pick(world.hosts), prng.pick(world.hosts)];
    world.simulation.network.cut(a, b);
    world.trouble([a, b]);
    world.simulation.clock.schedule(prng.between(1_000, 30_000), () => {
      world.simulation.network.mend(a, b);
      world.trouble([a, b]);
    });
  },
  partition(world, prng) {
    const groups: SimulatedHost[][] = [[], []];
    for (const host of world.hosts) groups[prng.integer(2)]?.push(host);
    world.simulation.network.partition(groups);
    world.trouble();
    world.simulation.clock.schedule(prng.between(500, 40_000), () => {
      world.simulation.network.partition([]);
      world.trouble();
    });
  },
  clockJump(world, prng) {
    prng.pick(world.hosts).wallOffsetMs += prng.between(-3_600_000, 3_600_000);
  },
  weather(world, prng) {
    world.simulation.network.setConditions({
      lossRate: prng.pick([0, 0.01, 0.05, 0.2]),
      maxDelayMs: prng.pick([1.5, 20, 150]),
      duplicateRate: prng.pick([0, 0.05]),
      reorderRate: prng.pick([0, 0.05]),
    });
    world.trouble();
  },
};

function restart(world: SwimWorld, prng: Prng, host: SimulatedHost, keepFolder: boolean): void {
  host.kill();
  if (!keepFolder) host.folder.clear();
  world.trouble([host]);
  world.simulation.clock.schedule(prng.between(0, 5_000), () => {
    host.start();
    world.trouble([host]);
  });
}

/** Names of all faults. */
export const faultNames: readonly string[] = Object.keys(faults);

/** Throws faults at a world until it is told to stop. */
export class FaultSwarm {
  /** The faults that this seed drew. */
  readonly chosen: readonly string[];

  /** Faults thrown. */
  count = 0;
  #world: SwimWorld;
  #prng: Prng;
  #everyMs: number;
  #stopped = false;

  constructor(world: SwimWorld) {
    this.#world = world;
    this.#prng = world.simulation.prng.fork();
    this.chosen = faultNames.filter(() => this.#prng.chance(0.4));
    this.#everyMs = this.#prng.between(500, 8_000);
  }

  start(): void {
    const wait = this.#prng.between(0, 2 * this.#everyMs);
    this.#world.simulation.clock.schedule(wait, () => {
      if (this.#stopped) return;
      this.start();
      if (this.chosen.length === 0) return;
      this.count += 1;
      faults[this.#prng.pick(this.chosen)]?.(this.#world, this.#prng);
    });
  }

  /** No more faults, and all that were thrown are undone: everybody runs, and hears everybody. */
  heal(): void {
    this.#stopped = true;
    const { network } = this.#world.simulation;
    network.heal();
    network.setConditions({ lossRate: 0.01, maxDelayMs: 1.5, duplicateRate: 0, reorderRate: 0 });
    for (const host of this.#world.hosts) {
      host.slowMs = 0;
      host.resume();
      host.start();
    }
    this.#world.trouble();
  }
}
