import { expect } from "chai";
import { describe, it } from "mocha";
import { MemberTable, type MemberClaim } from "./member_table.ts";

const IN: MemberClaim = { state: "in", generation: 1, departed: 0, seen: 0 };

function table(...others: string[]): MemberTable {
  const made = new MemberTable("a");
  for (const id of others) made.merge(id, IN);
  return made;
}

function heard(made: MemberTable, peer: string, clock: number): void {
  made.complete(peer, { clock, seen: 0, cutoff: Infinity });
}

function announced(made: MemberTable): number {
  made.announce(made.snapshot());
  return made.announcedSeen;
}

describe("MemberTable (rule 1)", () => {
  it("has seen what it has heard from the one it heard least from", () => {
    const made = table("b", "c");
    heard(made, "b", 100);
    made.advance(500);
    expect(made.seen).to.equal(0); // nothing heard of c
    heard(made, "c", 70);
    made.advance(500);
    expect(made.seen).to.equal(70);
    made.advance(60); // never falls
    expect(made.seen).to.equal(70);
  });

  it("takes over what the peer had heard: who has all of B has all that B had", () => {
    const made = table("b", "c");
    made.complete("b", { clock: 100, seen: 40, heard: [["c", 90]], cutoff: Infinity });
    made.advance(500);
    expect(made.heard("c")).to.equal(90);
    expect(made.seen).to.equal(90);
  });

  it("promises nothing above what was listed (young entries are not)", () => {
    const made = table("b", "c");
    made.complete("b", { clock: 100, seen: 95, heard: [["c", 90]], cutoff: 80 });
    made.advance(500);
    expect([made.heard("b"), made.heard("c"), made.seen]).to.deep.equal([80, 80, 80]);
  });

  it("counts who left until the rest has passed the stamp of its departure", () => {
    const made = table("b", "c");
    heard(made, "c", 30);
    heard(made, "b", 100);
    made.merge("c", { state: "left", generation: 1, departed: 50, seen: 0 });
    // b was heard up to 100, which has passed 50: what c wrote before it left came with b.
    made.advance(500);
    expect(made.seen).to.equal(100);
    const early = table("b", "c");
    heard(early, "c", 30);
    heard(early, "b", 40);
    early.merge("c", { state: "left", generation: 1, departed: 50, seen: 0 });
    early.advance(500);
    expect(early.seen).to.equal(30);
  });

  it("the watermark is the least seen of all members, and names who holds it back", () => {
    const made = table("b", "c");
    heard(made, "b", 100);
    heard(made, "c", 100);
    made.advance(500);
    announced(made);
    made.merge("b", { ...IN, seen: 60 });
    made.merge("c", { ...IN, seen: 20 });
    expect(made.watermark()).to.deep.equal({ stamp: 20, heldBackBy: "c" });
    made.merge("c", { state: "left", generation: 1, departed: 10, seen: 0 });
    expect(made.watermark()).to.deep.equal({ stamp: 60, heldBackBy: "b" });
  });

  it("who is alone and learns of others holds the watermark back until they have exchanged", () => {
    const made = table();
    made.unproven = true;
    made.advance(100);
    made.announce(made.snapshot());
    expect(made.watermark().stamp).to.equal(100);
    expect(made.announcedSeen).to.equal(0); // told to nobody
    made.merge("b", { ...IN, seen: 500 });
    expect(made.watermark()).to.deep.equal({ stamp: 0, heldBackBy: "a" });
    made.complete("b", { clock: 600, seen: 500, cutoff: Infinity });
    made.unproven = false;
    made.announce(made.snapshot());
    expect(made.watermark().stamp).to.equal(500);
  });

  it("tells only what was committed (rule 9)", () => {
    const made = table("b");
    heard(made, "b", 100);
    made.advance(500);
    const before = made.snapshot();
    heard(made, "b", 200);
    made.advance(500);
    expect(made.announcedSeen).to.equal(0);
    made.announce(before);
    expect(made.announcedSeen).to.equal(100);
    expect(made.announcedHeard.get("b")).to.equal(100);
    expect(made.seen).to.equal(200);
  });

  it("leaving and being forgotten are final inside a generation; a higher one is in again", () => {
    const made = table("b");
    made.merge("b", { state: "forgotten", generation: 1, departed: 50, seen: 0 });
    made.merge("b", { ...IN, seen: 10 });
    expect(made.isIn("b")).to.equal(false);
    made.merge("b", { state: "left", generation: 1, departed: 70, seen: 0 });
    expect(made.records.get("b")).to.deep.include({ state: "forgotten", departed: 70, seen: 10 });
    made.merge("b", { ...IN, generation: 2 });
    expect(made.isIn("b")).to.equal(true);
    expect(made.records.get("b")?.seen).to.equal(10);
  });

  it("of two that forgot each other each has seen only what it heard of the other's members", () => {
    const made = table("b");
    heard(made, "b", 30);
    made.merge("b", { state: "forgotten", generation: 1, departed: 40, seen: 0 });
    made.advance(500);
    announced(made);
    made.advance(500);
    expect(announced(made)).to.equal(500); // alone now: everything
    expect(made.seenFor(["a", "b"])).to.equal(30);
    expect(made.seenFor(["a"])).to.equal(500);
  });

  it("comes back from a snapshot as it was", () => {
    const made = table("b", "c");
    heard(made, "b", 100);
    heard(made, "c", 90);
    made.advance(500);
    announced(made);
    const again = new MemberTable("a");
    again.restore(JSON.parse(JSON.stringify(made.snapshot())) as ReturnType<typeof made.snapshot>);
    expect(again.snapshot()).to.deep.equal(made.snapshot());
    expect(again.announcedSeen).to.equal(90);
  });
});
