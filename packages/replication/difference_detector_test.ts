import { expect } from "chai";
import { describe, it } from "mocha";
import { DifferenceDetector } from "./difference_detector.ts";

function detector(self: string): DifferenceDetector {
  return new DifferenceDetector({ self, prng: () => 0.5 });
}

describe("DifferenceDetector (rule 11)", () => {
  it("lets a difference count when it was seen three times over two seconds", () => {
    const made = detector("a");
    expect(made.observe("b", "different", 0)).to.equal(undefined);
    expect(made.observe("b", "different", 1000)).to.equal(undefined);
    expect(made.observe("b", "different", 1900)).to.equal(undefined); // three, but not two seconds
    expect(made.observe("b", "different", 2100)).to.equal(100);
  });

  it("begins anew after a match, a stall or another horizon", () => {
    for (const other of ["equal", "incomparable"] as const) {
      const made = detector("a");
      made.observe("b", "different", 0);
      made.observe("b", "different", 1500);
      made.observe("b", other, 1800);
      made.observe("b", "different", 2000);
      if (other === "equal") expect(made.observe("b", "different", 2500)).to.equal(undefined);
      else expect(made.observe("b", "different", 2500)).to.not.equal(100);
    }
  });

  it("of two the smaller id opens", () => {
    const made = detector("b");
    for (const now of [0, 1000]) expect(made.observe("a", "different", now)).to.equal(undefined);
    // The larger id opens too, but later: only if the other one has not.
    expect(made.observe("a", "different", 2100)).to.be.greaterThan(200);
  });

  it("counts differences over all peers: who differs from everybody lacks something", () => {
    const made = detector("z");
    expect(made.observe("a", "different", 0)).to.equal(undefined);
    expect(made.observe("b", "different", 1200)).to.equal(undefined);
    expect(made.observe("c", "different", 2400)).to.be.greaterThan(200);
    expect(made.observe("d", "different", 2500)).to.equal(undefined);
  });
});
