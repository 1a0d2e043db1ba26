import { KeyTable } from "./_key_table.ts";
import { expect } from "chai";
import { hashKey, lastHash } from "./hash.ts";

/** A table beside a `Map` that must say the same. */
class Pair {
  readonly keys: string[] = [];
  readonly table: KeyTable = new KeyTable(this.keys);
  readonly model = new Map<string, number>();

  add(key: string, keyHash: number): void {
    const row = this.keys.push(key) - 1;
    this.table.add(keyHash, row);
    this.model.set(key, row);
  }

  remove(key: string, keyHash: number): void {
    this.table.remove(key, keyHash);
    this.model.delete(key);
  }

  check(hashOf: (key: string) => number): void {
    expect(this.table.rows(0, 2 ** 32).length).to.equal(this.model.size);
    for (const key of this.keys) {
      const row = this.model.get(key) ?? -1;
      if (this.table.find(key, hashOf(key)) !== row) expect.fail(`${key} is not in row ${row}`);
    }
    expect(this.table.rows(0, 2 ** 32).sort((a, b) => a - b)).to.deep.equal([
      ...this.model.values(),
    ]);
  }
}

function realHash(key: string): number {
  hashKey(key);
  return lastHash[0] ?? 0;
}

describe("the table of keys", () => {
  it("finds what is there and nothing else, while it grows, loses keys, and is made anew", () => {
    const pair = new Pair();
    for (let i = 0; i < 5000; i += 1) {
      pair.add(`key${i}`, realHash(`key${i}`));
      const old = `key${(i * 7) >> 3}`;
      if (i % 3 === 0 && pair.model.has(old)) pair.remove(old, realHash(old));
    }
    pair.check(realHash);
  });

  it("lists the keys of a range of hashes", () => {
    const pair = new Pair();
    for (let i = 0; i < 20_000; i += 1) pair.add(`key${i}`, realHash(`key${i}`));
    const low = 77 * 2 ** 17;
    const rows = pair.table.rows(low, low + 40 * 2 ** 17).sort((a, b) => a - b);
    const expected = [...pair.model.values()].filter((row) => {
      const hash = realHash(pair.keys[row] ?? "") >>> 0;
      return hash >= low && hash < low + 40 * 2 ** 17;
    });
    expect(rows.length).to.be.above(10);
    expect(rows).to.deep.equal(expected);
  });

  it("takes keys that were chosen to crowd in one leaf, or to have one hash", () => {
    for (const chosen of [(i: number) => (5 << 17) | (i & 1023), () => 0x7fffffff, () => -1]) {
      const pair = new Pair();
      const hashOf = (key: string): number => chosen(Number(key));
      for (let i = 0; i < 1000; i += 1) pair.add(`${i}`, hashOf(`${i}`));
      pair.check(hashOf);
      for (let i = 0; i < 1000; i += 3) pair.remove(`${i}`, hashOf(`${i}`));
      pair.check(hashOf);
      for (let i = 1000; i < 1500; i += 1) pair.add(`${i}`, hashOf(`${i}`));
      pair.check(hashOf);
    }
  });
});
