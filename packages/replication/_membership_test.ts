import { expect } from "chai";
import { describe, it } from "mocha";
import { VersionedMap } from "@dnd/store";
import { idOf, START_MS } from "./_test_utils.ts";
import { Replicator } from "./replicator.ts";

const now = START_MS;

function alone(): { readonly replicator: Replicator; readonly id: string } {
  const id = idOf(1);
  const map = new VersionedMap({ node: id });
  const replicator = new Replicator({ map, prng: () => 0.5, generation: 1 });
  replicator.start(now);
  return { replicator, id };
}

describe("what the membership layer says of a member", () => {
  it("decides whether there is anybody to tell, and who counts for w (rule 18)", () => {
    const { replicator } = alone();
    const member = { id: idOf(2), generation: 1, ready: true } as const;
    expect(replicator.hasReachable).to.equal(false);
    for (const [state, isReachable, counts] of [
      ["alive", true, true],
      ["suspect", true, true],
      ["stopped", false, true],
      ["dead", false, true],
      ["left", false, false],
      ["forgotten", false, false],
    ] as const) {
      replicator.handleMember({ ...member, state }, now);
      expect(replicator.hasReachable, state).to.equal(isReachable);
      expect(replicator.isWriteTarget(member.id), state).to.equal(counts);
    }
    expect(replicator.metrics.forgottenMembers).to.equal(1);
  });

  it("is one of an older generation no more, once it came back (rules 1 and 3)", () => {
    const { replicator } = alone();
    const id = idOf(2);
    replicator.handleMember({ id, state: "forgotten", generation: 1, departed: 5 }, now);
    expect(replicator.knows(id)).to.equal(false);
    replicator.handleMember({ id, state: "alive", generation: 2 }, now);
    expect(replicator.knows(id)).to.equal(true);
    replicator.handleMember({ id, state: "left", generation: 1, departed: 9 }, now);
    expect(replicator.knows(id)).to.equal(true);
  });

  it("counts as forgotten when it falls out of the bounded list, dead or alive", () => {
    const { replicator } = alone();
    const id = idOf(2);
    replicator.handleMember({ id, state: "dead", generation: 1, ready: true }, now);
    replicator.handleMemberRemoved(id, now);
    expect(replicator.knows(id)).to.equal(false);
    expect(replicator.writeTargets()).to.equal(1);
    replicator.handleMemberRemoved(idOf(3), now); // nobody
  });

  it("a ping says nothing of this node itself, and nothing of members that left", () => {
    const { replicator, id } = alone();
    const summary = { ...replicator.summary(now), flags: 0 };
    expect(replicator.handleSummary(id, summary, { now, wall: 1 })).to.deep.equal([]);
    const other = idOf(2);
    replicator.handleMember({ id: other, state: "left", generation: 7, departed: 5 }, now);
    replicator.handleSummary(other, summary, { now });
    expect(replicator.metrics.digestsEqual + replicator.metrics.digestsDifferent).to.equal(0);
  });
});
