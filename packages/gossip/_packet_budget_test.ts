import { expect } from "chai";
import { describe, it } from "mocha";
import { PacketBudget } from "./_packet_budget.ts";

function taken(budget: PacketBudget, from: string, count: number, now: number): number {
  let sum = 0;
  for (let n = 0; n < count; n += 1) if (budget.take(from, now)) sum += 1;
  return sum;
}

describe("PacketBudget", () => {
  it("takes so many of a sender in a second, and as many at once after a pause", () => {
    const budget = new PacketBudget(100);
    expect(taken(budget, "a:1", 1000, 0)).to.equal(100);
    expect(taken(budget, "a:1", 1000, 250)).to.equal(25);
    expect(taken(budget, "a:1", 1000, 250)).to.equal(0);
    expect(taken(budget, "a:1", 1000, 60_000)).to.equal(100);
  });

  it("counts each sender alone", () => {
    const budget = new PacketBudget(10);
    expect(taken(budget, "a:1", 50, 0)).to.equal(10);
    expect(taken(budget, "b:1", 50, 0)).to.equal(10);
    expect(taken(budget, "a:2", 50, 0)).to.equal(10);
  });

  it("keeps a bounded number of senders", () => {
    const budget = new PacketBudget(10);
    for (let n = 0; n < 20_000; n += 1) budget.take(`a:${n}`, n);
    expect(budget.size).to.be.at.most(4096);
  });

  it("takes a fraction of a packet for none", () => {
    const budget = new PacketBudget(1);
    expect([0, 500, 999, 1000, 1001].map((now) => budget.take("a:1", now))).to.deep.equal([
      ...[true, false, false, true, false],
    ]);
  });
});
