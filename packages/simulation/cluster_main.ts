/**
 * `nx run simulation:cluster -- --seeds 10000`: whole clusters under faults, one after the other. A seed
 * that fails is printed with the command that replays it. One seed in ten has the long pace and one in ten
 * is churn, or all have the pace that `--pace long`, `--pace short` or `--pace churn` says. `--figure heal`:
 * how long splits of a minute take to heal.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import type { ClusterPace } from "./cluster_pace.ts";
import { runCluster } from "./cluster_run.ts";
import { healFigure, type HealTimes } from "./heal_figure.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    first: { type: "string", default: "1" },
    seed: { type: "string" },
    nodes: { type: "string" },
    pace: { type: "string" },
    figure: { type: "string" },
    profile: { type: "string", default: "lan" },
  },
});
if (values.figure === "heal") {
  tellHeal(Number(values.first), Number(values.seeds));
  process.exit(0);
}
const first = Number(values.seed ?? values.first);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const nodes = values.nodes === undefined ? {} : { nodes: Number(values.nodes) };
const paceOf = (seed: number): ClusterPace => {
  if (values.pace === "long" || values.pace === "short" || values.pace === "churn") {
    return values.pace;
  }
  if (seed % 10 === 5) return "churn";
  return seed % 10 === 0 ? "long" : "short";
};
const totals = { writes: 0, faults: 0, exchanges: 0, reaped: 0, setAside: 0 };
const healed: number[] = [];
let failed = 0;
const startedAt = performance.now();
for (let seed = first; seed < first + count; seed += 1) {
  const pace = paceOf(seed);
  const result = runCluster({ seed, pace, ...nodes });
  for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += result[name];
  healed.push(result.healedMs);
  if (result.findings.length > 0) {
    failed += 1;
    process.stdout.write(`seed ${seed}: ${JSON.stringify(result.findings)}\n`);
    process.stdout.write(
      `  replay: npx nx run simulation:cluster -- --seed ${seed} --pace ${pace}\n`,
    );
  }
  if (values.seed !== undefined) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
}
healed.sort((a, b) => a - b);
const at = (part: number): string => {
  const ms = healed[Math.min(healed.length - 1, Math.floor(healed.length * part))];
  return `${((ms ?? 0) / 1000).toFixed(1)} s`;
};
const seconds = (performance.now() - startedAt) / 1000;
process.stdout.write(
  `${count} seeds, ${failed} failed; ${totals.writes} writes acknowledged, ${totals.faults} faults, ` +
    `${totals.exchanges} exchanges, ${totals.reaped} deletes forgotten, ${totals.setAside} set aside; ` +
    `agreed after the faults: p50 ${at(0.5)}, p99 ${at(0.99)}; ${seconds.toFixed(1)} s\n`,
);
process.exitCode = failed === 0 ? 0 : 1;

function tellHeal(from: number, seeds: number): void {
  const profile = values.profile === "local" || values.profile === "wan" ? values.profile : "lan";
  const times: HealTimes[] = [];
  for (let seed = from; seed < from + seeds; seed += 1) times.push(healFigure({ seed, profile }));
  const names = {
    firstMs: "one knows of one of the other side",
    metMs: "all know of all",
    exchangedMs: "the first exchange between the sides is complete",
    equalMs: "all are equal",
  };
  for (const [name, text] of Object.entries(names) as [keyof HealTimes, string][]) {
    const sorted = times.map((time) => time[name]).sort((a, b) => a - b);
    const part = (of: number): string => {
      const ms = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * of))] ?? 0;
      return `${(ms / 1000).toFixed(2)} s`;
    };
    process.stdout.write(`${text}: p50 ${part(0.5)}, p99 ${part(0.99)}, most ${part(1)}\n`);
  }
}
