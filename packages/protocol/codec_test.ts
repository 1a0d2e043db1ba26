import { expect } from "chai";
import fc from "fast-check";
import { PLANS } from "./_schema.ts";
import {
  anyMessage,
  encodeWithProtobufjs,
  extra,
  ID_A,
  MESSAGE_NAMES,
  ramp,
  SAMPLES,
} from "./_test_utils.ts";
import { decode } from "./decode.ts";
import { DecodeError, type DecodeErrorCode } from "./decode_error.ts";
import { encode } from "./encode.ts";
import type { Envelope, MessageName, Update } from "./messages.ts";
import { versionNodeBytes } from "./version_node.ts";

/** What a decoder says of bytes: a code, or `undefined` if it takes them. */
function codeOf(bytes: Uint8Array | number[], type: MessageName): DecodeErrorCode | undefined {
  try {
    decode(Uint8Array.from(bytes), type);
    return undefined;
  } catch (error) {
    if (error instanceof DecodeError) return error.code;
    throw error;
  }
}

const ENTRY_BYTES = encode(SAMPLES.Entry, "Entry");

describe("encode() and decode()", () => {
  it("know every message of dnd.proto", () => {
    expect([...PLANS.keys()].sort()).to.deep.equal([...MESSAGE_NAMES].sort());
  });

  for (const name of MESSAGE_NAMES) {
    it(`give a ${name} back as it was, and write what protobufjs writes`, () => {
      const sample = SAMPLES[name];
      const fields = PLANS.get(name)?.fields ?? [];
      const names = new Set(fields.map((field) => field.oneof ?? field.name));
      if (name !== "Entry") expect(sample).to.include.keys(...names);
      const bytes = encode(sample, name);
      expect(Buffer.from(bytes).toString("hex")).to.equal(
        Buffer.from(encodeWithProtobufjs(name, sample)).toString("hex"),
      );
      expect(decode(bytes, name)).to.deep.equal(sample);
    });

    it(`agree with protobufjs on any ${name}, with fields of the future in it (RULES 14)`, () => {
      fc.assert(
        fc.property(anyMessage(name), (message) => {
          const bytes = encode(message as never, name);
          expect(Buffer.compare(bytes, encodeWithProtobufjs(name, message))).to.equal(0);
          expect(decode(bytes, name)).to.deep.equal(message);
        }),
        { numRuns: name === "Entry" || name === "Envelope" ? 500 : 60 },
      );
    });
  }

  it("keep unknown fields in their order, wherever they stand between known ones", () => {
    fc.assert(
      fc.property(extra, extra, (first, second) => {
        const bytes = Uint8Array.from([...first, ...ENTRY_BYTES, ...second]);
        const entry = decode(bytes, "Entry");
        expect(entry.extra).to.deep.equal(Uint8Array.from([...first, ...second]));
        const again = encode(entry, "Entry");
        expect(again).to.deep.equal(Uint8Array.from([...ENTRY_BYTES, ...first, ...second]));
        expect(decode(again, "Entry")).to.deep.equal(entry);
      }),
      { numRuns: 200 },
    );
  });

  it("fill in defaults, and leave them out again", () => {
    const empty = decode(new Uint8Array(0), "Summary");
    expect(empty).to.deep.equal({
      clock: 0,
      generation: 0,
      counter: 0,
      digest: new Uint8Array(0),
      algorithm: 0,
      scope: new Uint8Array(0),
      horizon: 0,
      flags: 0,
      seen: 0,
    });
    expect(encode(empty, "Summary")).to.have.length(0);
    expect(encode({}, "Summary")).to.have.length(0);
  });

  it("give nothing that is a view into what was received (RULES 15)", () => {
    const bytes = encode({ ...SAMPLES.Envelope, extra: Uint8Array.of(0xc0, 0x3e, 1) });
    const envelope = decode(bytes);
    bytes.fill(0xee);
    expect(envelope).to.deep.equal({ ...SAMPLES.Envelope, extra: Uint8Array.of(0xc0, 0x3e, 1) });
    const update = encode(SAMPLES.Update, "Update");
    const decoded = decode(update, "Update");
    update.fill(0xee);
    expect(decoded).to.deep.equal(SAMPLES.Update);
  });

  it("encode into a buffer of its own, fit to be transferred", () => {
    const first = encode(SAMPLES.Nack, "Nack");
    const second = encode(SAMPLES.Ping, "Ping");
    expect(first.buffer).not.to.equal(second.buffer);
    expect(first.buffer.byteLength).to.equal(first.length);
  });

  it("leave out members in a state they do not know, and relay none (RULES 2)", () => {
    const strange = [10, 16, ...ramp(16), 32, 7];
    const stateless = [10, 16, ...ramp(16)];
    const known = encode(SAMPLES.Member, "Member");
    const page = Uint8Array.from([
      ...[10, strange.length, ...strange],
      ...[10, known.length, ...known],
      ...[10, stateless.length, ...stateless],
    ]);
    const { members } = decode(page, "MemberPage");
    expect(members).to.deep.equal([SAMPLES.Member]);
    expect(codeOf(strange, "Member")).to.equal("malformed");
  });

  it("leave out entries of a space they do not know, and count them (RULES 14)", () => {
    const other = [8, 1, ...ENTRY_BYTES];
    const bytes = Uint8Array.from([
      ...[18, other.length, ...other],
      ...[18, ENTRY_BYTES.length, ...ENTRY_BYTES],
    ]);
    const update: Update = decode(bytes, "Update");
    expect(update.entries).to.deep.equal([SAMPLES.Entry]);
    expect(update.skipped).to.equal(1);
    expect(codeOf(other, "Entry")).to.equal("malformed");
    expect(codeOf([10, other.length, ...other], "EntryPart")).to.equal("malformed");
  });
});

