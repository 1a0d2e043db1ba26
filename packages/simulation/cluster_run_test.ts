import { expect } from "chai";
import { describe, it } from "mocha";
import process from "node:process";
import type { ClusterPace } from "./cluster_pace.ts";
import { runCluster } from "./cluster_run.ts";

const FULL = process.env.DND_FULL === "1";

function keepsPromises(first: number, last: number, pace: ClusterPace): void {
  for (let seed = first; seed <= last; seed += 1) {
    const { findings } = runCluster({ seed, pace });
    const replay = `npx nx run simulation:cluster -- --seed ${seed} --pace ${pace}`;
    expect(findings, replay).to.deep.equal([]);
  }
}

describe("runCluster() keeps every promise, whatever happens", () => {
  for (let first = 1; first <= 200; first += 25) {
    it(`seeds ${first} to ${first + 24}`, () => keepsPromises(first, first + 24, "short"));
  }

  it("with members that come, go, are wiped and forgotten (rules 1 and 3)", () =>
    keepsPromises(1, FULL ? 300 : 6, "churn"));

  // Deletes of nodes that nobody counted yet: retained below the ceiling of a restart, forgotten by one that was
  // alone and restarted, by one that was alone and took over what the cluster had seen.
  for (const seed of [1206, 1257, 1944, 2872]) {
    it(`with deletes taken alone (rule 1), seed ${seed}`, () => keepsPromises(seed, seed, "churn"));
  }

  // Two that found each other while the seeds of one are silent: what they prove does not count.
  for (const seed of [3655, 41_555]) {
    it(`with clusters that are founded beside an older one (rules 1 and 12), seed ${seed}`, () =>
      keepsPromises(seed, seed, "churn"));
  }

  it("with long faults, every packet as bytes", () => keepsPromises(1, FULL ? 300 : 2, "long"));
});

describe("runCluster()", () => {
  it("is the same run for the same seed", () => {
    const run = (): unknown => runCluster({ seed: 77, faultySeconds: 15 });
    expect(run()).to.deep.equal(run());
  });
});
