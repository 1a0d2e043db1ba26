import { NOW, bytesOf } from "./_test_utils.ts";
import { VersionedMap } from "./versioned_map.ts";
import { expect } from "chai";

/** Bytes of the buffers that the values of a map keep alive. */
function heldBytes(map: VersionedMap): number {
  const buffers = new Set(map.entries({ all: true }).map((entry) => entry.value.buffer));
  return [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0);
}

describe("small values in memory", () => {
  it("do not keep the slabs of overwritten neighbours alive, and stay what they were", () => {
    const map = new VersionedMap({ node: "a" });
    const early: [Uint8Array, string][] = [];
    for (let i = 0; i < 60_000; i += 1) {
      // one key in a hundred stays, the others are written again and again
      const key = i % 100 === 0 ? `stays${i}` : `hot${i % 7}`;
      const entry = map.put(key, bytesOf(`${key} ${i}`.padEnd(100)), { now: NOW + i });
      if (i % 5000 === 0) early.push([entry.value, `${key} ${i}`]);
    }
    expect(map.size).to.equal(607);
    expect(heldBytes(map)).to.be.below(3 * 1024 * 1024); // 6 MB were written, 60 KB are held
    for (let i = 0; i < 60_000; i += 100) {
      const value = map.get(`stays${i}`, { now: NOW })?.value;
      expect(new TextDecoder().decode(value).trim()).to.equal(`stays${i} ${i}`);
    }
    for (const [value, expected] of early) {
      expect(new TextDecoder().decode(value).trim()).to.equal(expected);
    }
  });

  it("take a small slab in a small map", () => {
    const map = new VersionedMap({ node: "a" });
    map.put("a", bytesOf("x"), { now: NOW });
    expect(heldBytes(map)).to.be.at.most(2048);
  });

  it("leave large values in buffers of their own", () => {
    const map = new VersionedMap({ node: "a" });
    map.put("a", new Uint8Array(5000), { now: NOW });
    map.put("b", new Uint8Array(5000), { now: NOW });
    map.delete("a", { now: NOW });
    expect(heldBytes(map)).to.equal(5000);
  });
});
