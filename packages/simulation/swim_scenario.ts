import { AgreementChecker } from "./agreement_checker.ts";
import { BoundsChecker } from "./bounds_checker.ts";
import type { Checker, Violation } from "./checker.ts";
import { FalseDeathChecker } from "./false_death_checker.ts";
import { FaultSwarm } from "./fault_swarm.ts";
import { LoadChecker } from "./load_checker.ts";
import { SwimWorld, type SwimWorldOptions } from "./swim_world.ts";

/** Options of {@linkcode runSwimScenario}. */
export interface SwimScenarioOptions extends SwimWorldOptions {
  /** Virtual time under faults, after the cluster formed. Default 120 s. */
  readonly safetyMs?: number;

  /** Virtual time that the cluster has to agree once everything is healed. Default 120 s. */
  readonly livenessMs?: number;
}

/** What a run gave. */
export interface SwimScenarioReport {
  readonly seed: number;
  readonly faults: readonly string[];
  readonly faultCount: number;

  /** Time from healing everything to agreement; absent if it never came. */
  readonly agreedMs?: number;
  readonly violations: readonly Violation[];
  readonly traceHash: string;

  /** The command that runs it again. */
  readonly replay: string;
}

const agreeEveryMs = 250;
const restMs = 30_000;

/** First a safety phase under a swarm of faults, then everything is healed and has to become good again. */
export function runSwimScenario(options: SwimScenarioOptions): SwimScenarioReport {
  const seed = options.seed ?? 1;
  const world = new SwimWorld(options);
  const load = new LoadChecker(world, { maxPacketsPerSecond: 8 });
  const checkers: Checker[] = [
    new AgreementChecker(world),
    new FalseDeathChecker(world, { graceMs: 60_000 }),
    new BoundsChecker(world, { maxDatagramBytes: 1352 }),
    load,
  ];
  const check = (ms: number): void => {
    for (let rest = ms; rest > 0; rest -= 1_000) {
      world.simulation.run(Math.min(1_000, rest));
      for (const checker of checkers) checker.check?.();
    }
  };
  check(10_000);
  const swarm = new FaultSwarm(world);
  swarm.start();
  check(options.safetyMs ?? 120_000);
  swarm.heal();
  const agreedMs = world.simulation.runUntil(() => world.agrees(), {
    limitMs: options.livenessMs ?? 120_000,
    everyMs: agreeEveryMs,
  });
  check(restMs);
  load.begin();
  check(restMs);
  for (const checker of checkers) checker.finish?.();
  return {
    seed,
    faults: swarm.chosen,
    faultCount: swarm.count,
    ...(agreedMs === undefined ? {} : { agreedMs }),
    violations: checkers.flatMap((checker) => checker.violations),
    traceHash: world.simulation.traceHash,
    replay: `npx nx run simulation:swim -- --faults --nodes ${options.nodes} --seed ${seed}`,
  };
}
