import assert from "node:assert/strict";
import { NodeClock } from "./node_clock.ts";

const hourMs = 3_600_000;

/** A machine whose clocks are told what to say. */
function rig() {
  const state = {
    wall: 1_800_000_000_000,
    monotonic: 5_000.25,
    median: NaN,
    steps: [] as number[],
  };
  const clock = new NodeClock(
    { maxDriftMs: 500, onStep: (stepMs) => state.steps.push(stepMs) },
    { wall: () => state.wall, monotonic: () => state.monotonic },
  );
  clock.follow(() => (Number.isNaN(state.median) ? undefined : state.median));
  const pass = (ms: number): void => {
    state.wall += ms;
    state.monotonic += ms;
  };
  return { state, clock, pass };
}

describe("NodeClock (rule 8)", () => {
  it("is the wall clock while that goes as the monotonic one does", () => {
    const { state, clock, pass } = rig();
    for (let n = 0; n < 100; n += 1) {
      assert.equal(clock.now(), state.wall);
      pass(n % 7);
      state.monotonic += (n % 3) / 10;
    }
    state.wall += 400;
    assert.equal(clock.now(), state.wall, "within the bound");
    assert.deepEqual(state.steps, []);
  });

  it("does not believe a step that the others do not see, says so once, and is back when it is undone", () => {
    const { state, clock, pass } = rig();
    state.median = 0;
    const start = clock.now();
    state.wall += hourMs;
    for (let n = 1; n <= 10; n += 1) {
      pass(1_000);
      assert.equal(clock.now(), start + n * 1_000);
    }
    assert.deepEqual(state.steps, [hourMs]);
    state.wall -= hourMs;
    assert.equal(clock.now(), state.wall);
    state.wall -= hourMs;
    assert.equal(clock.now(), state.wall + hourMs);
    assert.deepEqual(state.steps, [hourMs, -hourMs]);
  });

  it("believes a step that the median agrees with, and every step while nobody is known", () => {
    const { state, clock } = rig();
    clock.now();
    state.median = hourMs + 100;
    state.wall += hourMs;
    assert.equal(clock.now(), state.wall);
    state.median = NaN;
    state.wall += hourMs;
    assert.equal(clock.now(), state.wall);
    assert.deepEqual(state.steps, []);
  });

  it("believes no step while there are others and none of their clocks was heard", () => {
    const { state, clock } = rig();
    const start = clock.now();
    state.median = Infinity;
    state.wall += hourMs;
    assert.equal(clock.now(), start);
    state.median = hourMs;
    assert.equal(clock.now(), state.wall);
    assert.deepEqual(state.steps, [hourMs]);
  });

  it("gives whole numbers", () => {
    const { state, clock } = rig();
    state.median = 0;
    clock.now();
    state.wall += hourMs;
    state.monotonic += 17.3;
    assert.ok(Number.isSafeInteger(clock.now()));
  });
});
