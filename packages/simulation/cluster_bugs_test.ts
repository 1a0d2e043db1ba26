import { expect } from "chai";
import { describe, it } from "mocha";
import { CLUSTER_BUGS } from "./cluster_bugs.ts";
import { runCluster } from "./cluster_run.ts";

/** Each bug shows in the first ten; the rest is room for schedules that change. */
const SEEDS = 40;

describe("the cluster simulation finds", () => {
  for (const { name, rule, faults, commitMs, apply } of CLUSTER_BUGS) {
    it(`rule ${rule}: ${name}`, () => {
      const how = {
        ...(faults === undefined ? {} : { faults }),
        ...(commitMs === undefined ? {} : { commitMs }),
      };
      const undo = apply();
      try {
        let found = false;
        for (let seed = 1; seed <= SEEDS && !found; seed += 1) {
          const { findings } = runCluster({ seed, pace: "short", healSeconds: 15, ...how });
          found = findings.length > 0;
        }
        expect(found).to.equal(true);
      } finally {
        undo();
      }
    });
  }
});
