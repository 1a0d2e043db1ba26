import { expect } from "chai";
import { describe, it } from "mocha";
import { CLUSTER_BUGS } from "./cluster_bugs.ts";
import { runCluster } from "./cluster_run.ts";

/** Each bug shows in the first ten; the rest is room for schedules that change. */
const SEEDS = 40;

describe("the cluster simulation finds", () => {
  for (const { name, rule, checker, faults, commitMs, at, apply } of CLUSTER_BUGS) {
    it(`rule ${rule}: ${name} (${checker})`, () => {
      const how = {
        ...(faults === undefined ? {} : { faults }),
        ...(commitMs === undefined ? {} : { commitMs }),
      };
      const undo = apply();
      try {
        let found = false;
        const first = at?.seed ?? 1;
        const last = at?.seed ?? SEEDS;
        for (let seed = first; seed <= last && !found; seed += 1) {
          const pace = at?.pace ?? "short";
          const { findings } = runCluster({ seed, pace, healSeconds: 15, ...how });
          found = findings.some((finding) => finding.checker === checker);
        }
        expect(found).to.equal(true);
      } finally {
        undo();
      }
    });
  }

  it("by every checker that it has", () => {
    const shown = new Set(CLUSTER_BUGS.map(({ checker }) => checker));
    expect([...shown].sort()).to.deep.equal([
      "bounds",
      "convergence",
      "counter",
      "deletes",
      "liveness",
      "membership",
      "protocol",
      "ready",
      "stamps",
      "writes",
    ]);
  });
});
