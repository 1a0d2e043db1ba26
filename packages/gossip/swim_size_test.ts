import { expect } from "chai";
import fc from "fast-check";
import {
  encode,
  encodePacket,
  type Envelope,
  type EnvelopeMessage,
  type Member,
  type Summary,
} from "@dnd/protocol";
import {
  baseBytes,
  envelopeBytes,
  memberBytes,
  pageMemberBytes,
  updateBytes,
} from "./swim_size.ts";

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
  name: fc.constantFrom("", "node-1", "größe", "節点", "\u{1f600}"),
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

const summaries: fc.Arbitrary<Summary> = fc.record(
  {
    clock: uint,
    generation: fc.nat(200),
    counter: uint,
    digest: fc.constantFrom(new Uint8Array(0), new Uint8Array(8)),
    algorithm: fc.nat(300),
    scope: fc.uint8Array({ maxLength: 256 }),
    horizon: uint,
    flags: fc.nat(7),
    seen: uint,
    extra: fc.constant(Uint8Array.of(0xa0, 0x06, 0x01)),
  },
  {
    requiredKeys: [
      "clock",
      "generation",
      "counter",
      "digest",
      "algorithm",
      "scope",
      "horizon",
      "flags",
      "seen",
    ],
  },
);
const target = fc.oneof(fc.constant(""), hex(32));
const probe = { sequence: uint, target };
const messages: fc.Arbitrary<EnvelopeMessage> = fc.oneof(
  fc.record({ type: fc.constant("ping" as const), ...probe }),
  fc.record({ type: fc.constant("ping" as const), ...probe, summary: summaries }),
  fc.record({ type: fc.constant("ack" as const), ...probe, summary: summaries }),
  fc.record({
    type: fc.constant("pingRequest" as const),
    sequence: fc.nat(1_000),
    target: hex(32),
    address: fc.string({ maxLength: 60 }),
    nack: fc.boolean(),
  }),
  fc.record({ type: fc.constant("nack" as const), sequence: uint, target: hex(32) }),
  fc.record({
    type: fc.constant("refusal" as const),
    code: fc.string({ maxLength: 20 }),
    detail: fc.constantFrom("", "größer als 節点", "\u{1f600}"),
    retryAfterMs: fc.nat(100_000),
  }),
);
const envelopes: fc.Arbitrary<Envelope> = fc.record({
  protocolVersion: fc.nat(2),
  cluster: fc.constantFrom("dnd", "größe", "x".repeat(64)),
  senderId: hex(32),
  generation: fc.oneof(uint, fc.nat(300)),
  incarnation: fc.nat(20_000),
  wall: uint,
  view: fc.nat(2 ** 32 - 1),
  members: fc.array(members, { maxLength: 5 }),
  updates: fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 }),
  padding: fc.oneof(fc.constant(0), fc.nat(1_300)),
});

describe("memberBytes()", () => {
  it("is what the encoder needs", () => {
    fc.assert(
      fc.property(members, (member) => {
        const empty = encode({ ...envelope, members: [] }).length;
        const bytes = encode({ ...envelope, members: [member] }).length - empty;
        expect(memberBytes(member)).to.equal(bytes);
        const page = encode({ members: [member], last: false }, "MemberPage");
        expect(pageMemberBytes(member)).to.equal(page.length);
      }),
      { numRuns: 500 },
    );
  });
});

describe("envelopeBytes()", () => {
  it("is what the encoder needs, whatever is in it", () => {
    fc.assert(
      fc.property(envelopes, fc.option(messages, { nil: undefined }), (rest, message) => {
        const whole: Envelope = message === undefined ? rest : { ...rest, message };
        expect(envelopeBytes(whole)).to.equal(encode(whole).length);
      }),
      { numRuns: 1_000 },
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
