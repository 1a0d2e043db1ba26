import { expect } from "chai";
import { describe, it } from "mocha";
import type { FrameBody, Member } from "@dnd/protocol";
import { MemberTable } from "./member_table.ts";
import { idOf, TestCluster } from "./_test_utils.ts";

function pages(frame: FrameBody, change: (member: Member) => Member): FrameBody {
  return frame.type === "memberPage" ? { ...frame, members: frame.members.map(change) } : frame;
}

describe("what a peer says of the members", () => {
  it("cannot use up a member's generations: nobody could speak for it ever again (rule 3)", () => {
    for (const generation of [Number.MAX_SAFE_INTEGER, 2 ** 48, 2 ** 30]) {
      const cluster = new TestCluster({ nodes: 3 });
      const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
      // A peer says of b that it was forgotten, to b itself and to c. The opener's page comes first.
      let page = 0;
      cluster.change = (frame) =>
        frame.type === "memberPage" && (page += 1) % 2 === 0
          ? pages(frame, (member) =>
              member.id === b.id ? { ...member, state: "forgotten", generation } : member,
            )
          : frame;
      cluster.apply(b, b.replicator.exchangeWith(a.id, cluster.now));
      cluster.run(1000);
      cluster.apply(c, c.replicator.exchangeWith(a.id, cluster.now));
      cluster.run(1000);
      cluster.change = (frame) => frame;
      expect(b.generation).to.equal(1);
      expect(b.eventsOf("misbehaved").map(({ peer }) => peer)).to.include(a.id);
      cluster.put(b, "k", "v");
      cluster.apply(b, b.replicator.exchangeWith(c.id, cluster.now));
      expect(cluster.run(30_000, () => cluster.converged())).to.equal(true);
      for (const { replicator } of cluster.nodes) expect(replicator.writeTargets()).to.equal(3);
    }
  });

  it("fills no table without bound, and leaves exchanges possible", () => {
    const cluster = new TestCluster({ nodes: 2 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    const { stream } = a.replicator.acceptStream(b.id, "exchange", cluster.now);
    const extra = new Uint8Array(0);
    for (let page = 0; page < 64; page += 1) {
      const members = Array.from({ length: 200 }, (_, i) => ({
        ...{ id: idOf(1000 + page * 200 + i), generation: 1, incarnation: 0, state: "left" },
        ...{ address: "", flags: 0, seen: 0, departed: 1, metadata: extra, extra },
      }));
      const frame = { type: "memberPage", members, last: page === 63, extra } as never;
      // What it is told to the membership layer does not matter here.
      cluster.apply(
        a,
        a.replicator.handleFrame(stream, frame, cluster.now).filter(({ type }) => type === "frame"),
      );
    }
    cluster.frames.length = 0;
    cluster.apply(a, a.replicator.handleStreamClosed(stream, cluster.now));
    cluster.apply(b, b.replicator.exchangeWith(a.id, cluster.now));
    cluster.run(10_000);
    expect(b.eventsOf("exchanged").at(-1)).to.include({ reason: "operator", complete: true });
    const said = cluster.frames.filter(({ from, type }) => from === a.id && type === "memberPage");
    expect(said.length).to.be.within(1, 60);
  });

  it("is refused in pages that are longer than any", () => {
    const cluster = new TestCluster({ nodes: 2 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    cluster.change = (frame) =>
      frame.type === "memberPage"
        ? { ...frame, members: Array.from({ length: 201 }, () => frame.members[0] as Member) }
        : frame;
    cluster.apply(a, a.replicator.exchangeWith(b.id, cluster.now));
    cluster.run(1000);
    expect(a.replicator.metrics.misbehaved + b.replicator.metrics.misbehaved).to.equal(1);
  });
});

describe("MemberTable.prune()", () => {
  it("keeps the latest of those who are gone, and whoever still counts (rules 1, 3)", () => {
    const table = new MemberTable("a");
    for (let i = 1; i <= 100; i += 1) {
      table.merge(`gone${i}`, { state: "forgotten", generation: 1, departed: i, seen: 0 });
    }
    table.merge("b", { state: "in", generation: 1, departed: 0, seen: 0 });
    table.prune(1000, 100);
    expect(table.records.size).to.equal(102);
    table.prune(5, 10); // the horizon has passed five of them only
    expect(table.records.size).to.equal(97);
    const said = [
      ["gone1", 50],
      ["gone100", 60],
    ] as const;
    table.complete("b", { clock: 200, seen: 0, heard: said, cutoff: Infinity });
    expect([table.heard("gone1"), table.heard("gone100")]).to.deep.equal([0, 60]);
    table.prune(1000, 10);
    expect([...table.records.keys()].slice(0, 2)).to.deep.equal(["a", "gone91"]);
    expect(table.records.get("b")?.state).to.equal("in");
    expect(table.snapshot().heard.length).to.equal(2);
  });
});