describe("the node of a version", () => {
  it("may be any id of a map, so that what was imported can be passed on", () => {
    for (const node of ["a", "node7", "z".repeat(32), "f".repeat(31), ID_A]) {
      const entry = { ...SAMPLES.Entry, version: { time: 5, node } };
      const bytes = encode(entry, "Entry");
      expect(decode(bytes, "Entry")).to.deep.equal(entry);
      const plain = encode({ ...entry, version: { time: 5, node: ID_A } }, "Entry").length;
      expect(bytes.length - plain).to.equal(versionNodeBytes(node) - 16);
    }
  });

  it("has one form on the wire for each id", () => {
    const with_ = (node: number[]): number[] => [
      10,
      1,
      65,
      26,
      node.length,
      ...node,
      34,
      8,
      ...ramp(8),
    ];
    const zeros = new Array<number>(16).fill(0);
    const letters = (text: string): number[] => [...new TextEncoder().encode(text)];
    expect(decode(Uint8Array.from(with_([...zeros, 97])), "LeafItem").node).to.equal("a");
    for (const node of [
      zeros.slice(1),
      [...ramp(16), 97],
      [...zeros, 65],
      [...zeros, 0],
      [...zeros, ...letters("ab".repeat(16))],
      [...zeros, ...letters("z".repeat(33))],
    ]) {
      expect(codeOf(with_(node), "LeafItem")).to.equal("malformed");
    }
  });
});

describe("fields of the future", () => {
  const future = (length: number): Uint8Array =>
    Uint8Array.from([
      0xc2,
      0x3e,
      (length & 127) | 128,
      (length >> 7) | 128,
      length >> 14,
      ...ramp(length),
    ]);

  it("may take 16 KiB of an entry and 512 bytes of a member, so that they can be passed on", () => {
    const entry = (bytes: number): Uint8Array =>
      Uint8Array.from([...ENTRY_BYTES, ...future(bytes - 5)]);
    expect(decode(entry(16_384), "Entry").extra).to.have.length(16_384);
    expect(codeOf(entry(16_385), "Entry")).to.equal("malformed");
    const member = (bytes: number): Uint8Array =>
      Uint8Array.from([...encode(SAMPLES.Member, "Member"), ...future(bytes - 5)]);
    expect(decode(member(512), "Member").extra).to.have.length(512);
    expect(codeOf(member(513), "Member")).to.equal("malformed");
    expect(() => encode({ ...SAMPLES.Entry, extra: future(16_384) }, "Entry")).to.throw(RangeError);
    expect(() => encode({ ...SAMPLES.Member, extra: future(512) }, "Member")).to.throw(RangeError);
  });
});

