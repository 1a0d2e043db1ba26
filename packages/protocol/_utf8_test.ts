import { expect } from "chai";
import { makePrng } from "./_test_utils.ts";
import { readShortUtf8, SHORT_STRING } from "./_utf8.ts";

const host = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function hostRead(bytes: Uint8Array): string | undefined {
  try {
    return host.decode(bytes);
  } catch {
    return undefined;
  }
}

describe("readShortUtf8()", () => {
  it("says of every sequence of two bytes what the host says", () => {
    for (let i = 0; i < 65_536; i++) {
      const bytes = Uint8Array.of(i >> 8, i & 255);
      const mine = readShortUtf8(bytes, 0, 2);
      if (mine !== hostRead(bytes)) expect.fail(`${i.toString(16)} is ${JSON.stringify(mine)}`);
    }
  });

  it("gives every code point back, and refuses what is near it like the host", () => {
    const encoder = new TextEncoder();
    const next = makePrng(3);
    for (let code = 0x80; code <= 0x10ffff; code += code < 0x3000 ? 1 : 97) {
      const bytes = encoder.encode(String.fromCodePoint(code));
      expect(readShortUtf8(bytes, 0, bytes.length)).to.equal(hostRead(bytes));
      const at = Math.floor(next() * bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(next() * 8));
      expect(readShortUtf8(bytes, 0, bytes.length)).to.equal(hostRead(bytes));
    }
  });

  it("agrees with the host on mixed bytes of every length it is used for", () => {
    const next = makePrng(4);
    const pieces = ["a", "bcdefghi", "\u00e4", "\u2603", "\u{1f600}", "\ufeff", "\u0000"];
    const encoder = new TextEncoder();
    for (let i = 0; i < 20_000; i++) {
      let text = "";
      while (text.length < next() * 12) text += pieces[Math.floor(next() * pieces.length)] ?? "";
      const bytes = encoder.encode(text).slice(0, SHORT_STRING);
      if (next() < 0.5 && bytes.length > 0) {
        bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256);
      }
      expect(readShortUtf8(bytes, 0, bytes.length)).to.equal(hostRead(bytes));
    }
  });
});
