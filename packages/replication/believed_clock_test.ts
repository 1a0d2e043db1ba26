import { expect } from "chai";
import { describe, it } from "mocha";
import { BelievedClock } from "./believed_clock.ts";

describe("BelievedClock (rule 8)", () => {
  it("follows the wall clock while it drifts", () => {
    const clock = new BelievedClock({ maxDriftMs: 500 });
    expect(clock.read(1_000_000, 0, 0)).to.equal(1_000_000);
    expect(clock.read(1_010_400, 10_000, 0)).to.equal(1_010_400);
    expect(clock.read(1_020_800, 20_000, 0)).to.equal(1_020_800);
  });

  it("does not believe a step until the median agrees", () => {
    const clock = new BelievedClock({ maxDriftMs: 500 });
    clock.read(1_000_000, 0, 0);
    expect(clock.read(4_600_000, 1000, 0)).to.equal(1_001_000);
    expect(clock.read(4_601_000, 2000, 3_599_100)).to.equal(4_601_000);
    expect(clock.read(4_602_000, 3000, 0)).to.equal(4_602_000);
  });

  it("believes at once when nobody else is known", () => {
    const clock = new BelievedClock({ maxDriftMs: 500 });
    clock.read(1_000_000, 0, undefined);
    expect(clock.read(4_600_000, 1000, undefined)).to.equal(4_600_000);
  });
});
