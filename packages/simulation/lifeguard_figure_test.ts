import { expect } from "chai";
import { lifeguardFigure, type Protocol } from "./lifeguard_figure.ts";

describe("lifeguardFigure()", () => {
  it("a quarter cannot send or receive for a while: false deaths with SWIM alone, none with Lifeguard", () => {
    const run = (protocol: Protocol): number => {
      const options = { nodes: 32, ill: 8, seed: 3, minutes: 1, illness: "blocked" } as const;
      return lifeguardFigure({ ...options, protocol }).falseDeaths;
    };
    expect(run("swim")).to.be.above(100);
    expect(run("lifeguard")).to.equal(0);
  });

  it("a quarter is frozen: no false deaths", () => {
    const options = { nodes: 32, ill: 8, seed: 4, minutes: 1, illness: "paused" } as const;
    expect(lifeguardFigure({ ...options, protocol: "lifeguard" }).falseDeaths).to.equal(0);
  });
});
