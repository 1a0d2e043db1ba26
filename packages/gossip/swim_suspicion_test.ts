import { expect } from "chai";
import { profiles } from "./swim_options.ts";
import { suspicionBounds, suspicionTimeout } from "./swim_suspicion.ts";

const bounds = { minMs: 1_000, maxMs: 6_000 };

describe("suspicionBounds()", () => {
  it("grows with the logarithm of the cluster, from ten members on", () => {
    const min = (members: number): number => suspicionBounds(profiles.lan, members).minMs;
    expect([1, 3, 10, 100, 1_000].map(min)).to.deep.equal([1_500, 1_500, 1_500, 3_000, 4_500]);
    expect(suspicionBounds(profiles.lan, 10).maxMs).to.equal(9_000);
  });
});

describe("suspicionTimeout() (Lifeguard, RULES 21)", () => {
  it("starts at the maximum and falls logarithmically to the minimum with K confirmations", () => {
    const waits = [0, 1, 2, 3, 4].map((confirmations) =>
      Math.round(suspicionTimeout(confirmations, 3, bounds)),
    );
    expect(waits).to.deep.equal([6_000, 3_500, 2_038, 1_000, 1_000]);
  });

  it("starts at the maximum in a cluster of three, not at the minimum as memberlist does", () => {
    expect(suspicionTimeout(0, 1, bounds)).to.equal(6_000);
    expect(suspicionTimeout(1, 1, bounds)).to.equal(1_000);
  });

  it("is twice the minimum where nobody is left who could confirm", () => {
    expect(suspicionTimeout(0, 0, bounds)).to.equal(2_000);
  });
});
