import { expect } from "chai";
import type { Member, MemberState } from "@dnd/protocol";
import { Prng } from "./simulation/prng.ts";
import { MemberTable } from "./swim_members.ts";
import { viewHash } from "./swim_view_hash.ts";
import { isDown, isUp } from "./swim_transition.ts";

const states: MemberState[] = ["alive", "suspect", "stopped", "dead", "left", "forgotten"];

function member(index: number, changes: Partial<Member> = {}): Member {
  return {
    id: index.toString(16).padStart(32, "0"),
    generation: 1,
    incarnation: 1,
    state: "alive",
    address: `10.0.0.${index}:5000`,
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
  };
}

function newTable(prng = new Prng(1), options: { maxDead?: number } = {}): MemberTable {
  return new MemberTable(member(0), {
    maxMembers: 100,
    maxDead: options.maxDead ?? 50,
    prng: prng.random,
  });
}

describe("MemberTable", () => {
  it("agrees with a list that is searched, whatever happens to its members", () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const prng = new Prng(seed);
      const table = newTable(prng);
      const model = new Map<string, Member>();
      for (let step = 0; step < 500; step += 1) {
        const next = member(1 + prng.integer(30), {
          state: prng.pick(states),
          incarnation: prng.integer(5),
        });
        const record = table.get(next.id);
        if (record === undefined) table.insert(next);
        else table.replace(record, next);
        model.set(next.id, next);
        if (prng.chance(0.3)) table.nextToProbe();
      }
      const all = [...model.values()];
      const ids = (list: readonly { id: string }[]): string[] => list.map(({ id }) => id).sort();
      expect(ids(table.up)).to.deep.equal(ids(all.filter(({ state }) => isUp(state))));
      expect(ids(table.down)).to.deep.equal(ids(all.filter(({ state }) => isDown(state))));
      expect(ids([...table.suspects])).to.deep.equal(
        ids(all.filter(({ state }) => state === "suspect")),
      );
      expect(table.ended).to.equal(all.filter(({ state }) => !isUp(state)).length);
      const view = [member(0), ...all.filter(({ state }) => isUp(state))].reduce(
        (hash, each) => (hash ^ viewHash(each)) >>> 0,
        0,
      );
      expect(table.view).to.equal(view);
    }
  });

  it("gives each member that is up once in a round, also while some come and go", () => {
    const table = newTable(new Prng(3));
    for (let i = 1; i <= 20; i += 1) table.insert(member(i));
    const gone = table.get(member(7).id);
    if (gone === undefined) throw new Error("not there");
    const probed = new Map<string, number>();
    for (let i = 0; i < 190; i += 1) {
      if (i === 30) table.replace(gone, member(7, { state: "dead" }));
      const id = table.nextToProbe()?.id ?? "";
      probed.set(id, (probed.get(id) ?? 0) + 1);
    }
    const counts = [...probed].filter(([id]) => id !== gone.id).map(([, count]) => count);
    expect(counts).to.have.length(19);
    expect(Math.max(...counts) - Math.min(...counts)).to.be.at.most(1);
    expect(newTable().nextToProbe()).to.equal(undefined);
  });

  it("gives different members at random, never more than there are", () => {
    const table = newTable(new Prng(5));
    for (let i = 1; i <= 10; i += 1) table.insert(member(i));
    for (const count of [1, 3, 9, 20]) {
      const chosen = table.randomUp(count, (record) => record.id !== member(4).id);
      expect(new Set(chosen).size).to.equal(chosen.length);
      expect(chosen.length).to.equal(Math.min(count, 9));
    }
  });

  it("evicts beyond the bound: volatile ones, then the gone, then the oldest (RULES 3)", () => {
    const table = newTable(new Prng(1), { maxDead: 1 });
    const put = (index: number, changes: Partial<Member>): void => {
      table.insert(member(index, changes)).changedAt = index;
    };
    put(1, { state: "dead" });
    put(2, { state: "left" });
    put(3, { state: "dead", flags: 4 });
    put(4, { state: "dead" });
    const order = table.evict().map((record) => Number.parseInt(record.id, 16));
    expect(order).to.deep.equal([3, 2, 1]);
    expect(table.ended).to.equal(1);
    expect(table.hasRoom(false)).to.equal(false);
    expect(table.hasRoom(true)).to.equal(true);
  });
});
