import { expect } from "chai";
import { describe, it } from "mocha";
import { CLUSTER_FAULTS } from "./cluster_pace.ts";
import { runCluster } from "./cluster_run.ts";

describe("ClusterFaults", () => {
  for (const fault of [...CLUSTER_FAULTS, "join"] as const) {
    it(`inflicts ${fault} alone, ends it, and every promise is kept`, () => {
      // An operator forgets only who is down.
      const faults = fault === "forget" ? (["stop", "forget"] as const) : [fault];
      const result = runCluster({ seed: 3, pace: "short", faults });
      expect(result.findings).to.deep.equal([]);
      expect(result.faults).to.be.above(3);
      expect(result.healedMs).to.be.below(60_000);
    });
  }
});
