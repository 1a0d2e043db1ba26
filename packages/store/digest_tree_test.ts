import { NOW, anyEntry, bytesOf, runs } from "./_test_utils.ts";
import { diffChildren, diffDigests } from "./diff_digests.ts";
import { DigestTree } from "./digest_tree.ts";
import { hashKey, lastHash } from "./hash.ts";
import { VersionedMap } from "./versioned_map.ts";
import { expect } from "chai";
import fc from "fast-check";

const far = { now: NOW, trustedNow: NOW + 1e9 };

function mapOf(entries: Parameters<VersionedMap["merge"]>[0]): VersionedMap {
  const map = new VersionedMap({ node: "m" });
  map.merge(entries, far);
  return map;
}

/** The contents, without what belongs to one replica. */
function contents(map: VersionedMap): unknown[] {
  return map
    .entries({ all: true })
    .map((entry) => ({ ...entry, value: [...entry.value], hash: [...(entry.hash ?? [])] }));
}

describe("the digest", () => {
  it("is equal exactly when the contents are", () => {
    fc.assert(
      fc.property(fc.array(anyEntry), fc.array(anyEntry), (one, two) => {
        const a = mapOf(one);
        const b = mapOf(two);
        const equal = JSON.stringify(contents(a)) === JSON.stringify(contents(b));
        expect(Buffer.compare(a.digest(), b.digest()) === 0).to.equal(equal);
        expect(diffDigests(a, b).length === 0).to.equal(equal);
      }),
      runs(300),
    );
  });

  it("finds the differing leaves, and no others", () => {
    fc.assert(
      fc.property(fc.array(anyEntry), fc.array(anyEntry, { maxLength: 3 }), (common, more) => {
        const a = mapOf(common);
        const b = mapOf([...common, ...more]);
        const leaves = new Set<number>();
        for (const [map, other] of [
          [a, b],
          [b, a],
        ] as const) {
          for (const entry of map.entries({ all: true })) {
            const held = other.peek(entry.key);
            const stored = map.peek(entry.key);
            if (held?.fingerprintLow === stored?.fingerprintLow) continue;
            leaves.add((stored?.keyHash ?? 0) >>> 17);
          }
        }
        expect(diffDigests(a, b)).to.deep.equal([...leaves].sort((x, y) => x - y));
      }),
      runs(200),
    );
  });

  it("sums up from the deepest parts of a leaf to the root", () => {
    const map = new VersionedMap({ node: "m" });
    for (let i = 0; i < 2000; i += 1) map.put(`key${i}`, bytesOf("x"), { now: NOW });
    for (const key of ["key1", "key77", "key1999"]) {
      const hash = (map.peek(key)?.keyHash ?? 0) >>> 0;
      for (let level = 0; level < 6; level += 1) {
        const index = level === 0 ? 0 : hash >>> (32 - 5 * level);
        const children = map.digestChildren(level, index);
        const sum = new Uint8Array(8);
        children.forEach((byte, i) => (sum[i % 8] = (sum[i % 8] ?? 0) ^ byte));
        expect([...sum]).to.deep.equal([...map.digestNode(level, index)]);
        for (let child = 0; child < 32; child += 1) {
          const node = map.digestNode(level + 1, 32 * index + child);
          expect([...node]).to.deep.equal([...children.subarray(8 * child, 8 * child + 8)]);
        }
      }
      const deepest = map.digestEntries(6, hash >>> 2).map((head) => head.key);
      expect(deepest).to.include(key);
    }
  });

  it("splits a leaf that somebody filled with chosen keys (rule 6)", () => {
    const chosen: string[] = [];
    for (let i = 0; chosen.length < 40; i += 1) {
      hashKey(`chosen${i}`);
      if ((lastHash[0] ?? 0) >>> 17 === 12345) chosen.push(`chosen${i}`);
    }
    const a = new VersionedMap({ node: "a" });
    for (const key of chosen) a.put(key, bytesOf("x"), { now: NOW });
    const b = new VersionedMap({ node: "b" });
    b.merge(a.entries({ all: true }), { now: NOW });
    const changed = chosen[7] ?? "";
    b.put(changed, bytesOf("y"), { now: NOW });
    expect(diffDigests(a, b)).to.deep.equal([12345]);
    expect(a.digestEntries(3, 12345)).to.have.length(40);
    let nodes = [12345];
    for (let level = 3; level < 6; level += 1) {
      nodes = nodes.flatMap((index) =>
        diffChildren(a.digestChildren(level, index), b.digestChildren(level, index)).map(
          (child) => 32 * index + child,
        ),
      );
      expect(nodes).to.have.length(1);
    }
    expect(a.digestEntries(6, nodes[0] ?? 0).map((head) => head.key)).to.deep.equal([changed]);
  });

  it("refuses levels and indexes that do not exist", () => {
    const map = new VersionedMap({ node: "m" });
    expect(() => map.digestNode(7, 0)).to.throw(RangeError, "Invalid level: 7");
    expect(() => map.digestNode(1, 32)).to.throw(RangeError, "Invalid index: 32");
    expect(() => map.digestChildren(6, 0)).to.throw(RangeError);
    expect(() => map.digestEntries(2, 0)).to.throw(RangeError);
    expect(() => map.digestEntries(3, -1)).to.throw(RangeError);
    expect(() => map.digestNode(0, NaN)).to.throw(RangeError);
  });
});

describe("DigestTree", () => {
  it("gives the same sums from leaves as from single changes", () => {
    const leafSums = new Int32Array(65536);
    const tree = new DigestTree(new Int32Array(0));
    for (let i = 0; i < 1000; i += 1) {
      const leaf = (i * 7919) % 32768;
      tree.toggle(leaf, i, -i);
      leafSums[2 * leaf] = (leafSums[2 * leaf] ?? 0) ^ i;
      leafSums[2 * leaf + 1] = (leafSums[2 * leaf + 1] ?? 0) ^ -i;
    }
    const loaded = new DigestTree(leafSums);
    for (let level = 0; level <= 3; level += 1) {
      for (let index = 0; index < 32 ** level; index += 1) {
        expect(loaded.sums(level, index)).to.deep.equal(tree.sums(level, index));
      }
    }
  });
});
