import { crc32 as zlibCrc32 } from "node:zlib";
import { expect } from "chai";
import { makePrng } from "./_test_utils.ts";
import { crc32 } from "./crc32.ts";

describe("crc32()", () => {
  it("is the check value of the catalogue for 123456789", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).to.equal(0xcbf43926);
    expect(crc32(new Uint8Array(0))).to.equal(0);
  });

  it("is what zlib says, in one piece and in two", () => {
    const next = makePrng(1);
    for (let i = 0; i < 300; i++) {
      const bytes = Uint8Array.from({ length: Math.floor(next() * 200) }, () => next() * 256);
      const cut = Math.floor(next() * bytes.length);
      expect(crc32(bytes)).to.equal(zlibCrc32(bytes));
      expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).to.equal(crc32(bytes));
    }
  });
});
