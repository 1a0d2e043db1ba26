import { expect } from "chai";
import type { Member } from "@dnd/protocol";
import { type RumorLoad, RumorQueue } from "./swim_rumors.ts";

const claim = (id: number, changes: Partial<Member> = {}): Member => ({
  id: id.toString(16).padStart(32, "0"),
  generation: 1,
  incarnation: 1,
  state: "alive",
  address: "10.0.0.1:5000",
  name: "",
  metadata: new Uint8Array(0),
  flags: 0,
  protocolMin: 1,
  protocolMax: 1,
  seen: 0,
  departed: 0,
  accuser: "",
  evidence: 0,
  bootId: "",
  ...changes,
});

function take(queue: RumorQueue, budget = 1_000, limit = 3): RumorLoad {
  const load: RumorLoad = { members: [], updates: [], bytes: 0 };
  queue.take(budget, limit, load);
  return load;
}

const ids = (load: RumorLoad): number[] => load.members.map((m) => Number.parseInt(m.id, 16));

describe("RumorQueue", () => {
  it("sends each rumor the given number of times, then forgets it", () => {
    const queue = new RumorQueue();
    queue.addClaim(claim(1));
    queue.addUpdate(new Uint8Array([7]));
    for (let i = 0; i < 3; i += 1) {
      const load = take(queue);
      expect(ids(load)).to.deep.equal([1]);
      expect(load.updates.length).to.equal(1);
    }
    expect(queue.size).to.equal(0);
    expect(take(queue).bytes).to.equal(0);
  });

  it("takes what was sent least often first, and stays in the budget", () => {
    const queue = new RumorQueue();
    queue.addClaim(claim(1));
    const { bytes } = take(queue);
    queue.addClaim(claim(2));
    expect(ids(take(queue, bytes))).to.deep.equal([2]);
    expect(ids(take(queue, bytes))).to.have.length(1);
    for (let budget = 0; budget < 500; budget += 7) {
      expect(take(queue, budget, 1_000).bytes).to.be.at.most(budget);
    }
  });

  it("replaces what it said of a member, but keeps each accuser", () => {
    const queue = new RumorQueue();
    queue.addClaim(claim(1));
    queue.addClaim(claim(1, { state: "suspect", accuser: "a".repeat(32) }));
    queue.addConfirmation(claim(1, { state: "suspect", accuser: "b".repeat(32) }));
    queue.addConfirmation(claim(1, { state: "suspect", accuser: "b".repeat(32) }));
    expect(take(queue).members.map((m) => m.accuser[0])).to.have.members(["a", "b"]);
    queue.addClaim(claim(1, { incarnation: 2 }));
    expect(take(queue).members.map((m) => m.incarnation)).to.deep.equal([2]);
  });

  it("is bounded: the rumor sent most often is dropped first, and counted", () => {
    const dropped: string[] = [];
    const queue = new RumorQueue({
      maxClaims: 10,
      maxUpdates: 5,
      onDrop: (kind) => dropped.push(kind),
    });
    queue.addClaim(claim(99));
    take(queue);
    for (let i = 0; i < 100; i += 1) {
      queue.addClaim(claim(i));
      queue.addUpdate(new Uint8Array(4));
    }
    expect(queue.claims).to.equal(10);
    expect(queue.updates).to.equal(5);
    expect(dropped.filter((kind) => kind === "update")).to.have.length(95);
    expect(take(queue, 100_000).members.length).to.equal(10);
  });

  it("does not grow while one member changes its mind for ever and nothing is sent", () => {
    const queue = new RumorQueue();
    for (let i = 0; i < 100_000; i += 1) queue.addClaim(claim(1, { incarnation: i }));
    expect(queue.size).to.equal(1);
    expect(take(queue).members.map((m) => m.incarnation)).to.deep.equal([99_999]);
  });
});
