import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "chai";
import {
  encodeWithProtobufjs,
  ID_A,
  makePrng,
  MESSAGE_NAMES,
  ramp,
  SAMPLES,
} from "./_test_utils.ts";
import { decode } from "./decode.ts";
import { DecodeError } from "./decode_error.ts";
import { encode } from "./encode.ts";
import { encodeFrame, FrameDecoder } from "./frame.ts";
import { MEMORY_FACTOR } from "./limits.ts";
import type { MessageName } from "./messages.ts";

const CASES = process.env["DND_FULL"] === "1" ? 5_000_000 : 240_000;

const CORPUS: readonly (readonly [MessageName, Uint8Array])[] = MESSAGE_NAMES.map((name) => [
  name,
  encode(SAMPLES[name], name),
]);

/** Numbers that break decoders: varints at their limits, lengths that lie. */
const NASTY: readonly (readonly number[])[] = [
  [0],
  [1],
  [127],
  [128, 1],
  [255, 255, 255, 255, 15],
  [255, 255, 255, 255, 255, 255, 255, 15],
  [255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
  [128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
];

const scratch = new Uint8Array(8192);

function mutate(bytes: Uint8Array, next: () => number): Uint8Array {
  const below = (n: number): number => Math.floor(next() * n);
  let length = bytes.length;
  scratch.set(bytes);
  /** Puts bytes where others were. */
  const splice = (at: number, remove: number, put: ArrayLike<number>): void => {
    const rest = Math.min(at + remove, length);
    scratch.copyWithin(at + put.length, rest, length);
    scratch.set(put, at);
    length += put.length - (rest - at);
  };
  for (let times = 1 + below(4); times > 0; times--) {
    const at = below(length + 1);
    switch (below(7)) {
      case 0: // a bit
        scratch[at] = (scratch[at] ?? 0) ^ (1 << below(8));
        break;
      case 1: // a byte
        scratch[at] = below(256);
        break;
      case 2: // cut
        length = at;
        break;
      case 3: // taken out
        splice(at, 1 + below(8), []);
        break;
      case 4: // a nasty number put in
        splice(at, below(2), NASTY[below(NASTY.length)] ?? []);
        break;
      case 5: {
        // a piece of another message
        const other = CORPUS[below(CORPUS.length)]?.[1] ?? new Uint8Array(0);
        const from = below(other.length);
        splice(at, 0, other.subarray(from, from + below(40)));
        break;
      }
      default: // itself again
        splice(length, 0, scratch.slice(at, Math.min(at + 60, length)));
    }
    length = Math.min(length, 4000);
  }
  return scratch.slice(0, length);
}

describe("decode() of hostile bytes", () => {
  it(`throws DecodeError or gives what encodes to the same again: ${CASES} cases`, function () {
    const seed = Date.now() % 1_000_000;
    const next = makePrng(seed);
    let taken = 0;
    for (let i = 0; i < CASES; i++) {
      const [home, sample] = CORPUS[Math.floor(next() * CORPUS.length)] ?? ["Envelope", ramp(9)];
      const name = next() < 0.9 ? home : (CORPUS[Math.floor(next() * CORPUS.length)]?.[0] ?? home);
      const bytes =
        next() < 0.2
          ? Uint8Array.from({ length: Math.floor(next() * 60) }, () => Math.floor(next() * 256))
          : mutate(sample, next);
      try {
        let message;
        try {
          message = decode(bytes, name);
        } catch (error) {
          if (error instanceof DecodeError) continue;
          throw error;
        }
        taken++;
        if (taken % 4 !== 0) continue;
        const once = encode(message as never, name);
        const twice = encode(decode(once, name) as never, name);
        expect(Buffer.compare(once, twice)).to.equal(0);
      } catch (error) {
        const hex = Buffer.from(bytes).toString("hex");
        throw new Error(`seed ${seed}, case ${i}: ${name} ${hex}`, { cause: error });
      }
    }
    expect(taken).to.be.above(CASES / 50); // the mutations are not all refused at the first byte
  });

  it("throws only DecodeError from a stream of frames cut anywhere", () => {
    const next = makePrng(7);
    for (let i = 0; i < 5_000; i++) {
      const stream = mutate(
        Uint8Array.from(
          [SAMPLES.Frame, { body: { type: "sent" as const, sequence: 3 } }, {}].flatMap((frame) => [
            ...encodeFrame(frame),
          ]),
        ),
        next,
      );
      const decoder = new FrameDecoder();
      try {
        for (let at = 0; at < stream.length;) {
          const piece = 1 + Math.floor(next() * 20);
          for (const frame of decoder.push(stream.subarray(at, at + piece))) void frame;
          at += piece;
        }
        expect(decoder.pending).to.be.at.most(stream.length);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
    }
  });
});

// ----------------------------------------------------------------------------------------- memory

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

function used(): number {
  gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** `item` as often as it fits into the largest message of its kind. */
function dense(tag: readonly number[], item: readonly number[], max: number): Uint8Array {
  const one = [...tag, item.length, ...item];
  const count = Math.floor(max / one.length);
  const bytes = new Uint8Array(count * one.length);
  for (let i = 0; i < count; i++) {
    bytes.set(one, i * one.length);
    // Different node ids, keys, ...: nothing is shared by being equal.
    if (one.length > 8) bytes[i * one.length + one.length - 1] = i & 255;
    if (one.length > 8) bytes[i * one.length + one.length - 2] = (i >> 8) & 255;
  }
  return bytes;
}

const FRAME = 262_144;
const DATAGRAM = 65_507;
const id = [10, 16, ...ramp(16)];
const entry = [18, 1, 65, 34, 16, ...ramp(16)];
const hash = [74, 8, ...ramp(8)];

const DENSE: readonly (readonly [string, MessageName, Uint8Array])[] = [
  ["members with an id and a state", "MemberPage", dense([10], [32, 1, ...id], FRAME)],
  ["members with metadata", "MemberPage", dense([10], [32, 1, 58, 1, 9, ...id], FRAME)],
  ["members in an unknown state", "MemberPage", dense([10], [32, 9, 58, 1, 9, ...id], FRAME)],
  ["members without anything", "MemberPage", dense([10], [], FRAME)],
  ["members of a datagram", "Envelope", dense([162, 1], [32, 1, ...id], DATAGRAM)],
  ["updates without a byte", "Envelope", dense([170, 1], [], DATAGRAM)],
  ["updates of one byte", "Envelope", dense([170, 1], [7], DATAGRAM)],
  ["updates of 20 bytes", "Envelope", dense([170, 1], [...ramp(20)], DATAGRAM)],
  ["tombstones", "Update", dense([18], [40, 1, ...entry, ...hash], FRAME)],
  ["entries with one byte", "Update", dense([18], [66, 1, 9, ...entry, ...hash], FRAME)],
  ["entries with fields of the future", "Update", dense([18], [80, 1, ...entry, ...hash], FRAME)],
  ["entries of another space", "Update", dense([18], [8, 1, ...entry, ...hash], FRAME)],
  ["heard", "ExchangeOpen", dense([10], id, FRAME)],
  [
    "leaf items",
    "LeafList",
    dense([26], [10, 1, 65, 26, 16, ...ramp(16), 34, 8, ...ramp(8)], FRAME),
  ],
  ["keys of one byte", "Want", dense([18], [65], FRAME)],
  ["keys of two bytes", "Want", dense([18], [65, 66], FRAME)],
  ["keys of one letter and two bytes", "Want", dense([18], [0xc3, 0xa4], FRAME)],
  ["keys of a snowman", "Want", dense([18], [0xe2, 0x98, 0x83], FRAME)],
  ["indexes", "LeafWant", Uint8Array.from([18, 255, 255, 1, ...new Array<number>(32_767).fill(5)])],
  ["indexes one by one", "LeafWant", dense([16], [], FRAME).map((byte) => byte || 16)],
  ["unknown fields", "Frame", dense([0xc2, 0x3e], [], FRAME)],
  [
    "unknown fields between members",
    "MemberPage",
    dense([0xc2, 0x3e, 0, 10], [32, 1, ...id], FRAME),
  ],
];

describe("decode() of the densest messages that fit", () => {
  for (const [what, name, bytes] of DENSE) {
    it(`takes at most ${MEMORY_FACTOR} times the input for ${what}`, () => {
      let kept: unknown;
      const run = (): void => {
        try {
          kept = decode(bytes, name);
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
        }
      };
      run(); // code and tables are there now
      let peak = Infinity;
      let left = Infinity;
      // The process does other things too, so the least of three tries counts.
      for (let tries = 0; tries < 3 && (peak > MEMORY_FACTOR || left > MEMORY_FACTOR); tries++) {
        kept = undefined;
        const before = used();
        run();
        // With the garbage, as far as it was not collected meanwhile; then without.
        const { heapUsed, arrayBuffers } = process.memoryUsage();
        peak = Math.min(peak, (heapUsed + arrayBuffers - before) / bytes.length);
        left = Math.min(left, (used() - before) / bytes.length);
      }
      expect(peak).to.be.at.most(MEMORY_FACTOR);
      expect(left).to.be.at.most(MEMORY_FACTOR);
      expect(kept === undefined || typeof kept === "object").to.equal(true);
    });
  }

  it("does not refuse what honest nodes send", () => {
    const small = { version: { time: 1e14, node: ID_A }, hash: ramp(8) };
    const entries = Array.from({ length: 4000 }, (_, i) => ({
      ...small,
      key: `${i}`,
      value: ramp(1),
    }));
    expect(decode(encode({ entries }, "Update"), "Update").entries).to.have.length(4000);
    const members = Array.from({ length: 1000 }, () => SAMPLES.Member);
    expect(decode(encode({ members }, "MemberPage"), "MemberPage").members).to.have.length(1000);
    const keys = Array.from({ length: 20_000 }, (_, i) => `k${i}`);
    expect(decode(encode({ keys }, "Want"), "Want").keys).to.deep.equal(keys);
    const leaves = Array.from({ length: 32_768 }, (_, i) => i);
    expect(decode(encode({ leaves }, "LeafWant"), "LeafWant").leaves).to.deep.equal(leaves);
    const heard = Array.from({ length: 6000 }, (_, i) => ({ ...SAMPLES.Heard, time: i }));
    expect(decode(encode({ heard }, "ExchangeOpen"), "ExchangeOpen").heard).to.have.length(6000);
  });

  it("needs time in proportion to the input, also for unknown fields between known ones", () => {
    const seconds = (bytes: Uint8Array, name: MessageName): number => {
      const start = process.hrtime.bigint();
      for (let i = 0; i < 3; i++) {
        try {
          decode(bytes, name);
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
        }
      }
      return Number(process.hrtime.bigint() - start) / 3e9;
    };
    // 65,000 unknown fields in one message: joined one by one they would take seconds.
    const mixed = dense([0xc2, 0x3e, 0], encodeWithProtobufjs("Want", { keys: ["a"] }) as never, 1);
    expect(mixed).to.have.length(0);
    expect(seconds(dense([0xc2, 0x3e], [], FRAME), "Frame")).to.be.below(1);
  });
});
