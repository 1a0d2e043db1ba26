import { encode } from "@dnd/protocol";
import { VersionedMap, type Entry } from "@dnd/store";
import { expect } from "chai";
import { describe, it } from "mocha";
import { cryptoPrng } from "./_crypto_prng.ts";
import { UpdateReader } from "./_update_reader.ts";

const map = new VersionedMap({ node: "0".repeat(32) });
const now = 1_800_000_000_000;

function update(...keys: string[]): Uint8Array {
  const entries = keys.map((key) => map.put(key, new Uint8Array([1]), { now }));
  return encode({ counter: 1, entries }, "Update");
}

function reader() {
  const handled: [string, string[]][] = [];
  const refused: unknown[] = [];
  const ignore = (): void => undefined;
  const logger = {
    ...{ trace: ignore, info: ignore, warn: ignore, error: ignore },
    debug: (fields: object | string) => void refused.push(fields),
  };
  const handle = (from: string, entries: readonly Entry[]): void => {
    handled.push([from, entries.map(({ key }) => key)]);
  };
  return { updates: new UpdateReader({ logger, handle }), handled, refused };
}

describe("UpdateReader", () => {
  it("makes one batch of what one member sent in one turn, in order", async () => {
    const { updates, handled } = reader();
    updates.add("a", update("k1", "k2"));
    updates.add("a", update("k3"));
    updates.add("b", update("k4"));
    updates.add("b", update("k5"));
    await Promise.resolve();
    expect(handled).to.deep.equal([
      ["a", ["k1", "k2", "k3"]],
      ["b", ["k4", "k5"]],
    ]);
    updates.add("a", update("k6"));
    await Promise.resolve();
    expect(handled.at(-1)).to.deep.equal(["a", ["k6"]]);
  });

  it("hands a flood on in bounded pieces", async () => {
    const { updates, handled } = reader();
    for (let i = 0; i < 40; i += 1) {
      updates.add("a", update(...Array.from({ length: 100 }, (_, n) => `${i}-${n}`)));
    }
    await Promise.resolve();
    expect(handled.flatMap(([, keys]) => keys)).to.have.length(4000);
    for (const [, keys] of handled) expect(keys.length).to.be.at.most(1024);
    expect(handled.length).to.be.below(10);
  });

  it("passes over what is no update, and says so", async () => {
    const { updates, handled, refused } = reader();
    updates.add("a", new Uint8Array([255, 255, 255]));
    updates.add("a", update("good"));
    await Promise.resolve();
    expect(handled).to.deep.equal([["a", ["good"]]]);
    expect(refused).to.have.length(1);
  });
});

describe("cryptoPrng()", () => {
  it("gives numbers in [0, 1) that differ", () => {
    const prng = cryptoPrng();
    const seen = new Set<number>();
    for (let i = 0; i < 3000; i += 1) {
      const number = prng();
      expect(number).to.be.within(0, 1 - 2 ** -32);
      seen.add(number);
    }
    expect(seen.size).to.be.above(2990);
  });
});
