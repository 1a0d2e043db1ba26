import { expect } from "chai";
import { NumberRowScratch, RowPart } from "./_row_scratch.ts";
import { TAG_COUNTER, headRow, keyChecksum, numberRow, writeHeadRow } from "./_rows.ts";

describe("keys of rows in other bytes", () => {
  it("are those of heads as headRow() writes them, wherever they lie", () => {
    const bytes = Buffer.alloc(4096);
    const part = new RowPart(bytes);
    for (const key of ["a", "ключ", "k".repeat(1024), "\u{10ffff}".repeat(256), "b"]) {
      for (const keyHash of [0, 1, -1, 0x7fffffff, -0x80000000, 0x12345678]) {
        const row = headRow(keyHash, key);
        const end = writeHeadRow(keyHash, key, bytes, 77);
        expect(bytes.subarray(77, end)).to.deep.equal(row);
        expect(part.set(bytes, 77, end).checksum()).to.equal(keyChecksum(row, 0, row.length));
      }
    }
  });

  it("are those that go by a number as numberRow() writes them, one over the other", () => {
    const scratch = new NumberRowScratch();
    for (const number of [0, 1, 255, 0xffffffff, 0x100000000, 0x123456789abc, 2 ** 53 - 1]) {
      const row = numberRow(TAG_COUNTER, number);
      const { bytes, length } = scratch.number(TAG_COUNTER, number);
      expect(bytes.subarray(0, length)).to.deep.equal(row);
      expect(scratch.checksum()).to.equal(keyChecksum(row, 0, row.length));
    }
  });
});
