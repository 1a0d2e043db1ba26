import { compareKeys } from "./compare_keys.ts";
import { expect } from "chai";
import fc from "fast-check";
import { needsRank } from "./_key_order.ts";
import { runs } from "./_test_utils.ts";

describe("compareKeys()", () => {
  const text = fc.string({ unit: "binary", maxLength: 6 });

  it("is the order of the UTF-8 bytes", () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        const expected = Buffer.compare(Buffer.from(a), Buffer.from(b));
        expect(Math.sign(compareKeys(a, b))).to.equal(expected);
      }),
      runs(1000),
    );
  });

  it("differs from code units only where needsRank() says so", () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        if (needsRank(a) || needsRank(b)) return;
        expect(Math.sign(compareKeys(a, b))).to.equal(a === b ? 0 : a < b ? -1 : 1);
      }),
      runs(500),
    );
    expect(compareKeys("\u{1f600}", "\uffee")).to.be.above(0);
    expect("\u{1f600}" < "\uffee").to.equal(true);
  });
});
