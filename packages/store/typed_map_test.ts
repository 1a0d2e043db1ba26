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
    ["no value as JSON", json(), undefined, "Invalid value: undefined, wanted JSON"],
    ["a function as JSON", json(), () => 7, "Invalid value: this function, wanted JSON"],
    ["a symbol as JSON", json(), Symbol("x"), "Invalid value: Symbol(x), wanted JSON"],
    ["a bigint as JSON", json(), 7n, "Invalid value: 7, wanted JSON: TypeError: "],
    ["a circle as JSON", json(), circular, "Invalid value: this object, wanted JSON"],
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
        expect(read).to.throw('Invalid value of "bad": 1 bytes');
        expect(read)
          .to.throw(InputTypeError, `, wanted what the codec reads: InputTypeError: ${message}`)
          .with.property("code", "invalid-argument");
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

  it("names the key that a codec of somebody else cannot read", () => {
    const map = newMap();
    map.put("bad", new Uint8Array(3));
    const decode = (): number => {
      throw new RangeError("three bytes");
    };
    const typed = new TypedMap(map, {
      contentType: "x/y",
      encode: () => new Uint8Array(1),
      decode,
    });
    expect(() => typed.get("bad"))
      .to.throw(
        InputTypeError,
        'Invalid value of "bad": 3 bytes, wanted what the codec reads: RangeError: three bytes',
      )
      .with.property("code", "invalid-argument");
  });

  it("refuses what is no map, no codec and no schema, by name", () => {
    const wrong: [() => unknown, string][] = [
      [() => new TypedMap(undefined as never, text), "Invalid map: undefined"],
      [() => new TypedMap(newMap(), undefined as never), "Invalid codec: undefined"],
      [() => new TypedMap(newMap(), json as never), "Invalid codec: this function"],
      [() => json(null as never), "Invalid schema: undefined"],
      [() => json({ type: "object" } as never), "Invalid schema: undefined"],
    ];
    for (const [call, message] of wrong) {
      expect(call)
        .to.throw(InputTypeError, `${message}, wanted an object`)
        .with.property("code", "invalid-argument");
    }
  });

  it("says that a schema throws, or gives no result, and stores nothing", () => {
    const map = newMap();
    const answers: [() => unknown, string][] = [
      [
        () => {
          throw new Error("boom");
        },
        'Invalid value: "x", wanted what the schema reads: Error: boom',
      ],
      [() => undefined, "Invalid result: undefined, wanted an object"],
      [() => 7, "Invalid result: 7, wanted an object"],
      [() => ({}), "Invalid value: undefined, wanted JSON"],
    ];
    for (const [validate, message] of answers) {
      const schema = { "~standard": { version: 1, vendor: "odd", validate } };
      const typed = new TypedMap(map, json(schema as StandardSchema));
      expect(() => typed.put("k", "x"))
        .to.throw(InputTypeError, message)
        .with.property("code", "invalid-argument");
    }
    expect(map.counter).to.equal(0);
    expect(map.clock()).to.equal(stampOf(NOW));
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
