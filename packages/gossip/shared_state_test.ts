import { expect } from "chai";
import { emptySummary, SharedState } from "./shared_state.ts";

describe("SharedState", () => {
  it("shows one side what the other wrote (RULES 15)", () => {
    const main = new SharedState();
    const worker = new SharedState(main.buffer);
    expect(worker.readSummary()).to.deep.equal(emptySummary());
    const summary = {
      clock: Number.MAX_SAFE_INTEGER,
      counter: 12,
      digest: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
      algorithm: 3,
      scope: Uint8Array.of(9),
      horizon: 4096,
      seen: 5,
      ready: true,
      dropped: false,
      anchored: true,
      awaitsSeeds: false,
    };
    main.writeSummary(summary);
    expect(worker.readSummary()).to.deep.equal(summary);
    main.beat();
    expect(worker.beats).to.equal(1);
  });

  it("refuses numbers and bytes that do not fit, and keeps what was there", () => {
    const state = new SharedState();
    const bad = [
      { clock: -1 },
      { counter: 0.5 },
      { horizon: Number.NaN },
      { seen: 2 ** 53 },
      { digest: new Uint8Array(7) },
      { scope: new Uint8Array(65) },
    ];
    for (const change of bad) {
      expect(() => state.writeSummary({ ...emptySummary(), ...change })).to.throw(RangeError);
    }
    expect(state.readSummary()).to.deep.equal(emptySummary());
    expect(() => new SharedState(new SharedArrayBuffer(8))).to.throw(RangeError);
  });

  it("bounds the bytes under way, each direction for itself, and says so by the mark", () => {
    const state = new SharedState();
    const other = new SharedState(state.buffer);
    expect(state.takeCredit("toMain", 6, 10)).to.equal(true);
    expect(state.takeCredit("toMain", 5, 10)).to.equal(false);
    expect(state.takeCredit("toWorker", 10, 10)).to.equal(true);
    other.giveCredit("toMain", 6);
    expect(state.underWay("toMain")).to.equal(0);
    expect(state.takeCredit("toMain", 10, 10)).to.equal(true);
    state.markDropped();
    expect(other.readSummary().dropped).to.equal(true);
    other.clearDropped();
    expect(state.dropped).to.equal(false);
  });

  it("counts on when the 32-bit credits wrap", () => {
    const state = new SharedState();
    for (let n = 0; n < 5000; n++) {
      expect(state.takeCredit("toMain", 1 << 20, 8 << 20)).to.equal(true);
      state.giveCredit("toMain", 1 << 20);
    }
    expect(state.underWay("toMain")).to.equal(0);
  });
});