describe("decode() refuses", () => {
  const cases: [string, DecodeErrorCode, MessageName, number[]][] = [
    ["a uint64 of 2^53", "unsafe-integer", "Nack", [8, 128, 128, 128, 128, 128, 128, 128, 16]],
    ["a uint64 of 2^64 - 1", "unsafe-integer", "Nack", [8, ...Array<number>(9).fill(255), 1]],
    ["a number of 11 bytes", "malformed", "Nack", [8, ...Array<number>(10).fill(128), 0]],
    ["a uint32 of 2^32", "malformed", "DigestRequest", [8, 128, 128, 128, 128, 16]],
    ["a field with number 0", "malformed", "Nack", [0, 0]],
    ["a group", "malformed", "Nack", [0xbb, 0x06, 0xbc, 0x06]],
    ["wire type 6", "malformed", "Nack", [0x56, 0]],
    ["a known field in another wire type", "malformed", "Nack", [0x0a, 1, 7]],
    ["a field twice", "malformed", "DigestRequest", [8, 1, 8, 2]],
    ["two messages in one envelope", "malformed", "Frame", [0x12, 0, 0x22, 0]],
    ["the same message twice", "malformed", "Frame", [0x12, 0, 0x12, 0]],
    ["bytes after their end", "malformed", "Refusal", [10, 5, 65]],
    ["a length of 2^32 - 1", "malformed", "Refusal", [10, 255, 255, 255, 255, 15]],
    ["a number cut in the middle", "malformed", "Nack", [8, 128]],
    ["a tag cut in the middle", "malformed", "Nack", [128]],
    ["UTF-8 that is too long", "invalid-utf8", "Refusal", [10, 2, 0xc0, 0x80]],
    ["half of a surrogate pair", "invalid-utf8", "Refusal", [10, 3, 0xed, 0xa0, 0x80]],
    ["cut UTF-8", "invalid-utf8", "Refusal", [10, 1, 0xe2]],
    ["a code of 65 bytes", "malformed", "Refusal", [10, 65, ...ramp(65, 40)]],
    ["an id of 15 bytes", "malformed", "Nack", [18, 15, ...ramp(15)]],
    ["a member without an id", "malformed", "Member", [32, 1]],
    ["a digest of 7 bytes", "malformed", "Summary", [34, 7, ...ramp(7)]],
    ["sums that are not whole", "malformed", "LeafSums", [26, 9, ...ramp(9)]],
    ["an empty key", "malformed", "Want", [18, 0]],
    ["children that are not 32", "malformed", "DigestReply", [26, 8, ...ramp(8)]],
    ["an entry without a key", "malformed", "Entry", [...ENTRY_BYTES].slice(12)],
    ["an entry without a hash", "malformed", "Entry", [...ENTRY_BYTES].slice(0, -10)],
    ["a tombstone with a value", "malformed", "Entry", [40, 1, ...ENTRY_BYTES]],
    ["a key twice", "malformed", "Entry", [...ENTRY_BYTES, 18, 1, 65]],
    ["metadata of 513 bytes", "malformed", "Member", [58, 129, 4, ...ramp(513)]],
    ["packed numbers cut short", "malformed", "DigestRequest", [18, 2, 1, 128]],
  ];
  for (const [what, code, type, bytes] of cases) {
    it(what, () => {
      expect(codeOf(bytes, type)).to.equal(code);
    });
  }

  it("an envelope of more than 65,507 bytes, before it reads one", () => {
    expect(codeOf(new Uint8Array(65_508), "Envelope")).to.equal("too-large");
    expect(codeOf(new Uint8Array(262_145), "Frame")).to.equal("too-large");
    expect(() => decode(new Uint8Array(11), "Frame", { maxBytes: 10 })).to.throw(DecodeError);
  });

  it("what is no bytes and no message at all, as a program's mistake", () => {
    for (const bytes of [undefined, null, "x", 7, [1, 2], {}]) {
      expect(() => decode(bytes as never)).to.throw(TypeError, "give a Uint8Array");
    }
    for (const message of [undefined, null, "x", 7]) {
      expect(() => encode(message as never)).to.throw(TypeError, "the Envelope is no object");
      expect(() => encode(message as never, "Want")).to.throw(TypeError, "the Want is no object");
    }
  });

  it("more indexes than a request may have, packed or not", () => {
    const packed = [18, 129, 8, ...Array<number>(1025).fill(1)];
    const loose = Array.from({ length: 1025 }, () => [16, 1]).flat();
    expect(codeOf(packed, "DigestRequest")).to.equal("too-many");
    expect(codeOf(loose, "DigestRequest")).to.equal("too-many");
    expect(decode(Uint8Array.from(loose.slice(0, 10)), "DigestRequest").indexes).to.have.length(5);
  });

  it("every message that is cut anywhere, or takes it for a shorter one", () => {
    for (const name of MESSAGE_NAMES) {
      const bytes = encode(SAMPLES[name], name);
      for (let length = 0; length < bytes.length; length++) codeOf(bytes.subarray(0, length), name);
    }
  });
});

