/**
 * The command `npx nx run simulation:swim -- [options]`. One virtual cluster at rest under loss, and one
 * machine switched off at the end:
 *
 *     --nodes 1000 --loss 0.05 --minutes 60 --seed 1
 *
 * With `--faults` a seed is a run under a swarm of faults, then healed; `--seeds 100` runs so many from
 * `--seed` on and prints what failed with the command that replays it.
 *
 * With `--figure detection|rest|partition|restart|lifeguard` the figures of `packages/gossip/README.md`.
 */
import process from "node:process";
import { readArguments } from "./_arguments.ts";
import { printTable } from "./_table.ts";
import { lifeguardFigure } from "./lifeguard_figure.ts";
import { detection, massRestart, partition, rest } from "./swim_figures.ts";
import { runSwimScenario } from "./swim_scenario.ts";
import { runSteady } from "./swim_steady.ts";

const options = readArguments(process.argv.slice(2), {
  nodes: 0,
  loss: 0.05,
  minutes: 10,
  seed: 1,
  seeds: 1,
  seconds: 60,
  faults: false,
  figure: "",
});
const seeds = Array.from({ length: options.seeds }, (_, i) => options.seed + i);
const started = process.cpuUsage();
const startedAt = Date.now();

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? "never" : `${(ms / 1_000).toFixed(1)} s`;
}

function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function summary(values: readonly (number | undefined)[]): string {
  const known = values.filter((value) => value !== undefined);
  const missing = values.length - known.length;
  const most = known.length === 0 ? undefined : Math.max(...known);
  const text = `${seconds(median(known))} (at most ${seconds(most)})`;
  return missing === 0 ? text : `${text}, ${missing} never`;
}

function runFaults(): boolean {
  let failed = 0;
  const agreed: number[] = [];
  for (const seed of seeds) {
    const report = runSwimScenario({ nodes: options.nodes || 10, seed });
    if (report.agreedMs !== undefined) agreed.push(report.agreedMs);
    if (report.violations.length === 0) continue;
    failed += 1;
    print(`seed ${seed} failed after ${report.faultCount} faults: ${report.faults.join(", ")}`);
    for (const { checker, at, message } of report.violations) {
      print(`  ${seconds(at)}  ${checker}: ${message}`);
    }
    print(`  replay: ${report.replay}`);
  }
  printTable([
    ["seeds", "failed", "healed after, median", "at most"],
    [
      `${seeds.length}`,
      `${failed}`,
      seconds(median(agreed)),
      seconds(agreed.length > 0 ? Math.max(...agreed) : undefined),
    ],
  ]);
  return failed === 0;
}

function runRest(): boolean {
  const nodes = options.nodes || 1_000;
  const { seed, minutes, loss } = options;
  const onMinute = (minute: number, falseDeaths: number): void => {
    if (minute % 60 !== 0 || minute === minutes) return;
    print(
      `${minute / 60} h, ${seconds(Date.now() - startedAt)} of real time: ${falseDeaths} false deaths`,
    );
  };
  const report = runSteady({ nodes, seed, minutes, network: { lossRate: loss }, onMinute });
  printTable([
    ["nodes", "loss", "virtual time", "seed", "formed after", "false deaths", "accusations"],
    [
      `${nodes}`,
      `${100 * loss} %`,
      `${minutes} min`,
      `${seed}`,
      seconds(report.formedMs),
      `${report.falseDeaths}`,
      `${report.accusations}`,
    ],
  ]);
  printTable([
    ["packets/node/s", "bytes/node/s", "one off: first", "everywhere", "packets", "trace hash"],
    [
      report.load.packets.toFixed(2),
      report.load.bytes.toFixed(0),
      seconds(report.firstMs),
      seconds(report.everywhereMs),
      `${report.packets}`,
      report.traceHash,
    ],
  ]);
  for (const { checker, at, message } of report.violations) {
    print(`violated at ${seconds(at)}: ${checker}: ${message}`);
  }
  return report.violations.length === 0;
}

function runFigure(figure: string): boolean {
  const sizes = (usual: readonly number[]): readonly number[] =>
    options.nodes > 0 ? [options.nodes] : usual;
  switch (figure) {
    case "detection": {
      const rows = sizes([3, 20, 100, 1_000]).map((nodes) => {
        const all = seeds.map((seed) => detection(nodes, seed));
        const first = summary(all.map(({ firstMs }) => firstMs));
        return [`${nodes}`, first, summary(all.map(({ everywhereMs }) => everywhereMs))];
      });
      printTable([["nodes", "first", "everywhere"], ...rows]);
      return true;
    }
    case "rest": {
      const rows = sizes([10, 100, 1_000, 2_000]).map((nodes) => {
        const { packets, bytes } = rest(nodes, options.seed, options.seconds);
        return [`${nodes}`, packets.toFixed(2), bytes.toFixed(0)];
      });
      printTable([["nodes", "packets/node/s", "bytes/node/s"], ...rows]);
      return true;
    }
    case "partition": {
      const nodes = options.nodes || 10;
      const healed = seeds.map((seed) => partition(nodes, seed, options.seconds * 1_000));
      printTable([
        ["nodes", "partition", "seeds", "healed", "after"],
        [
          `${nodes}`,
          `${options.seconds} s`,
          `${seeds.length}`,
          `${healed.filter((ms) => ms !== undefined).length}`,
          summary(healed),
        ],
      ]);
      return healed.every((ms) => ms !== undefined);
    }
    case "restart": {
      const rows = sizes([10, 100, 1_000]).map((nodes) => [
        `${nodes}`,
        summary(seeds.map((seed) => massRestart(nodes, seed, 5_000))),
      ]);
      printTable([["nodes restarted within 5 s", "full views after the last boot"], ...rows]);
      return true;
    }
    case "lifeguard": {
      const nodes = options.nodes || 128;
      const rows = (["blocked", "paused"] as const).flatMap((illness) =>
        (["lifeguard", "no-local-health", "swim"] as const).map((protocol) => {
          const sum = { falseDeaths: 0, amongHealthy: 0, deathsOfIll: 0 };
          for (const seed of seeds) {
            const { minutes } = options;
            const one = lifeguardFigure({
              nodes,
              ill: nodes / 4,
              seed,
              minutes,
              illness,
              protocol,
            });
            sum.falseDeaths += one.falseDeaths;
            sum.amongHealthy += one.amongHealthy;
            sum.deathsOfIll += one.deathsOfIll;
          }
          return [illness, protocol, ...Object.values(sum).map((count) => `${count}`)];
        }),
      );
      printTable([
        ["a quarter is", "protocol", "false deaths", "seen by healthy nodes", "deaths of the ill"],
        ...rows,
      ]);
      return true;
    }
    default:
      throw new TypeError(`Cannot run: there is no figure "${figure}"`);
  }
}

const good =
  options.figure !== "" ? runFigure(options.figure) : options.faults ? runFaults() : runRest();
const cpu = process.cpuUsage(started);
print(
  `took ${seconds(Date.now() - startedAt)}, ${seconds((cpu.user + cpu.system) / 1_000)} of one core`,
);
process.exitCode = good ? 0 : 1;
