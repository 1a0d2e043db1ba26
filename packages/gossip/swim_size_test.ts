import { expect } from "chai";
import fc from "fast-check";
import { encode, encodePacket, type Envelope, type Member, type Summary } from "@dnd/protocol";
import { baseBytes, memberBytes, updateBytes } from "./swim_size.ts";

const hex = (digits: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom(..."0123456789abcdef"), { minLength: digits, maxLength: digits })
    .map((all) => all.join(""));
const uint = fc.maxSafeNat();
const members: fc.Arbitrary<Member> = fc.record({
  id: hex(32),
  generation: fc.oneof(uint, fc.nat(300)),
  incarnation: fc.oneof(uint, fc.nat(300)),
  state: fc.constantFrom("alive" as const, "suspect" as const, "forgotten" as const),
  address: fc.string({ minLength: 1, maxLength: 60 }),
  name: fc.constantFrom("", "node-1", "größe", "節点"),
  metadata: fc.uint8Array({ maxLength: 512 }),
  flags: fc.nat(2 ** 31 - 1),
  protocolMin: fc.nat(3),
  protocolMax: fc.nat(3),
  seen: uint,
  departed: uint,
  accuser: fc.oneof(fc.constant(""), hex(32)),
  evidence: fc.nat(31),
  bootId: fc.oneof(fc.constant(""), hex(16)),
});

describe("memberBytes()", () => {
  it("is never less than the encoder needs, and little more", () => {
    fc.assert(
      fc.property(members, (member) => {
        const empty = encode({ ...envelope, members: [] }).length;
        const bytes = encode({ ...envelope, members: [member] }).length - empty;
        expect(memberBytes(member)).to.be.within(bytes, bytes + 24);
      }),
      { numRuns: 500 },
    );
  });
});

describe("updateBytes()", () => {
  it("is what the encoder needs", () => {
    for (const length of [0, 1, 127, 128, 1_000]) {
      const update = new Uint8Array(length);
      const bytes = encode({ ...envelope, updates: [update] }).length - encode(envelope).length;
      expect(updateBytes(update)).to.equal(bytes);
    }
  });
});

describe("baseBytes()", () => {
  it("covers header, tag, sender and the largest message", () => {
    const big = Number.MAX_SAFE_INTEGER;
    const summary: Summary = {
      clock: big,
      generation: big,
      counter: big,
      digest: new Uint8Array(8),
      algorithm: 2 ** 32 - 1,
      scope: new Uint8Array(256),
      horizon: big,
      flags: 2 ** 32 - 1,
      seen: big,
    };
    const message = { type: "ping", sequence: big, target: "a".repeat(32), summary } as const;
    const packet = encodePacket(
      { ...envelope, generation: big, incarnation: big, wall: big, view: 1, message },
      { bootId: "0".repeat(16), counter: 1 },
    );
    expect(baseBytes(envelope.cluster, summary)).to.be.at.least(packet.length);
  });
});

const envelope: Envelope = {
  protocolVersion: 1,
  cluster: "x".repeat(64),
  senderId: "0".repeat(32),
  generation: 1,
  incarnation: 1,
  wall: 1,
  view: 0,
  members: [],
  updates: [],
  padding: 0,
};
