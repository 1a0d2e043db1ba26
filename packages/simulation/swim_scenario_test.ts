import { expect } from "chai";
import { type Effect, type StreamProbeOutcome, Swim } from "@dnd/gossip";
import type { Envelope } from "@dnd/protocol";
import { FalseDeathChecker } from "./false_death_checker.ts";
import { runSwimScenario, type SwimScenarioReport } from "./swim_scenario.ts";
import { SwimWorld } from "./swim_world.ts";

const full = process.env["DND_FULL"] === "1";

/** What a driver passes with each packet. */
type From = Parameters<Swim["handleMessage"]>[1];

/** Hears nothing but pings after 20 s, and believes no stream: it holds everybody dead. */
class Hasty extends Swim {
  override handleMessage(envelope: Envelope, from: From, now: number): Effect[] {
    if (now > 20_000 && envelope.message?.type !== "ping") return [];
    const members = now > 20_000 ? [] : envelope.members;
    return super.handleMessage({ ...envelope, members }, from, now);
  }

  override handleStreamProbe(token: number, _outcome: StreamProbeOutcome, now: number): Effect[] {
    return super.handleStreamProbe(token, "failed", now);
  }
}

/** Hears no rumor once it knows somebody. */
class Deaf extends Swim {
  override handleMessage(envelope: Envelope, from: From, now: number): Effect[] {
    const members = now > 12_000 ? [] : envelope.members;
    return super.handleMessage({ ...envelope, members }, from, now);
  }

  override mergeMembers(...args: Parameters<Swim["mergeMembers"]>): Effect[] {
    return args[2] > 12_000 ? [] : super.mergeMembers(...args);
  }
}

/** Keeps to no packet size. */
class Fat extends Swim {
  override handleTimer(token: number, now: number): Effect[] {
    return super
      .handleTimer(token, now)
      .map((effect) =>
        effect.type === "send"
          ? { ...effect, envelope: { ...effect.envelope, padding: 1_400 } }
          : effect,
      );
  }
}

/** Says everything ten times. */
class Chatty extends Swim {
  override handleTimer(token: number, now: number): Effect[] {
    return super
      .handleTimer(token, now)
      .flatMap((effect) => Array.from({ length: effect.type === "send" ? 10 : 1 }, () => effect));
  }
}

function runBroken(machine: typeof Swim, seed: number): SwimScenarioReport {
  return runSwimScenario({
    nodes: 6,
    seed,
    safetyMs: 20_000,
    livenessMs: 10_000,
    node: { machine: (options, dependencies) => new machine(options, dependencies) },
  });
}

function text(report: SwimScenarioReport): string {
  const lines = report.violations.map(({ checker, message }) => `${checker}: ${message}`);
  return [`seed ${report.seed} fails; replay: ${report.replay}`, ...lines].join("\n");
}

describe("runSwimScenario()", () => {
  const seeds = full ? 500 : 12;

  it(`holds under ${seeds} seeds of faults, and heals`, function () {
    this.timeout(3_600_000);
    for (let seed = 1; seed <= seeds; seed += 1) {
      const report = runSwimScenario({ nodes: 4 + (seed % 9), seed, safetyMs: 60_000 });
      expect(report.violations, text(report)).to.deep.equal([]);
    }
  });

  it("gives the same trace hash for the same seed, and another for another", () => {
    const run = (seed: number): string =>
      runSwimScenario({ nodes: 5, seed, safetyMs: 30_000 }).traceHash;
    expect(run(3)).to.equal(run(3));
    expect(run(3)).not.to.equal(run(4));
  });

  it("says how to run a seed again", () => {
    const { replay } = runSwimScenario({ nodes: 3, seed: 9, safetyMs: 1_000 });
    expect(replay).to.equal("npx nx run simulation:swim -- --faults --nodes 3 --seed 9");
  });
});

describe("the checkers fail on builds that are broken on purpose", () => {
  it("no false death: Hasty", () => {
    const world = new SwimWorld({
      nodes: 6,
      node: { machine: (options, dependencies) => new Hasty(options, dependencies) },
    });
    const checker = new FalseDeathChecker(world, { graceMs: 1_000 });
    world.simulation.run(20_000);
    expect(checker.violations).to.deep.equal([]);
    world.simulation.run(60_000);
    expect(checker.violations.length).to.be.above(0);
  });

  for (const [checker, machine] of [
    ["agreement", Deaf],
    ["bounds", Fat],
    ["constant load", Chatty],
  ] as const) {
    it(`${checker}: ${machine.name}`, () => {
      const seen = new Set<string>();
      for (let seed = 1; seed <= 3 && !seen.has(checker); seed += 1) {
        for (const violation of runBroken(machine, seed).violations) seen.add(violation.checker);
      }
      expect([...seen]).to.include(checker);
    });
  }
});
