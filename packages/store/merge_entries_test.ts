import { NOW, STAMP, anyEntry, bytesOf, runs } from "./_test_utils.ts";
import { compareEntries, mergeEntries } from "./merge_entries.ts";
import { hashOf, isStripped } from "./content_hash.ts";
import type { Entry } from "./entry.ts";
import { expect } from "chai";
import fc from "fast-check";

/** An entry of one key, whole or stripped. */
const anyForm: fc.Arbitrary<Entry> = fc.tuple(anyEntry, fc.boolean()).map(([entry, strip]) => {
  const whole: Entry = { ...entry, key: "k" };
  const { expiresAt, version } = whole;
  if (!strip || expiresAt === undefined) return whole;
  return { key: "k", value: new Uint8Array(), version, expiresAt, hash: hashOf(whole) };
});

function same(a: Entry, b: Entry): boolean {
  return compareEntries(a, b) === 0;
}

describe("mergeEntries()", () => {
  it("keeps the later version whatever the order", () => {
    const a: Entry = { key: "k", value: bytesOf("a"), version: { time: 1, node: "b" } };
    const b: Entry = { key: "k", value: bytesOf("b"), version: { time: 2, node: "a" } };
    const c: Entry = { key: "k", value: bytesOf("c"), version: { time: 2, node: "b" } };
    expect(mergeEntries(a, b)).to.equal(b);
    expect(mergeEntries(b, a)).to.equal(b);
    expect(mergeEntries(b, c)).to.equal(c);
    expect(mergeEntries(c, b)).to.equal(c);
  });

  it("puts a tombstone over a value of the same version, then the greater bytes (rule 5)", () => {
    const version = { time: 1, node: "a" };
    const tombstone: Entry = { key: "k", value: new Uint8Array(), version, deleted: true };
    const low: Entry = { key: "k", value: bytesOf("a"), version };
    const high: Entry = { key: "k", value: bytesOf("b"), version };
    expect(mergeEntries(low, tombstone)).to.equal(tombstone);
    expect(mergeEntries(tombstone, low)).to.equal(tombstone);
    expect(mergeEntries(low, high)).to.equal(high);
    expect(mergeEntries(high, low)).to.equal(high);
  });

  it("is commutative, associative and idempotent", () => {
    fc.assert(
      fc.property(anyForm, anyForm, anyForm, (a, b, c) => {
        expect(same(mergeEntries(a, b), mergeEntries(b, a))).to.equal(true);
        const left = mergeEntries(mergeEntries(a, b), c);
        const right = mergeEntries(a, mergeEntries(b, c));
        expect(same(left, right)).to.equal(true);
        expect(mergeEntries(a, a)).to.equal(a);
      }),
      runs(1000),
    );
  });

  it("is a total order: antisymmetric, transitive, and equal only for equal contents", () => {
    fc.assert(
      fc.property(anyForm, anyForm, anyForm, (a, b, c) => {
        expect(Math.sign(compareEntries(a, b)) + Math.sign(compareEntries(b, a))).to.equal(0);
        const [x, y, z] = [a, b, c].sort(compareEntries) as [Entry, Entry, Entry];
        expect(compareEntries(x, z)).to.be.at.most(0);
        expect(compareEntries(x, y)).to.be.at.most(0);
        if (compareEntries(a, b) !== 0) return;
        expect(a.version).to.deep.equal(b.version);
        expect(hashOf(a)).to.deep.equal(hashOf(b));
      }),
      runs(1000),
    );
  });

  it("never moves an entry down by stripping it (rule 10)", () => {
    fc.assert(
      fc.property(anyForm, anyForm, (a, b) => {
        if (a.expiresAt === undefined) return;
        const { key, version, expiresAt } = a;
        const stripped = { key, value: new Uint8Array(), version, expiresAt, hash: hashOf(a) };
        expect(same(a, stripped)).to.equal(true);
        if (compareEntries(a, b) > 0) expect(compareEntries(stripped, b)).to.be.above(0);
      }),
      runs(1000),
    );
  });
});

describe("isStripped()", () => {
  it("knows an entry that carries the hash of something else than it says", () => {
    const version = { time: STAMP, node: "a" };
    const whole: Entry = { key: "k", value: bytesOf("x"), version, expiresAt: NOW };
    const empty: Entry = { key: "k", value: bytesOf(""), version, expiresAt: NOW };
    expect(isStripped(whole)).to.equal(false);
    expect(isStripped({ ...empty, hash: hashOf(empty) })).to.equal(false);
    expect(isStripped({ ...empty, hash: hashOf(whole) })).to.equal(true);
  });
});
