import { expect } from "chai";
import { runCrashes } from "./_crash.ts";
import { powerCutObstacle, runPowerCuts } from "./_power_cut.ts";
import { expectNone, freshFolder } from "./_test_utils.ts";

const isFull = process.env.DND_FULL === "1";

describe("a durable map whose process is killed", () => {
  it("holds every acknowledged write, whole commits only, and never issues a stamp twice", async function () {
    this.timeout(3_600_000);
    const cycles = isFull ? 500 : 25;
    const runs = await Promise.all(
      [1, 2].map((seed) => runCrashes(freshFolder(), { cycles, seed })),
    );
    for (const { lost, wrong, acknowledged } of runs) {
      expectNone("lost", lost);
      expectNone("wrong", wrong);
      expect(acknowledged).to.be.greaterThan(cycles);
    }
  });

  it("is heard to the end, though the rig itself stands still", async function () {
    this.timeout(60_000);
    const result = await runCrashes(freshFolder(), { cycles: 2, seed: 3, stallMs: 300 });
    expectNone("lost", result.lost);
    expectNone("wrong", result.wrong);
    expect(result.acknowledged).to.be.greaterThan(100); // what came meanwhile is among them
  });
});

describe("a durable map whose disk loses power", () => {
  before(function () {
    const obstacle = powerCutObstacle();
    if (obstacle === undefined) return;
    console.log(`    skipped: the power-cut rig ${obstacle}`);
    this.skip();
  });

  it("holds every acknowledged write", async function () {
    this.timeout(3_600_000);
    const cuts = isFull ? 50 : 10;
    const result = await runPowerCuts(freshFolder(), { cuts, seed: 1 });
    expectNone("lost", result.lost);
    expectNone("wrong", result.wrong);
    expectNone("folders that could not be opened", result.unopened);
    expect(result.acknowledged).to.be.greaterThan(cuts);
  });

  it("is found out if the sync is left out: the rig can fail", async function () {
    this.timeout(60_000);
    const result = await runPowerCuts(freshFolder(), { cuts: 2, seed: 2, noSync: true });
    expect(result.lost.length + result.unopened.length).to.be.greaterThan(0);
  });
});
