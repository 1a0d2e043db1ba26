import { expect } from "chai";
import { RowScratch } from "./_row_scratch.ts";
import { TAG_COUNTER, headRow, keyChecksum, numberRow } from "./_rows.ts";

describe("RowScratch", () => {
  const scratch = new RowScratch();

  it("writes the keys of heads as headRow() does, one over the other", () => {
    for (const key of ["a", "ключ", "k".repeat(1024), "\u{10ffff}".repeat(256), "b"]) {
      for (const keyHash of [0, 1, -1, 0x7fffffff, -0x80000000, 0x12345678]) {
        const row = headRow(keyHash, key);
        const { bytes, length } = scratch.head(keyHash, key);
        expect(bytes.subarray(0, length)).to.deep.equal(row);
        expect(scratch.checksum()).to.equal(keyChecksum(row, 0, row.length));
      }
    }
  });

  it("writes the keys that go by a number as numberRow() does", () => {
    for (const number of [0, 1, 255, 0xffffffff, 0x100000000, 0x123456789abc, 2 ** 53 - 1]) {
      const { bytes, length } = scratch.number(TAG_COUNTER, number);
      expect(bytes.subarray(0, length)).to.deep.equal(numberRow(TAG_COUNTER, number));
    }
  });
});
