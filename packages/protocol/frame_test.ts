import { expect } from "chai";
import fc from "fast-check";
import { anyMessage, ramp } from "./_test_utils.ts";
import { DecodeError } from "./decode_error.ts";
import { encode } from "./encode.ts";
import { encodeFrame, FrameDecoder } from "./frame.ts";
import type { Frame } from "./messages.ts";

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof DecodeError) return error.code;
    throw error;
  }
}

describe("encodeFrame() and FrameDecoder", () => {
  it("give back any frames, however the stream is cut", () => {
    fc.assert(
      fc.property(
        fc.array(anyMessage("Frame") as fc.Arbitrary<Frame>, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 50 }),
        (frames, cuts) => {
          const stream = Buffer.concat(frames.map((frame) => encodeFrame(frame)));
          const decoder = new FrameDecoder();
          const got: Frame[] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const piece = cuts[i % cuts.length] ?? 1;
            const chunk = Uint8Array.from(stream.subarray(at, at + piece));
            got.push(...decoder.push(chunk));
            chunk.fill(0xee); // what was pushed is the caller's again
            at += piece;
          }
          expect(got).to.deep.equal(frames);
          expect(decoder.pending).to.equal(0);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("take a body alone, and a body this version does not know", () => {
    const decoder = new FrameDecoder();
    const bytes = encodeFrame({ type: "entryPart", offset: 0, total: 9, bytes: ramp(3) });
    expect([...decoder.push(bytes)]).to.deep.equal([
      { body: { type: "entryPart", offset: 0, total: 9, bytes: ramp(3) } },
    ]);
    expect([...decoder.push(Uint8Array.of(0, 0, 0, 3, 0xa2, 0x06, 0))]).to.deep.equal([
      { extra: Uint8Array.of(0xa2, 0x06, 0) },
    ]);
    expect([...decoder.push(new Uint8Array(4))]).to.deep.equal([{}]);
  });

  it("refuse a frame of more than 262,144 bytes by its length alone, and stay refused", () => {
    expect(() => encodeFrame({ type: "entryPart", bytes: new Uint8Array(262_140) })).to.throw(
      RangeError,
    );
    const decoder = new FrameDecoder();
    expect(codeOf(() => [...decoder.push(Uint8Array.of(0, 4, 0, 1))])).to.equal("too-large");
    expect(codeOf(() => [...decoder.push(new Uint8Array(0))])).to.equal("too-large");
    expect([...new FrameDecoder().push(Uint8Array.of(0, 4, 0, 0))]).to.have.length(0);
  });

  it("keep no more than arrived for a length that was only announced", () => {
    const decoder = new FrameDecoder();
    expect([...decoder.push(Uint8Array.of(0, 4, 0, 0, 1))]).to.have.length(0);
    expect(decoder.pending).to.equal(5);
    for (let i = 0; i < 1000; i++) expect([...decoder.push(ramp(1))]).to.have.length(0);
    expect(decoder.pending).to.equal(1005);
  });

  it("keep to a lower limit until it is raised", () => {
    const decoder = new FrameDecoder({ maxFrameBytes: 8 });
    const frame = encodeFrame({ type: "sent", sequence: 1, gone: ["0123456789"] });
    decoder.maxFrameBytes = 100;
    expect([...decoder.push(frame)]).to.have.length(1);
    decoder.maxFrameBytes = 8;
    expect(codeOf(() => [...decoder.push(frame)])).to.equal("too-large");
  });

  it("refuse a malformed frame, and everything after it", () => {
    const decoder = new FrameDecoder();
    const good = encodeFrame({ type: "sent", sequence: 1 });
    const stream = Uint8Array.from([...good, 0, 0, 0, 1, 0xff, ...good]);
    const got: Frame[] = [];
    expect(
      codeOf(() => {
        for (const frame of decoder.push(stream)) got.push(frame);
      }),
    ).to.equal("malformed");
    expect(got).to.have.length(1);
    expect(codeOf(() => [...decoder.push(good)])).to.equal("malformed");
  });

  it("have the length in four bytes before the message, big-endian", () => {
    const frame = { body: { type: "sent" as const, sequence: 1, gone: ["x".repeat(300)] } };
    const message = encode(frame, "Frame");
    expect([...encodeFrame(frame)]).to.deep.equal([0, 0, 1, message.length - 256, ...message]);
  });
});
