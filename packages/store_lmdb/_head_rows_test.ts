import { expect } from "chai";
import { StoredEntry } from "@dnd/store/engine";
import type { RowKey, RowWriter } from "./_environment.ts";
import { HeadRows } from "./_head_rows.ts";
import type { RowMemory } from "./_row_memory.ts";
import { RowPart } from "./_row_scratch.ts";
import { headRow } from "./_rows.ts";

/** A writer that keeps the keys of the rows, and the memory that they came in. */
class Kept implements RowWriter {
  readonly keys: Buffer[] = [];
  readonly memories = new Set<RowMemory>();

  put(): void {}

  remove(): void {}

  putPart(row: RowKey, memory: RowMemory): void {
    if (!(row instanceof RowPart)) throw new TypeError("no part of a memory");
    this.keys.push(Buffer.from(row.bytes.subarray(row.start, row.start + row.length)));
    this.memories.add(memory);
  }

  get bytes(): number {
    return [...this.memories].reduce((sum, { bytes }) => sum + bytes.length, 0);
  }
}

function entryOf(key: string, keyHash: number): StoredEntry {
  const fields = { key, value: new Uint8Array(1), version: { time: 1, node: "a" } };
  const marks = { keyHash, hashHigh: 0, hashLow: 0, fingerprintHigh: 0, fingerprintLow: 0 };
  return new StoredEntry(fields, { ...marks, counter: 1, stripped: false });
}

/** Writes the heads of so many entries, in two pieces. */
function writeHeads(count: number, keyOf: (i: number) => string): { kept: Kept; keys: Buffer[] } {
  const heads = new HeadRows(count);
  const entries = Array.from({ length: count }, (_, i) => entryOf(keyOf(i), (i * 0x9e3779b1) | 0));
  for (const entry of entries) heads.add(entry);
  const kept = new Kept();
  heads.write(0, count >>> 1, kept);
  heads.write(count >>> 1, count, kept);
  const keys = entries.map(({ key, keyHash }) => headRow(keyHash, key));
  return { kept, keys: keys.sort((a, b) => Buffer.compare(a, b)) };
}

describe("HeadRows", () => {
  it("writes the heads in the order of the hashes, also from several pieces of memory", () => {
    for (const [count, length] of [
      [1, 1],
      [40, 1000],
      [4_000, 1000],
    ] as const) {
      const { kept, keys } = writeHeads(count, (i) => `${i}`.padStart(length, "k"));
      expect(kept.keys.map(String)).to.deep.equal(keys.map(String));
    }
  });

  it("takes as much memory as its rows need: a commit of one large value is a run of one", () => {
    expect(writeHeads(1, () => "k").kept.bytes).to.be.below(1024);
    expect(writeHeads(1, () => "k".repeat(1024)).kept.bytes).to.be.below(4096);
    expect(writeHeads(512, (i) => `key${i}`).kept.bytes).to.be.below(128 * 1024);
  });

  it("goes on in another piece when the keys grow longer than the first ones", () => {
    const { kept, keys } = writeHeads(100, (i) => "k".repeat(1 + 10 * i));
    expect(kept.keys.map(String)).to.deep.equal(keys.map(String));
  });
});
