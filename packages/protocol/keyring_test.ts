import { createHmac } from "node:crypto";
import { inspect } from "node:util";
import { expect } from "chai";
import { BOOT_A, BOOT_B, ID_A, ID_B, ramp } from "./_test_utils.ts";
import { Keyring, streamPsk } from "./keyring.ts";

const KEY_1 = ramp(32);
const KEY_2 = ramp(32, 100);
const line = (key: Uint8Array): string => Buffer.from(key).toString("base64");

/** HKDF of RFC 5869 by hand: extract with an empty salt, one block of expand. */
function hkdf(key: Uint8Array, info: Uint8Array): Buffer {
  const extracted = createHmac("sha256", Buffer.alloc(32)).update(key).digest();
  return createHmac("sha256", extracted)
    .update(Buffer.concat([info, Buffer.of(1)]))
    .digest();
}

describe("Keyring", () => {
  it("reads a key file: one key a line, the first one seals", () => {
    const keyring = Keyring.parse(`# two keys\r\n${line(KEY_1)}\r\n\n  ${line(KEY_2)}  \n`);
    expect(keyring.ids).to.deep.equal(new Keyring([KEY_1, KEY_2]).ids);
    expect(keyring.sealingId).to.equal(keyring.ids[0]);
    expect(keyring.has(keyring.ids[1] ?? "")).to.equal(true);
    expect(keyring.has("00000000")).to.equal(false);
    expect(Keyring.parse(`\ufeff${line(KEY_1)}`).ids).to.have.length(1);
  });

  const wrong: [string, string, RegExp][] = [
    ["no key", "# nothing\n\n", /no key/],
    [
      "a key that is too short",
      `${line(KEY_1)}\n${line(ramp(31))}`,
      /line 2 has a key of 31 bytes/,
    ],
    ["a key that is too long", line(ramp(33)), /line 1 has a key of 33 bytes/],
    ["a line that is not base64", `\n\nhello, world`, /line 3 is not base64/],
    ["base64 for URLs", line(ramp(32)).replace(/^../, "-_"), /line 1 is not base64/],
    ["base64 without its end", line(ramp(32)).slice(0, -1), /line 1 is not base64 as it/],
    [
      "base64 with bits too many",
      line(ramp(32)).replace(/.=$/, "B="),
      /line 1 is not base64 as it/,
    ],
    ["two keys on a line", `${line(KEY_1)} ${line(KEY_2)}`, /line 1 is not base64/],
    ["a key twice", `${line(KEY_1)}\n#\n${line(KEY_1)}`, /line 3 repeats line 1/],
    ["a key of zeros", line(new Uint8Array(32)), /line 1 has a key that repeats one byte/],
  ];
  for (const [what, text, message] of wrong) {
    it(`refuses ${what} with the number of the line and without the key`, () => {
      try {
        Keyring.parse(text);
        expect.fail("was read");
      } catch (error) {
        expect(error).to.be.instanceOf(SyntaxError);
        const told = inspect(error).split("\n")[0] ?? "";
        expect(told).to.match(message);
        for (const word of text.split(/\s+/))
          if (word.length > 8) expect(told).not.to.include(word);
      }
    });
  }

  it("refuses keys of another length, none, and the same twice", () => {
    expect(() => new Keyring([])).to.throw(RangeError);
    expect(() => new Keyring([ramp(16)])).to.throw(RangeError, "Key 1 has 16 bytes");
    expect(() => new Keyring([KEY_1, KEY_2, KEY_1])).to.throw(
      RangeError,
      "Key 3 is the same as key 1",
    );
  });

  it("does not show its keys", () => {
    const shown = inspect(new Keyring([KEY_1]), { depth: 9, showHidden: true });
    expect(shown).not.to.include("01 02 03").and.not.to.include("1, 2, 3");
  });

  it("derives ids, packet keys and stream keys by HKDF-SHA256 (RULES 13)", () => {
    const keyring = new Keyring([KEY_1, KEY_2]);
    const [id = ""] = keyring.ids;
    expect(id).to.equal(hkdf(KEY_1, Buffer.from("dnd key id")).subarray(0, 4).toString("hex"));
    const info = Buffer.concat([
      Buffer.from("dnd packet"),
      Buffer.from(ID_A, "hex"),
      Buffer.from(BOOT_A, "hex"),
    ]);
    expect(keyring.packetKey(id, ID_A, BOOT_A)?.export()).to.deep.equal(hkdf(KEY_1, info));
    expect(keyring.streamPsk()).to.deep.equal(hkdf(KEY_1, Buffer.from("dnd stream")));
    expect(keyring.streamPsk(keyring.ids[1])).to.deep.equal(streamPsk(KEY_2));
    expect(keyring.streamPsk("00000000")).to.equal(undefined);
    expect(keyring.packetKey("00000000", ID_A, BOOT_A)).to.equal(undefined);
  });

  it("is read from text alone", () => {
    for (const text of [undefined, null, 7, new Uint8Array(32)]) {
      expect(() => Keyring.parse(text as never)).to.throw(TypeError, "give its text");
    }
  });

  it("has another packet key for each node and each boot", () => {
    const keyring = new Keyring([KEY_1]);
    const keys = [ID_A, ID_B].flatMap((node) =>
      [BOOT_A, BOOT_B].map((boot) =>
        keyring.packetKey(keyring.sealingId, node, boot)?.export().toString("hex"),
      ),
    );
    expect(new Set(keys).size).to.equal(4);
  });
});
