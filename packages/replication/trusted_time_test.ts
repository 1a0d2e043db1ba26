import { expect } from "chai";
import { describe, it } from "mocha";
import { TrustedTime } from "./trusted_time.ts";

function time(...offsets: number[]): TrustedTime {
  const made = new TrustedTime({ maxDriftMs: 500 });
  for (const [i, offset] of offsets.entries()) {
    made.observe(`n${i}`, { wall: 1_000_000 + offset, now: 1_000_000 });
  }
  return made;
}

describe("TrustedTime (rule 8)", () => {
  it("is the wall clock alone, and with members that agree", () => {
    expect(time().trusted(5)).to.equal(5);
    expect(time(0, 0, 0).trusted(5)).to.equal(5);
  });

  it("is the later of wall clock and median: a node whose clock is behind follows the others", () => {
    expect(time(600_000, 600_000).trusted(1000)).to.equal(601_000);
    expect(time(-600_000, -600_000).trusted(1000)).to.equal(1000);
  });

  it("does not believe one that is ten years ahead", () => {
    const ahead = 10 * 365 * 86_400_000;
    expect(time(ahead).trusted(1000)).to.equal(1000);
    expect(time(ahead, 0).trusted(1000)).to.equal(1000);
    expect(time(ahead, 0, ahead).trusted(1000)).to.equal(1000);
  });

  it("knows when its own clock is ahead, if more than one other says so", () => {
    expect(time(-600_000, -600_000).skewed).to.equal(true);
    expect(time(-600_000, -600_000).aheadMs()).to.equal(600_000);
    expect(time(-600_000).skewed).to.equal(false);
    expect(time(-600_000, 0).skewed).to.equal(false);
    expect(time(-400, -400).skewed).to.equal(false);
  });

  it("with two clocks that disagree both report, and neither is believed", () => {
    expect(time(900).disagreement()).to.deep.equal({ peer: "n0", offsetMs: 900 });
    expect(time(-900).disagreement()).to.deep.equal({ peer: "n0", offsetMs: -900 });
    expect(time(900, 0).disagreement()).to.equal(undefined);
    expect(time(100).disagreement()).to.equal(undefined);
  });

  it("lets nothing expire by a clock that is ahead of the median, or of the one other that is known", () => {
    expect(time().sober(5)).to.equal(5);
    expect(time(-600_000).sober(1_000_000)).to.equal(400_000);
    expect(time(-600_000, -600_000).sober(1_000_000)).to.equal(400_000);
    expect(time(-600_000, 0).sober(1_000_000)).to.equal(1_000_000);
    expect(time(600_000).sober(1_000_000)).to.equal(1_000_000);
    expect(time(600_000, 600_000).sober(1_000_000)).to.equal(1_000_000);
  });

  it("is set right for readers by what most say, and left alone within the drift bound", () => {
    expect(time(600_000, 600_000).corrected(1000)).to.equal(601_000);
    expect(time(-600_000, -600_000).corrected(1_000_000)).to.equal(400_000);
    expect(time(400, 400).corrected(1000)).to.equal(1000);
    expect(time(600_000, 0).corrected(1000)).to.equal(1000);
    // Of two the earlier one, on both.
    expect(time(600_000).corrected(1000)).to.equal(1000);
    expect(time(-600_000).corrected(1_000_000)).to.equal(400_000);
  });

  it("takes half of the round trip for the age of an answer, and forgets who is gone", () => {
    const made = new TrustedTime({ maxDriftMs: 500 });
    made.observe("b", { wall: 1000, now: 1100, rttMs: 200 });
    expect(made.offset("b")).to.equal(0);
    made.forget("b");
    expect(made.offset("b")).to.equal(undefined);
  });
});
