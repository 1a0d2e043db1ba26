import { expect } from "chai";
import { addRoundTrip, newRoundTrip, probeTimeout } from "./swim_round_trip.ts";

const bounds = { minMs: 50, maxMs: 500 };

describe("probeTimeout()", () => {
  it("is the longest before anything was measured", () => {
    expect(probeTimeout(newRoundTrip(), newRoundTrip(), bounds)).to.equal(500);
  });

  it("follows the member's own round trips, else those of all", () => {
    const far = newRoundTrip();
    const all = newRoundTrip();
    for (let i = 0; i < 50; i += 1) {
      addRoundTrip(far, 100);
      addRoundTrip(all, 20);
    }
    expect(probeTimeout(far, all, bounds)).to.be.within(100, 110);
    expect(probeTimeout(newRoundTrip(), all, bounds)).to.equal(50);
  });

  it("widens with the deviation and stays in its bounds", () => {
    const trip = newRoundTrip();
    for (let i = 0; i < 50; i += 1) addRoundTrip(trip, i % 2 === 0 ? 20 : 120);
    expect(probeTimeout(trip, trip, bounds)).to.be.within(150, 400);
    for (let i = 0; i < 50; i += 1) addRoundTrip(trip, 10_000);
    expect(probeTimeout(trip, trip, bounds)).to.equal(500);
    addRoundTrip(trip, -1);
    addRoundTrip(trip, Number.NaN);
    expect(probeTimeout(trip, trip, bounds)).to.be.finite;
  });
});
