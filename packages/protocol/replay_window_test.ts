import { expect } from "chai";
import fc from "fast-check";
import { REPLAY_WINDOW_PACKETS, ReplayGuard, ReplayWindow } from "./replay_window.ts";

describe("ReplayWindow", () => {
  it("takes what a set of all counters would take, inside the window", () => {
    const step = fc.oneof(
      fc.integer({ min: -40, max: 3 }),
      fc.integer({ min: -1100, max: 1100 }),
      fc.constantFrom(0, 31, 32, 33, -31, -32, -1023, -1024, -1025, 5000, 2 ** 33),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const window = new ReplayWindow();
        const seen = new Set<number>();
        let highest = -1;
        let at = 0;
        for (const by of steps) {
          at = Math.max(0, (by > 0 ? highest : at) + by);
          const expected = at > highest - REPLAY_WINDOW_PACKETS && !seen.has(at);
          expect(window.isNew(at)).to.equal(expected);
          expect(window.accept(at)).to.equal(expected);
          seen.add(at);
          highest = Math.max(highest, at);
        }
      }),
      { numRuns: 1000, examples: [[[32, 1023, -1023]]] },
    );
  });

  it("knows the oldest counter of the window, wherever the window begins in a word", () => {
    for (let first = 0; first < 64; first++) {
      const window = new ReplayWindow();
      window.accept(first);
      window.accept(first + REPLAY_WINDOW_PACKETS - 1);
      expect(window.accept(first), `${first}`).to.equal(false);
    }
  });
});

describe("ReplayGuard", () => {
  it("keeps one window for each process of a sender", () => {
    const guard = new ReplayGuard();
    expect(guard.accept("a", "1", 5, 0)).to.equal(true);
    expect(guard.accept("a", "1", 5, 0)).to.equal(false);
    expect(guard.accept("b", "1", 5, 0)).to.equal(true);
    expect(guard.accept("a", "2", 5, 0)).to.equal(true); // a copy of its folder (RULES 19)
    expect(guard.accept("a", "1", 5, 1)).to.equal(true);
  });

  it("takes nothing from an earlier process once a newer generation was heard", () => {
    const guard = new ReplayGuard();
    guard.accept("a", "1", 5, 0);
    guard.accept("a", "2", 6, 0);
    expect(guard.accept("a", "1", 5, 1)).to.equal(false);
    expect(guard.accept("a", "3", 5, 0)).to.equal(false);
    expect(guard.accept("a", "2", 6, 0)).to.equal(false);
    expect(guard.accept("a", "2", 6, 1)).to.equal(true);
  });

  it("takes late packets of a process that raised its generation, once", () => {
    const guard = new ReplayGuard();
    guard.accept("a", "1", 5, 0);
    expect(guard.accept("a", "1", 6, 2)).to.equal(true);
    expect(guard.accept("a", "1", 5, 1)).to.equal(true);
    expect(guard.accept("a", "1", 5, 1)).to.equal(false);
    expect(guard.accept("a", "1", 5, 0)).to.equal(false);
  });

  it("forgets the sender heard longest ago, and nothing more than it must", () => {
    const guard = new ReplayGuard(3);
    for (const id of ["a", "b", "c"]) guard.accept(id, "1", 1, 0);
    guard.accept("a", "1", 1, 1);
    guard.accept("d", "1", 1, 0);
    expect(guard.size).to.equal(3);
    expect(guard.accept("a", "1", 1, 0)).to.equal(false);
    expect(guard.accept("c", "1", 1, 0)).to.equal(false);
    expect(guard.accept("b", "1", 1, 0)).to.equal(true);
  });

  it("keeps four processes of one generation", () => {
    const guard = new ReplayGuard();
    for (let boot = 0; boot < 1000; boot++) guard.accept("a", `${boot}`, 1, 0);
    expect(guard.accept("a", "999", 1, 0)).to.equal(false);
    expect(guard.accept("a", "996", 1, 0)).to.equal(false);
    expect(guard.size).to.equal(1);
  });
});
