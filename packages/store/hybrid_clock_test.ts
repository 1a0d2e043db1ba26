import { MAX_STAMP, STAMPS_PER_MS, TIME_ORIGIN_MS } from "./limits.ts";
import { msOf, stampOf } from "./version.ts";
import { NOW, STAMP, runs } from "./_test_utils.ts";
import { HybridClock } from "./hybrid_clock.ts";
import { expect } from "chai";
import fc from "fast-check";

describe("HybridClock", () => {
  it("follows the wall clock, and counts while it stands still", () => {
    const clock = new HybridClock();
    expect(clock.tick(NOW)).to.equal(STAMP);
    expect(clock.tick(NOW)).to.equal(STAMP + 1);
    expect(clock.tick(NOW + 1)).to.equal(STAMP + STAMPS_PER_MS);
  });

  it("carries more than 4,096 stamps of a millisecond over into the next", () => {
    const clock = new HybridClock();
    for (let i = 0; i < STAMPS_PER_MS; i += 1) clock.tick(NOW);
    const stamp = clock.tick(NOW);
    expect(msOf(stamp)).to.equal(NOW + 1);
    expect(clock.tick(NOW + 1)).to.equal(stamp + 1);
  });

  it("never repeats and never goes back, whatever the wall clock does", () => {
    const moment = fc.integer({ min: 0, max: NOW + 1000 });
    const step = fc.record({ now: moment, seen: fc.option(fc.integer({ min: 0, max: STAMP })) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const clock = new HybridClock();
        let last = -1;
        for (const { now, seen } of steps) {
          if (seen !== null) clock.observe(seen);
          const stamp = clock.tick(now);
          expect(stamp).to.be.above(last);
          expect(stamp).to.be.at.least(Math.max(stampOf(now), seen ?? 0));
          last = stamp;
        }
      }),
      runs(100),
    );
  });

  it("says so when no stamp is left, and changes nothing", () => {
    const clock = new HybridClock(MAX_STAMP - 2);
    expect(clock.tick(NOW)).to.equal(MAX_STAMP - 1);
    expect(() => clock.tick(NOW)).to.throw(RangeError, "wanted a time before 2095");
    expect(clock.last).to.equal(MAX_STAMP - 1);
  });

  it("can be set back (rule 8)", () => {
    const clock = new HybridClock(STAMP * 2);
    clock.last = STAMP;
    expect(clock.tick(0)).to.equal(STAMP + 1);
  });
});

describe("stampOf() and msOf()", () => {
  it("are inverse for whole milliseconds from 2026 on", () => {
    fc.assert(
      fc.property(fc.integer({ min: TIME_ORIGIN_MS, max: msOf(MAX_STAMP) }), (ms) => {
        expect(msOf(stampOf(ms))).to.equal(ms);
      }),
    );
  });

  it("count moments before 2026 as it, and fit a safe integer until 2095", () => {
    expect(stampOf(0)).to.equal(0);
    expect(stampOf(TIME_ORIGIN_MS - 1)).to.equal(0);
    expect(stampOf(Infinity)).to.equal(Number.MAX_SAFE_INTEGER);
    expect(new Date(msOf(MAX_STAMP)).getUTCFullYear()).to.equal(2095);
    expect(new Date(TIME_ORIGIN_MS).toISOString()).to.equal("2026-01-01T00:00:00.000Z");
  });
});
