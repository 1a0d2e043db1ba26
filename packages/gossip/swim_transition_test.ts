import { expect } from "chai";
import fc from "fast-check";
import type { Member, MemberState } from "@dnd/protocol";
import { isDown, isUp, joinClaims, transition } from "./swim_transition.ts";

const states: MemberState[] = ["alive", "suspect", "dead", "stopped", "left", "forgotten"];

/** The precedence rules of the paper and of RULES 2, written down a second time, rule by rule. */
function overrides(
  said: { g: number; i: number; state: MemberState },
  held: { g: number; i: number; state: MemberState },
): boolean {
  if (said.g > held.g) return true; // an older generation never beats a newer one
  if (said.g < held.g) return false;
  if (held.state === "forgotten") return said.state === "forgotten" && said.i > held.i;
  if (said.state === "forgotten") return true;
  if (held.state === "left") return said.state === "left" && said.i > held.i;
  if (said.state === "left") return true;
  switch (said.state) {
    case "alive": // {Alive, i} overrides {Suspect, j}, {Alive, j}, i > j; and refutes death, i > j
      return said.i > held.i;
    case "suspect": // overrides {Suspect, j}, i > j and {Alive, j}, i >= j
      return held.state === "alive" ? said.i >= held.i : said.i > held.i;
    case "dead": // overrides {Alive, j}, {Suspect, j}, i >= j; among the ended i > j
      return isUp(held.state) ? said.i >= held.i : said.i > held.i;
    case "stopped": // its own word, over what others thought in the same incarnation
      return held.state === "stopped" ? said.i > held.i : said.i >= held.i;
  }
}

function member(changes: Partial<Member>): Member {
  return {
    id: "a".repeat(32),
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
  };
}

const claims: fc.Arbitrary<Member> = fc
  .record({
    generation: fc.integer({ min: 1, max: 3 }),
    incarnation: fc.integer({ min: 0, max: 3 }),
    state: fc.constantFrom(...states),
    address: fc.constantFrom("10.0.0.1:5000", "10.0.0.2:5000"),
    flags: fc.integer({ min: 0, max: 3 }),
    metadata: fc.uint8Array({ maxLength: 2 }),
    accuser: fc.constantFrom("", "b".repeat(32), "c".repeat(32)),
    evidence: fc.integer({ min: 0, max: 31 }),
    seen: fc.integer({ min: 0, max: 5 }),
    departed: fc.integer({ min: 0, max: 5 }),
  })
  .map(member);

describe("transition() (RULES 2)", () => {
  it("agrees with the rules for all states, incarnations and generations", () => {
    let cases = 0;
    for (const heldState of states) {
      for (const saidState of states) {
        for (const [g1, g2] of pairs([1, 2, 3])) {
          for (const [i1, i2] of pairs([0, 1, 2, 2 ** 48 - 1, 2 ** 48])) {
            const held = { g: g1, i: i1, state: heldState };
            const said = { g: g2, i: i2, state: saidState };
            const outcome = transition(
              { generation: g1, incarnation: i1, state: heldState },
              { generation: g2, incarnation: i2, state: saidState },
            );
            const text = JSON.stringify({ held, said });
            expect(outcome === "replace", text).to.equal(overrides(said, held));
            expect(outcome === "older", text).to.equal(overrides(held, said));
            cases += 1;
          }
        }
      }
    }
    expect(cases).to.equal(36 * 9 * 25);
  });

  it("never lets an old alive revive a newer dead", () => {
    const dead = { generation: 2, incarnation: 7, state: "dead" } as const;
    for (const [generation, incarnation] of [
      [2, 7],
      [2, 0],
      [1, 1_000],
    ] as const) {
      expect(transition(dead, { generation, incarnation, state: "alive" })).to.equal("older");
    }
    expect(transition(dead, { generation: 2, incarnation: 8, state: "alive" })).to.equal("replace");
    expect(transition(dead, { generation: 3, incarnation: 0, state: "alive" })).to.equal("replace");
  });

  it("lets nobody back from left or forgotten but by a higher generation (RULES 3)", () => {
    for (const state of ["left", "forgotten"] as const) {
      const held = { generation: 1, incarnation: 1, state };
      const refutation = { generation: 1, incarnation: 2 ** 40, state: "alive" } as const;
      expect(transition(held, refutation)).to.equal("older");
      const again = { generation: 2, incarnation: 1, state: "alive" } as const;
      expect(transition(held, again)).to.equal("replace");
    }
  });

  it("sorts the states into up, down and gone", () => {
    expect(states.filter(isUp)).to.deep.equal(["alive", "suspect"]);
    expect(states.filter(isDown)).to.deep.equal(["dead", "stopped"]);
  });
});

describe("joinClaims()", () => {
  it("is a lattice: commutative, associative, idempotent", () => {
    fc.assert(
      fc.property(claims, claims, claims, (a, b, c) => {
        expect(joinClaims(a, b)).to.deep.equal(joinClaims(b, a));
        expect(joinClaims(joinClaims(a, b), c)).to.deep.equal(joinClaims(a, joinClaims(b, c)));
        expect(joinClaims(a, a)).to.equal(a);
      }),
      { numRuns: 3_000 },
    );
  });

  it("ends in the same view whatever the order and repetition of the rumors", () => {
    const rumors = fc
      .array(claims, { minLength: 1, maxLength: 8 })
      .chain((list) => fc.tuple(fc.constant(list), shuffledTwice(list)));
    fc.assert(
      fc.property(rumors, ([list, other]) => {
        const inOrder = list.reduce(joinClaims);
        expect(other.reduce(joinClaims)).to.deep.equal(inOrder);
      }),
      { numRuns: 1_000 },
    );
  });

  it("keeps the greatest `seen` and `departed` whoever wins (RULES 1)", () => {
    const old = member({ generation: 1, seen: 9, departed: 4 });
    const young = member({ generation: 2, seen: 3 });
    expect(joinClaims(young, old)).to.include({ generation: 2, seen: 9, departed: 4 });
  });
});

function pairs(values: readonly number[]): [number, number][] {
  return values.flatMap((a) => values.map((b): [number, number] => [a, b]));
}

function shuffledTwice(list: Member[]): fc.Arbitrary<Member[]> {
  return fc.shuffledSubarray([...list, ...list], { minLength: 2 * list.length });
}
