import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { encode } from "@dnd/protocol";
import { VersionedMap } from "@dnd/store";
import { entryBytes, utf8Bytes } from "./entry_bytes.ts";
import { idOf, START_MS } from "./_test_utils.ts";

describe("entryBytes()", () => {
  it("is never less than the encoded entry takes, and at most 16 bytes more", () => {
    const map = new VersionedMap({ node: idOf(1) });
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 }),
        fc.uint8Array({ maxLength: 3000 }),
        fc.option(fc.constantFrom("text/plain", "application/json"), { nil: undefined }),
        fc.boolean(),
        fc.constantFrom("a", "node7", "z".repeat(32), undefined),
        (key, value, contentType, ttl, node) => {
          fc.pre(utf8Bytes(key) <= 1024);
          const own = map.put(key, value, {
            now: START_MS,
            ...(contentType === undefined ? {} : { contentType }),
            ...(ttl ? { ttlMs: 60_000 } : {}),
          });
          // Imported from a map of its own, with its version.
          const { time } = own.version;
          const entry =
            node === undefined ? own : { ...own, hash: own.hash, version: { time, node } };
          const empty = encode({ counter: 0, entries: [] }, "Update").length;
          const actual = encode({ counter: 0, entries: [entry] }, "Update").length - empty;
          expect(entryBytes(entry)).to.be.within(actual, actual + 16);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("utf8Bytes()", () => {
  it("counts what the encoder writes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(utf8Bytes(text)).to.equal(new TextEncoder().encode(text).length);
      }),
    );
  });
});
