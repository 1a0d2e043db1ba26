import { expect } from "chai";
import { describe, it } from "mocha";
import { encodeFrame, FrameDecoder, type EntryPart } from "@dnd/protocol";
import { VersionedMap } from "@dnd/store";
import { entryFrames, entryParts } from "./entry_frames.ts";
import { ExchangeError } from "./exchange_error.ts";
import { PartAssembler } from "./part_assembler.ts";
import { idOf, START_MS } from "./_test_utils.ts";

const map = new VersionedMap({ node: idOf(1) });
const value = Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * 7) & 255);
const entry = map.put("large", value, { now: START_MS, contentType: "image/png" });

function parts(): EntryPart[] {
  const decoder = new FrameDecoder();
  const all: EntryPart[] = [];
  for (const { frame, bytes } of entryParts(entry, { frameBytes: 128 * 1024 })) {
    const encoded = encodeFrame(frame);
    expect(encoded.length).to.be.at.most(bytes);
    for (const { body } of decoder.push(encoded)) if (body?.type === "entryPart") all.push(body);
  }
  return all;
}

describe("PartAssembler (rule 4)", () => {
  it("puts an entry together again, hash and type and all", () => {
    const assembler = new PartAssembler();
    const whole = parts().map((part) => assembler.add(part));
    expect(whole.length).to.equal(8);
    expect(whole.slice(0, -1).every((part) => part === undefined)).to.equal(true);
    const other = new VersionedMap({ node: idOf(2) });
    const last = whole.at(-1);
    expect(last === undefined ? [] : other.merge([last], { now: START_MS })).to.deep.equal([
      "applied",
    ]);
    expect(other.digest()).to.deep.equal(map.digest());
    expect(assembler.bytes).to.equal(0);
  });

  it("takes as much memory for a value in single bytes as for one in large parts", () => {
    const [first] = parts() as [EntryPart];
    const assembler = new PartAssembler();
    const used = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
    const before = used();
    for (let offset = 0; offset < 500_000; offset += 1) {
      const part = { ...first, offset, bytes: Uint8Array.of(7) };
      assembler.add(part);
    }
    expect(assembler.bytes).to.equal(500_000);
    expect(used() - before).to.be.below(64 * 1024 * 1024); // kept one by one: 110 MiB
  });

  it("ends a peer that sends parts out of order, too much, or of too much", () => {
    const [first, second, third] = parts() as [EntryPart, EntryPart, EntryPart];
    const cases: readonly (readonly EntryPart[])[] = [
      [second],
      [first, third],
      [first, first],
      [{ ...first, total: 16 * 1024 * 1024 + 1 }],
      [{ ...first, total: 10 }],
      [first, { ...second, bytes: new Uint8Array(0) }],
      [{ ...first, entry: { ...entry, value: new Uint8Array(0), deleted: true } }],
    ];
    for (const [i, sent] of cases.entries()) {
      const assembler = new PartAssembler();
      expect(() => {
        for (const part of sent) assembler.add(part);
      }, `case ${i}`).to.throw(ExchangeError);
    }
  });
});

describe("entryFrames()", () => {
  it("fills frames up to their size and splits what is larger", () => {
    const entries = Array.from({ length: 3000 }, (_, i) =>
      map.put(`key ${i}`, new Uint8Array(100), { now: START_MS }),
    );
    entries.splice(1500, 0, entry);
    const frames = [...entryFrames(entries, { frameBytes: 64 * 1024, counter: 1 })];
    const sizes = frames.map(({ frame }) => encodeFrame(frame).length);
    expect(Math.max(...sizes)).to.be.at.most(64 * 1024 + 4);
    expect(frames.reduce((sum, frame) => sum + frame.entries, 0)).to.equal(3001);
    for (const [i, { bytes }] of frames.entries())
      expect(bytes).to.be.at.least((sizes[i] ?? 0) - 4);
  });
});
