import { expect } from "chai";
import { describe, it } from "mocha";
import process from "node:process";
import { CLUSTER_BUGS } from "./cluster_bugs.ts";
import { runCluster } from "./cluster_run.ts";

const FULL = process.env.DND_FULL === "1";

describe("the cluster simulation finds", () => {
  for (const { name, rule, faults, commitMs, apply } of CLUSTER_BUGS) {
    it(`rule ${rule}: ${name}`, function () {
      if (!FULL) {
        console.log("      skipped: part of the full run (DND_FULL=1)");
        this.skip();
      }
      const undo = apply();
      try {
        let found = false;
        for (let seed = 1; seed <= 60 && !found; seed += 1) {
          const how = {
            ...(faults === undefined ? {} : { faults }),
            ...(commitMs === undefined ? {} : { commitMs }),
          };
          found = runCluster({ seed, healSeconds: 60, ...how }).findings.length > 0;
        }
        expect(found).to.equal(true);
      } finally {
        undo();
      }
    });
  }
});
