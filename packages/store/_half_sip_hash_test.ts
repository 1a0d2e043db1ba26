import { absorbEnd, begin, layAscii, layBytes, result, words } from "./_half_sip_hash.ts";
import { expect } from "chai";
import { halfSipHash } from "./_test_utils.ts";
import { readFileSync } from "node:fs";

/** HalfSipHash-2-4-64 of 0, 1, 2 ... under the key 0 to 7, from the authors' vectors.h. */
const VECTORS = JSON.parse(
  readFileSync(new URL("../testdata/half_sip_hash_64.json", import.meta.url), "utf8"),
) as string[];

const KEY_0 = 0x03020100;
const KEY_1 = 0x07060504;

/** The reference prints its two words little-endian. */
function asReference(): string {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, result[0] ?? 0, true);
  view.setInt32(4, result[1] ?? 0, true);
  return Buffer.from(bytes).toString("hex");
}

/** Hashes the first bytes of some. */
function hash(bytes: Uint8Array, end: number): void {
  absorbEnd(layBytes(bytes, end, 0));
}

describe("halfSipHash", () => {
  it("gives the authors' 64 vectors", () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => i);
    VECTORS.forEach((vector, length) => {
      begin(Int32Array.of(KEY_0, KEY_1 ^ 0xee, 0x6c796765 ^ KEY_0, 0x74656462 ^ KEY_1));
      hash(bytes, length);
      expect(asReference()).to.equal(vector);
    });
  });

  it("lays out an ASCII text as its bytes, filled up with zeros", () => {
    for (let length = 0; length < 40; length += 1) {
      const text = "The quick brown fox jumps over the lazy dog".slice(0, length);
      words.fill(-1);
      const end = layAscii(text, 2);
      expect(end).to.equal(8 + length);
      const bytes = new Uint8Array(words.buffer).subarray(8, (end + 4) & ~3);
      const expected = new Uint8Array(bytes.length);
      expected.set(new TextEncoder().encode(text));
      expect(bytes).to.deep.equal(expected);
    }
  });

  it("says so when a text is not ASCII", () => {
    for (const text of ["\u0080", "abc\u00e9", "abcd\u00e9", "abcd\u{1f600}xyz"]) {
      expect(layAscii(text, 0)).to.equal(-1);
    }
  });

  it("takes bytes in pieces as it does at once", () => {
    const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i);
    begin();
    hash(bytes, 5000);
    const pieces = [...result];
    for (const first of [4, 1276, 1280, 1284, 2560, 4996, 5000]) {
      begin();
      const at = layBytes(bytes, first, 0) >> 2;
      absorbEnd(layBytes(bytes.subarray(first), 5000 - first, at));
      expect([...result]).to.deep.equal(pieces);
    }
    expect(halfSipHash(bytes)).to.equal(
      ((BigInt(pieces[0] ?? 0) & 0xffffffffn) << 32n) | (BigInt(pieces[1] ?? 0) & 0xffffffffn),
    );
  });

  it("agrees with a plain implementation", () => {
    for (let length = 0; length < 300; length += 7) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 131 + length) & 255);
      begin();
      hash(bytes, length);
      const expected = halfSipHash(bytes);
      expect([...result]).to.deep.equal([
        Number(expected >> 32n) | 0,
        Number(expected & 0xffffffffn) | 0,
      ]);
    }
  });
});
