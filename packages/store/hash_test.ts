import { ALGORITHM, hashContent, hashFingerprint, hashKey, lastHash, toBytes } from "./hash.ts";
import {
  NOW,
  STAMP,
  anyEntry,
  bytesOf,
  encodeContent,
  halfSipHash,
  hexOf,
  runs,
} from "./_test_utils.ts";
import type { Content } from "./hash.ts";
import { expect } from "chai";
import fc from "fast-check";
import { readFileSync } from "node:fs";

function last(): string {
  return hexOf(toBytes(lastHash));
}

/** A key hash: the upper half is all of it. */
function lastKey(): string {
  return last().slice(0, 8);
}

function plain(bytes: Uint8Array): string {
  return halfSipHash(bytes).toString(16).padStart(16, "0");
}

/** The byte string of a fingerprint, as the essay in hash.ts says it. */
function fingerprintBytes(key: string, time: number, node: string, hash: Uint8Array): Uint8Array {
  const keyBytes = bytesOf(key);
  const parts: number[] = [...keyBytes];
  while (parts.length % 4 !== 3) parts.push(0);
  parts.push(keyBytes.length & 255);
  const tail = new DataView(new ArrayBuffer(16));
  tail.setBigUint64(0, BigInt(time), true);
  const view = new DataView(hash.buffer, hash.byteOffset);
  tail.setUint32(8, view.getUint32(0), true);
  tail.setUint32(12, view.getUint32(4), true);
  parts.push(...new Uint8Array(tail.buffer), ...bytesOf(node));
  while (parts.length % 4 !== 0) parts.push(0);
  parts.push(node.length, 0, keyBytes.length & 255, keyBytes.length >> 8);
  return Uint8Array.from(parts);
}

function fingerprint(key: string, time: number, node: string, hash: Uint8Array): string {
  const view = new DataView(hash.buffer, hash.byteOffset);
  hashKey(key);
  hashFingerprint(time, node, view.getInt32(0), view.getInt32(4));
  return last();
}

describe("hashKey()", () => {
  it("hashes the UTF-8 bytes, and says how many they are", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (key) => {
        const bytes = bytesOf(key);
        expect(hashKey(key)).to.equal(bytes.length);
        expect(lastKey()).to.equal(plain(bytes).slice(0, 8));
      }),
      runs(200),
    );
  });

  it("takes 1,024 bytes and no more, of whatever script", () => {
    expect(hashKey("x".repeat(1024))).to.equal(1024);
    expect(hashKey("\u{1f600}".repeat(256))).to.equal(1024);
    expect(hashKey("x".repeat(1025))).to.equal(-1);
    expect(hashKey("\u{1f600}".repeat(257))).to.equal(-1);
    expect(hashKey("\u00e9".repeat(513))).to.equal(-1);
  });

  it("refuses lone surrogates wherever they are", () => {
    for (const key of ["\ud800", "a\udc00", "\ud800x", "\udc00\ud800", "\u{1f600}\ud83d"]) {
      expect(hashKey(key)).to.equal(-2);
    }
  });

  it("spreads keys over the leaves", () => {
    const leaves = new Map<number, number>();
    for (let i = 0; i < 100_000; i += 1) {
      hashKey(`user:${i}`);
      const leaf = (lastHash[0] ?? 0) >>> 17;
      leaves.set(leaf, (leaves.get(leaf) ?? 0) + 1);
    }
    expect(leaves.size).to.be.above(30_000); // 31,220 of 32,768 expected
    expect(Math.max(...leaves.values())).to.be.below(20);
  });
});

describe("hashContent()", () => {
  it("is the hash of the canonical encoding", () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        hashContent(entry);
        expect(last()).to.equal(plain(encodeContent(entry)));
      }),
      runs(300),
    );
  });

  it("tells every content from every other", () => {
    const contents: Content[] = [
      { value: bytesOf("") },
      { value: bytesOf("\0") },
      { value: bytesOf("\0\0\0\0") },
      { value: bytesOf(""), deleted: true },
      { value: bytesOf(""), expiresAt: 1 },
      { value: bytesOf(""), expiresAt: 2 ** 32 },
      { value: bytesOf(""), contentType: "a" },
      { value: bytesOf("a"), contentType: "a" },
      { value: bytesOf("a") },
      { value: bytesOf(""), extra: bytesOf("a") },
      { value: bytesOf("a"), extra: bytesOf("a") },
      { value: bytesOf("aaaa") },
      { value: bytesOf(""), contentType: "aaaa" },
      { value: bytesOf(""), extra: bytesOf("aaaa") },
    ];
    expect(new Set(contents.map((content) => hexOf(encodeContent(content)))).size).to.equal(14);
    const hashes = contents.map((content) => {
      hashContent(content);
      return last();
    });
    expect(new Set(hashes).size).to.equal(14);
  });
});

describe("hashFingerprint()", () => {
  it("is one hash over key, stamp, node and content hash together", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 }),
        fc.maxSafeNat(),
        fc.stringMatching(/^[a-z0-9]{1,32}$/),
        fc.uint8Array({ minLength: 8, maxLength: 8 }),
        (key, time, node, hash) => {
          const expected = plain(fingerprintBytes(key, time, node, hash));
          expect(fingerprint(key, time, node, hash)).to.equal(expected);
        },
      ),
      runs(200),
    );
  });

  it("does not cancel when keys and stamps are exchanged crosswise", () => {
    let sum = 0n;
    for (const key of ["x", "y"]) {
      for (const time of [STAMP, STAMP + 1]) {
        sum ^= BigInt(`0x${fingerprint(key, time, "n", new Uint8Array(8))}`);
      }
    }
    expect(sum).to.not.equal(0n);
  });
});

describe("algorithm 1", () => {
  interface Golden {
    algorithm: number;
    cases: {
      content: string;
      entry: GoldenEntry;
      key: string;
      hash: string;
      fingerprint: string;
    }[];
  }
  interface GoldenEntry {
    key: string;
    time: number;
    node: string;
    value: string;
    contentType?: string;
    expiresAt?: number;
    deleted?: boolean;
    extra?: string;
  }
  const path = new URL("../testdata/algorithm_1.json", import.meta.url);
  const golden = JSON.parse(readFileSync(path, "utf8")) as Golden;

  it("is frozen: encodings, key hashes, content hashes and fingerprints are those of testdata", () => {
    expect(ALGORITHM).to.equal(golden.algorithm);
    expect(golden.cases).to.have.length.above(8);
    for (const { entry, content, key, hash, fingerprint: expected } of golden.cases) {
      const decoded: Content = {
        value: Buffer.from(entry.value, "hex"),
        contentType: entry.contentType,
        expiresAt: entry.expiresAt,
        deleted: entry.deleted,
        extra: entry.extra === undefined ? undefined : Buffer.from(entry.extra, "hex"),
      };
      expect(hexOf(encodeContent(decoded))).to.equal(content);
      expect(plain(encodeContent(decoded))).to.equal(hash);
      hashContent(decoded);
      expect(last()).to.equal(hash);
      hashKey(entry.key);
      expect(lastKey()).to.equal(key.slice(0, 8)); // the lower half is of no use to anybody
      const bytes = Uint8Array.from(Buffer.from(hash, "hex"));
      expect(fingerprint(entry.key, entry.time, entry.node, bytes)).to.equal(expected);
    }
    expect(NOW).to.equal(1_800_000_000_000);
  });
});
