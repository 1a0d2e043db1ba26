import { expect } from "chai";
import { detection, massRestart, partition, rest } from "./swim_figures.ts";
import { runSteady } from "./swim_steady.ts";
import { SwimWorld } from "./swim_world.ts";

describe("runSteady()", () => {
  it("40 nodes at 5 % loss: nobody is declared dead but the one that is switched off", () => {
    const report = runSteady({ nodes: 40, seed: 2, minutes: 3, network: { lossRate: 0.05 } });
    expect(report.violations).to.deep.equal([]);
    expect(report.falseDeaths).to.equal(0);
    expect(report.formedMs).to.be.below(10_000);
    expect(report.everywhereMs).to.be.within(1, 20_000);
  });
});

describe("the figures", () => {
  it("a killed node is found out in a cluster of three", () => {
    const { everywhereMs } = detection(3, 1);
    expect(everywhereMs).to.be.within(1, 10_000);
  });

  it("four of ten machines that are lost at once are found out as soon as one would be", () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const world = new SwimWorld({ nodes: 10, seed, node: { wire: "parcels" } });
      world.simulation.run(40_000);
      for (const host of world.hosts.slice(0, 4)) host.powerOff();
      const options = { limitMs: 60_000, everyMs: 100 };
      const foundMs = world.simulation.runUntil(() => world.agrees(), options);
      expect(foundMs, `seed ${seed}`).to.be.within(1, 15_000);
    }
  });

  it("load at rest does not depend on the size", () => {
    const [small, large] = [rest(10, 1, 60), rest(60, 1, 60)];
    expect(large.packets / small.packets).to.be.within(0.9, 1.1);
    expect(large.bytes / small.bytes).to.be.within(0.9, 1.1);
  });

  it("partitions of a second, a minute and an hour heal", () => {
    for (const [seed, seconds] of [1, 60, 3_600].entries()) {
      expect(partition(5, seed + 1, seconds * 1_000), `${seconds} s`).to.be.within(0, 60_000);
    }
  });

  it("a cut of a second is healed in three, whatever was lost in it", () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      expect(partition(10, seed, 1_000), `seed ${seed}`).to.be.within(0, 3_000);
    }
  });

  it("views are full soon after a mass restart", () => {
    expect(massRestart(30, 1, 2_000)).to.be.within(0, 10_000);
  });
});
