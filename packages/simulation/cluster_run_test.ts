import { expect } from "chai";
import { describe, it } from "mocha";
import process from "node:process";
import { runCluster } from "./cluster_run.ts";

const FULL = process.env.DND_FULL === "1";

describe("runCluster()", () => {
  it("keeps every promise, whatever happens", () => {
    const count = FULL ? 300 : 2;
    for (let seed = 1; seed <= count; seed += 1) {
      const { findings } = runCluster({ seed });
      expect(findings, `npx nx run simulation:cluster -- --seed ${seed}`).to.deep.equal([]);
    }
  });

  it("is the same run for the same seed", () => {
    const run = (): unknown => runCluster({ seed: 77, faultySeconds: 15 });
    expect(run()).to.deep.equal(run());
  });
});
