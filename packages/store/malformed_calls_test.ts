import { InputRangeError, InputTypeError } from "./errors.ts";
import { NOW, STAMP, bytesOf } from "./_test_utils.ts";
import { VersionedMap } from "./versioned_map.ts";
import { expect } from "chai";

/** A map as plain JavaScript sees it: anything may be called with anything. */
type Loose = Record<string, (...args: unknown[]) => unknown>;

const VALUE = bytesOf("x");
const ENTRY = { key: "k", value: VALUE, version: { time: STAMP, node: "b" } };

/** What is called, how, and what the error has to say. */
const CALLS: [name: string, args: unknown[], message: RegExp][] = [
  ["put", ["k", VALUE, { ttl: 5 }], /Invalid option: "ttl", wanted .*ttlMs/],
  ["put", ["k", VALUE, { now: NOW, limit: 5 }], /Invalid option: "limit"/],
  ["put", ["k", VALUE, { ttlMs: 1n }], /Invalid ttlMs: 1/],
  ["put", ["k", VALUE, "ttl"], /Invalid option: "0"/],
  ["put", ["k", VALUE, { contentType: 7 }], /Invalid contentType: 7/],
  ["merge", [7], /Invalid entries: 7, wanted an iterable/],
  ["merge", [undefined], /Invalid entries: undefined/],
  ["merge", [null], /Invalid entries: null/],
  ["merge", [ENTRY], /Invalid entries: this object/],
  ["merge", [[ENTRY], { meta: { a: 7 } }], /Invalid meta a: 7/],
  ["entries", [{ limit: "3" }], /Invalid limit: "3"/],
  ["changesSince", ["x"], /Invalid counter: "x"/],
  ["changesSince", [undefined], /Invalid counter: undefined/],
  ["changesSince", [0, { limit: 0 }], /Invalid limit: 0/],
  ["expire", [{ limit: 0 }], /Invalid limit: 0/],
  ["advanceClock", ["x"], /Invalid stamp: "x"/],
  ["reap", ["x"], /Invalid horizon: "x"/],
  ["reap", [undefined], /Invalid horizon: undefined/],
  ["reap", [0, { limit: 5 }], /Invalid limit: this object/],
  ["merge", [[ENTRY], { onRefused: 7 }], /Invalid onRefused: 7, wanted a function/],
  ["merge", [[ENTRY], { onCopy: {} }], /Invalid onCopy: this object, wanted a function/],
  ["entries", [null], /Invalid options: null/],
  ["entries", [7], /Invalid options: 7/],
  ["watch", [null], /Invalid options: null/],
  ["watch", [{ signal: 7 }], /Invalid signal: 7, wanted a signal/],
  ["watch", [{ signal: {} }], /Invalid signal: this object, wanted a signal/],
  ["watch", [{ bufferSize: 0 }], /Invalid bufferSize: 0/],
  ["watch", [{ prefix: 7 }], /Invalid prefix: 7/],
  ["forget", [7], /Invalid entries: 7, wanted an iterable/],
  ["forget", [[null]], /Invalid entry: null/],
  ["forget", [[ENTRY, { key: "k", version: 7 }]], /Invalid version: 7/],
  ["digestNode", ["x", 0], /Invalid level: "x"/],
  ["digestChildren", [0, 1], /Invalid index: 1/],
  ["digestEntries", [0, 0], /Invalid level: 0/],
  ["setMeta", [7, VALUE], /Invalid name: 7/],
  ["setMeta", ["a", "x"], /Invalid meta a: "x"/],
  ["damaged", ["x"], /Invalid limit: "x"/],
];

function expectRefused(call: () => unknown, message: RegExp): void {
  expect(call)
    .to.throw(message)
    .that.satisfies(
      (error: unknown) => error instanceof InputTypeError || error instanceof InputRangeError,
    )
    .with.property("code", "invalid-argument");
}

describe("a malformed call", () => {
  for (const [name, args, message] of CALLS) {
    it(`is named and changes nothing: ${name}, ${message.source}`, () => {
      const map = new VersionedMap({ node: "a", clock: () => NOW });
      map.put("k", bytesOf("before"));
      const before = [map.counter, map.digest(), map.horizon, map.statistics(), map.clock()];
      expectRefused(() => (map as unknown as Loose)[name]?.(...args), message);
      expect([map.counter, map.digest(), map.horizon, map.statistics(), map.clock()]).to.deep.equal(
        before,
      );
      expect(map.getMeta("a")).to.equal(undefined);
    });
  }

  it("is named by a map that cannot be made", () => {
    for (const [options, message] of [
      [undefined, /Invalid options: undefined, wanted an object/],
      [null, /Invalid options: null/],
      [{}, /Invalid node: undefined/],
      [{ node: "a", maxDriftMs: "1s" }, /Invalid maxDriftMs: "1s"/],
      [{ node: "a", maxValueBytes: -1 }, /Invalid maxValueBytes: -1/],
    ] as const) {
      expectRefused(() => new VersionedMap(options as never), message);
    }
  });

  it("says what a map without a clock lacks", () => {
    const map = new VersionedMap({ node: "a" });
    for (const call of [
      () => map.expire({}),
      () => map.expire(),
      () => map.entries(),
      () => map.has("k"),
    ]) {
      expectRefused(call, /Invalid now: undefined, wanted ms since 1970/);
    }
  });
});
