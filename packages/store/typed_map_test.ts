import { NOW, bytesOf } from "./_test_utils.ts";
import { SchemaError, type StandardSchema } from "./standard_schema.ts";
import { bytes, json, text } from "./codec.ts";
import { InputTypeError } from "./errors.ts";
import { TypedMap } from "./typed_map.ts";
import { VersionedMap } from "./versioned_map.ts";
import { expect } from "chai";
import { stampOf } from "./version.ts";
import { z } from "zod";

function newMap(): VersionedMap {
  return new VersionedMap({ node: "a", clock: () => NOW });
}

describe("TypedMap", () => {
  it("puts and gets JSON, text and bytes, each under its type", () => {
    const map = newMap();
    const users = new TypedMap(map, json<{ name: string }>());
    expect(users.put("a", { name: "Jack" }).contentType).to.equal("application/json");
    expect(users.get("a")).to.deep.equal({ name: "Jack" });
    const names = new TypedMap(map, text);
    expect(names.put("b", "Zo\u00eb \u{1f600}").contentType).to.equal("text/plain;charset=utf-8");
    expect(names.get("b")).to.equal("Zo\u00eb \u{1f600}");
    const blobs = new TypedMap(map, bytes);
    blobs.put("c", bytesOf("x"), { contentType: "image/png" });
    expect(map.get("c")?.contentType).to.equal("image/png");
    expect(blobs.get("c")).to.deep.equal(bytesOf("x"));
    expect(blobs.has("c")).to.equal(true);
    blobs.delete("c");
    expect(blobs.get("c")).to.equal(undefined);
  });

  it("passes the TTL on, and reads page by page", () => {
    const map = newMap();
    const numbers = new TypedMap(map, json<number>());
    numbers.put("ttl", 0, { ttlMs: 5 });
    expect(numbers.get("ttl", { now: NOW + 5 })).to.equal(undefined);
    for (let i = 100; i < 800; i += 1) numbers.put(`n${i}`, i);
    expect([...numbers.entries({ prefix: "n" })].map(([, value]) => value)).to.deep.equal(
      Array.from({ length: 700 }, (_, i) => i + 100),
    );
    expect([...numbers.entries({ prefix: "n", limit: 2, after: "n100" })]).to.deep.equal([
      ["n101", 101],
      ["n102", 102],
    ]);
    expect([...numbers.entries({ prefix: "n", limit: 300 })]).to.have.length(300);
  });

  const circular: unknown[] = [];
  circular.push(circular);
  for (const [what, codec, value, message] of [
    [
      "no value as JSON",
      json(),
      undefined,
      "Invalid value: undefined, wanted what has a JSON form",
    ],
    ["a function as JSON", json(), () => 7, "Invalid value: this function, wanted what has a JSON"],
    [
      "a symbol as JSON",
      json(),
      Symbol("x"),
      "Invalid value: Symbol(x), wanted what has a JSON form",
    ],
    ["a bigint as JSON", json(), 7n, "Invalid value: 7, wanted what has a JSON form: TypeError: "],
    [
      "a circle as JSON",
      json(),
      circular,
      "Invalid value: this object, wanted what has a JSON form",
    ],
    [
      "a lone surrogate as text",
      text,
      "x\ud800",
      'Invalid value: "x\\ud800", wanted no lone surrogate',
    ],
    ["a number as text", text, 7, "Invalid value: 7, wanted a string"],
    ["a string as bytes", bytes, "x", 'Invalid value: "x", wanted a Uint8Array'],
  ] as const) {
    it(`refuses ${what}, and stores nothing`, () => {
      const map = newMap();
      const typed = new TypedMap(map, codec);
      expect(() => typed.put("k", value))
        .to.throw(InputTypeError, message)
        .with.property("code", "invalid-argument");
      expect(map.counter).to.equal(0);
      expect(map.clock()).to.equal(stampOf(NOW));
    });
  }

  for (const [what, codec, stored, message] of [
    ["bytes that are no text", text, [0xff], "Invalid value: 1 bytes, wanted UTF-8: TypeError: "],
    [
      "bytes that are no text as JSON",
      json(),
      [0xff],
      "Invalid value: 1 bytes, wanted JSON: TypeError",
    ],
    ["text that is no JSON", json(), [0x7b], "Invalid value: 1 bytes, wanted JSON: SyntaxError: "],
  ] as const) {
    it(`says that ${what} are held, by get and by entries`, () => {
      const map = newMap();
      map.put("bad", new Uint8Array(stored));
      const typed = new TypedMap(map, codec);
      for (const read of [() => typed.get("bad"), () => [...typed.entries()]]) {
        expect(read).to.throw(InputTypeError, message).with.property("code", "invalid-argument");
      }
    });
  }

  it("checks on the way in with a Standard Schema of any vendor, here zod", () => {
    const map = newMap();
    const schema = z.object({ name: z.string(), age: z.number().default(7) });
    const users = new TypedMap(map, json(schema as StandardSchema<unknown, { name: string }>));
    users.put("a", { name: "Jack" });
    expect(users.get("a")).to.deep.equal({ name: "Jack", age: 7 });
    expect(() => users.put("b", { name: 7 } as unknown as { name: string }))
      .to.throw(SchemaError, /^Invalid value: name: /)
      .with.property("code", "invalid-argument");
    expect(map.has("b")).to.equal(false);
  });

  it("refuses a schema that answers later", () => {
    const schema: StandardSchema<unknown, string> = {
      "~standard": {
        version: 1,
        vendor: "slow",
        validate: async (value) => ({ value: String(value) }),
      },
    };
    const map = new TypedMap(newMap(), json(schema));
    expect(() => map.put("k", "x"))
      .to.throw(InputTypeError, 'Invalid schema: "slow", wanted a synchronous one')
      .with.property("code", "invalid-argument");
  });
});
