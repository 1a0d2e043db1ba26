import { expect } from "chai";
import { describe, it } from "mocha";
import { healFigure } from "./heal_figure.ts";

describe("healFigure()", function () {
  this.timeout(20_000);

  for (const profile of ["lan", "local"] as const) {
    it(`is equal again within ten simulated seconds, both sides written to (${profile})`, () => {
      const times = healFigure({ keys: 300, splitMs: 20_000, seed: 1, profile });
      const { firstMs, metMs, exchangedMs, equalMs } = times;
      expect(firstMs).to.be.at.most(metMs);
      expect(metMs).to.be.at.most(equalMs);
      expect(exchangedMs).to.be.at.most(equalMs);
      expect(equalMs).to.be.below(10_000);
    });
  }
});
