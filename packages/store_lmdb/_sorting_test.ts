import { compareKeys } from "@dnd/store";
import { expect } from "chai";
import fc from "fast-check";
import { sortedByKey, sortedByNumber } from "./_sorting.ts";

const letters = fc.constantFrom("a", "b", "~", "\u00fe", "\u00ff", "\u0100", "\uffff", "😀", "\0");
const keys = fc
  .tuple(
    fc.string({ unit: letters, maxLength: 3 }),
    fc.array(fc.string({ unit: letters, maxLength: 8 }), { maxLength: 120 }),
  )
  .map(([prefix, texts]) => texts.map((text) => prefix + text));

describe("sortedByKey()", () => {
  it("sorts by the bytes of UTF-8, however long what the keys share is", () => {
    fc.assert(
      fc.property(keys, (texts) => {
        const sorted = sortedByKey(texts.map((key) => ({ key })));
        expect(sorted.map(({ key }) => key)).to.deep.equal(texts.toSorted(compareKeys));
      }),
    );
  });
});

describe("sortedByNumber()", () => {
  it("sorts as a plain comparison does, and keeps the order of equals", () => {
    const numbers = fc.oneof(
      fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 100 }),
      fc.array(fc.maxSafeNat(), { maxLength: 100 }),
      fc.array(fc.integer({ min: 2 ** 40, max: 2 ** 40 + 2 ** 31 }), { maxLength: 100 }),
    );
    fc.assert(
      fc.property(numbers, (list) => {
        const items = list.map((number, at) => ({ number, at }));
        const sorted = sortedByNumber(items, ({ number }) => number);
        expect(sorted).to.deep.equal(items.toSorted((a, b) => a.number - b.number));
      }),
    );
  });
});
