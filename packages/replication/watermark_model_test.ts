import { expect } from "chai";
import { describe, it } from "mocha";
import process from "node:process";
import { MemberTable } from "./member_table.ts";
import { runSchedule, type ScheduleOptions } from "./_watermark_model.ts";

const FULL = process.env.DND_FULL === "1";

/** The first of these seeds whose schedule undid a delete, lost a write or diverged. */
function firstBad(
  { from = 1, count }: { from?: number; count: number },
  options: ScheduleOptions = {},
): string | undefined {
  for (let seed = from; seed < from + count; seed += 1) {
    const { resurrected, lost, diverged } = runSchedule(seed, options);
    if (resurrected.length + lost.length === 0 && !diverged) continue;
    return `seed ${seed}: undid ${resurrected}, lost ${lost}, diverged ${diverged}`;
  }
  return undefined;
}

/** Replaces a method while `run` runs. */
function without<T extends object, K extends keyof T>(
  target: T,
  name: K,
  by: T[K],
  run: () => void,
): void {
  const held = target[name];
  target[name] = by;
  try {
    run();
  } finally {
    target[name] = held;
  }
}

describe("rule 1 on random schedules, with the real code", () => {
  it("undoes no delete and loses no write", () => {
    expect(firstBad({ count: FULL ? 3000 : 6 })).to.equal(undefined);
  });

  it("holds while nodes join, leave and are forgotten", () => {
    expect(firstBad({ count: FULL ? 3000 : 3 }, { churn: true })).to.equal(undefined);
    // Once undid a delete: a node that was not ready took its own clock for what it had seen.
    // The last: a joining node had what was deleted from one peer, after it was compared with another.
    for (const from of [128, 182, 190, 277, 14_009]) {
      expect(firstBad({ from, count: 1 }, { churn: true })).to.equal(undefined);
    }
  });

  it("holds with rumors that are later than the grace", () => {
    const count = FULL ? 1000 : 2;
    expect(firstBad({ from: 260, count }, { late: 4 })).to.equal(undefined);
  });
});

// Each part of the rule taken out must be seen by the model, or the model shows nothing.
describe("the model of rule 1 sees", () => {
  it("deletes forgotten by age alone", () => {
    const watermark = (): ReturnType<MemberTable["watermark"]> => ({
      stamp: Infinity,
      heldBackBy: "",
    });
    without(MemberTable.prototype, "watermark", watermark, () => {
      expect(firstBad({ count: 40 })).to.be.a("string");
    });
  });

  it("the pairwise rule: exchanged with one, so seen from all", () => {
    const complete: MemberTable["complete"] = Reflect.get(MemberTable.prototype, "complete");
    const pairwise: MemberTable["complete"] = function (this: MemberTable, peer, promise) {
      complete.call(this, peer, { ...promise, seen: promise.clock });
    };
    without(MemberTable.prototype, "complete", pairwise, () => {
      expect(firstBad({ count: 60 })).to.be.a("string");
    });
  });

  it("a returning node that does not notice what it missed", () => {
    without(
      MemberTable.prototype,
      "seenFor",
      () => Number.MAX_SAFE_INTEGER,
      () => {
        expect(firstBad({ from: 10, count: FULL ? 500 : 60 }, { churn: true })).to.be.a("string");
      },
    );
  });
});
