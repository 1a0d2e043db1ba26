import { NOW, bytesOf } from "./_test_utils.ts";
import { SchemaError, type StandardSchema } from "./standard_schema.ts";
import { bytes, json, text } from "./codec.ts";
import { TypedMap } from "./typed_map.ts";
import { VersionedMap } from "./versioned_map.ts";
import { expect } from "chai";
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

  it("refuses what has no such form, and stores nothing", () => {
    const map = newMap();
    expect(() => new TypedMap(map, json()).put("k", undefined)).to.throw(TypeError, "undefined");
    expect(() => new TypedMap(map, json()).put("k", () => {})).to.throw(TypeError, "function");
    expect(() => new TypedMap(map, text).put("k", "\ud800")).to.throw(TypeError, "lone surrogate");
    expect(() => new TypedMap(map, text).put("k", 7 as unknown as string)).to.throw(TypeError);
    const own: { self?: unknown } = {};
    own.self = own;
    for (const value of [undefined, () => {}, own, { n: 1n }, Symbol("x")]) {
      expect(() => new TypedMap(map, json()).put("k", value))
        .to.throw(TypeError, /^Cannot encode as JSON: /)
        .with.property("code", "invalid-argument");
    }
    for (const value of ["\ud800", "a\udc00", 7 as unknown as string]) {
      expect(() => new TypedMap(map, text).put("k", value))
        .to.throw(TypeError, /^Cannot encode as text: /)
        .with.property("code", "invalid-argument");
    }
    expect(map.counter).to.equal(0);
    map.put("bad", new Uint8Array([0xff]));
    expect(() => new TypedMap(map, text).get("bad")).to.throw(TypeError);
    map.put("bad", bytesOf("{"));
    expect(() => new TypedMap(map, json()).get("bad")).to.throw(SyntaxError);
  });

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
      .to.throw(TypeError, "slow: it is asynchronous")
      .with.property("code", "invalid-argument");
  });
});