describe("encode() refuses", () => {
  const entry = SAMPLES.Entry;
  const envelope: Envelope = SAMPLES.Envelope;
  const cases: [string, () => unknown, typeof TypeError | typeof RangeError][] = [
    [
      "a key of 1,025 bytes",
      () => encode({ ...entry, key: "a".repeat(1025) }, "Entry"),
      RangeError,
    ],
    [
      "a key of 1,026 bytes in 342 characters",
      () => encode({ ...entry, key: "☃".repeat(342) }, "Entry"),
      RangeError,
    ],
    ["an empty key", () => encode({ ...entry, key: "" }, "Entry"), RangeError],
    ["half of a surrogate pair", () => encode({ ...entry, key: "a\ud800" }, "Entry"), TypeError],
    [
      "a node that is no id",
      () => encode({ ...entry, version: { time: 1, node: "A-1" } }, "Entry"),
      TypeError,
    ],
    ["an id in capitals", () => encode({ ...envelope, senderId: ID_A.toUpperCase() }), TypeError],
    [
      "a time beyond 2^53",
      () => encode({ ...entry, version: { time: 2 ** 53, node: ID_A } }, "Entry"),
      RangeError,
    ],
    ["a negative sequence", () => encode({ sequence: -1, target: ID_A }, "Nack"), RangeError],
    ["a fraction", () => encode({ sequence: 1.5, target: ID_A }, "Nack"), RangeError],
    ["a level of 2^32", () => encode({ level: 2 ** 32 }, "DigestRequest"), RangeError],
    [
      "an entry without its hash",
      () => encode({ key: "a", value: entry.value, version: entry.version }, "Entry"),
      TypeError,
    ],
    ["a tombstone with a value", () => encode({ ...entry, deleted: true }, "Entry"), TypeError],
    ["a member without a state", () => encode({ id: ID_A }, "Member"), TypeError],
    ["an envelope without a sender", () => encode({ cluster: "dnd" }), TypeError],
    [
      "a cluster name of 65 bytes",
      () => encode({ ...envelope, cluster: "c".repeat(65) }),
      RangeError,
    ],
    ["sums that are not whole", () => encode({ fingerprints: ramp(9) }, "LeafSums"), RangeError],
    [
      "extra that is a known field",
      () => encode({ ...entry, extra: Uint8Array.of(8, 1) }, "Entry"),
      TypeError,
    ],
    ["extra that is no field", () => encode({ ...envelope, extra: Uint8Array.of(255) }), TypeError],
    [
      "too many indexes",
      () => encode({ indexes: new Array<number>(1025).fill(0) }, "DigestRequest"),
      RangeError,
    ],
  ];
  for (const [what, run, error] of cases) {
    it(what, () => {
      expect(run).to.throw(error);
    });
  }

  it("and goes on encoding after an error in the middle of a message", () => {
    const broken = { ...SAMPLES.Update, entries: [entry, { ...entry, key: "" }] };
    expect(() => encode(broken, "Update")).to.throw(RangeError);
    expect(decode(encode(SAMPLES.Update, "Update"), "Update")).to.deep.equal(SAMPLES.Update);
  });
});
