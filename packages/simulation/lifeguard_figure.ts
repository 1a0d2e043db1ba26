/**
 * The experiment of the Lifeguard paper (Dadgar, Phillips, Currey, 2017, section V): of 128 members 32 fall
 * ill again and again for two minutes. How often is a member held dead that never was ill?
 */
import { Swim, type StreamProbeOutcome, type Effect } from "@dnd/gossip";
import type { SimulatedHost, SwimNodeOptions } from "@dnd/gossip/simulation";
import { SwimWorld } from "./swim_world.ts";

/**
 * How a member is ill. `blocked`: its timers run, and what it sends and receives waits, which is what the
 * paper does. `paused`: the whole process stands, as by SIGSTOP or on a starved machine.
 */
export type Illness = "blocked" | "paused";

/**
 * What is on trial. `lifeguard`: all that `Swim` has. `no-local-health`: without the local health multiplier
 * and the caution after own stalls. `swim`: the detector of the SWIM paper alone; besides there is no stream
 * probe, and a suspicion has the least timeout from its start, whoever confirms it.
 */
export type Protocol = "lifeguard" | "no-local-health" | "swim";

/** Options of {@linkcode lifeguardFigure}. */
export interface LifeguardOptions {
  readonly nodes: number;
  readonly ill: number;
  readonly seed: number;
  readonly minutes: number;
  readonly illness: Illness;
  readonly protocol: Protocol;
}

/** Declarations of death, by whom they are seen and whom they are about. */
export interface LifeguardCounts {
  /** Of members that never were ill, seen by anybody (FP of the paper). */
  readonly falseDeaths: number;

  /** Of these, seen by members that never were ill (FP- of the paper). */
  readonly amongHealthy: number;

  /** Of members that were ill. */
  readonly deathsOfIll: number;
}

// Tables of the paper: how long an anomaly lasts, and how long there is none, in ms.
const durations = [128, 512, 2_048, 8_192, 16_384, 32_768];
const intervals = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384];

/** A stream probe tells nothing: there is none in SWIM. */
class WithoutStreams extends Swim {
  override handleStreamProbe(token: number, _outcome: StreamProbeOutcome, now: number): Effect[] {
    return super.handleStreamProbe(token, "failed", now);
  }
}

const protocols: Readonly<Record<Protocol, Omit<SwimNodeOptions, "onEvent">>> = {
  lifeguard: {},
  "no-local-health": { localHealth: false },
  swim: {
    localHealth: false,
    timing: { suspicionMaxMult: 1, streamProbeTimeoutMs: 1 },
    machine: (options, dependencies) => new WithoutStreams(options, dependencies),
  },
};

/** Runs the experiment once. */
export function lifeguardFigure(options: LifeguardOptions): LifeguardCounts {
  const { nodes, seed, protocol } = options;
  const world = new SwimWorld({ nodes, seed, node: { wire: "parcels", ...protocols[protocol] } });
  const { simulation } = world;
  const { prng } = simulation;
  simulation.run(30_000);
  const ill = new Set(prng.shuffle([...world.hosts]).slice(0, options.ill));
  const counts = { falseDeaths: 0, amongHealthy: 0, deathsOfIll: 0 };
  world.observers.push((event, node) => {
    if (event.type !== "dead") return;
    const host = world.hostOf(event.member.id);
    if (host === undefined) return;
    if (ill.has(host)) {
      counts.deathsOfIll += 1;
      return;
    }
    counts.falseDeaths += 1;
    if (!ill.has(node.host)) counts.amongHealthy += 1;
  });
  const turn = (host: SimulatedHost): void => {
    simulation.clock.schedule(prng.pick(intervals), () => {
      if (options.illness === "blocked") host.block();
      else host.pause();
      simulation.clock.schedule(prng.pick(durations), () => {
        host.unblock();
        host.resume();
        turn(host);
      });
    });
  };
  for (const host of ill) turn(host);
  simulation.run(options.minutes * 60_000);
  return counts;
}
