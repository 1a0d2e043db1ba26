import { expect } from "chai";
import { describe, it } from "mocha";
import type { WireEntry } from "@dnd/protocol";
import { decode, encode } from "@dnd/protocol";
import type { Entry } from "@dnd/store";
import { VersionedMap } from "@dnd/store";
import { idOf, START_MS } from "./_test_utils.ts";

/** `true` only if both types are the same, down to `readonly` and `?` of each field. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

// `store` and `protocol` do not know each other. These lines stop compiling as soon as they disagree.
const same: Same<WireEntry, Entry> = true;
const other: Same<WireEntry, Omit<Entry, "extra">> = false;

describe("a decoded wire entry", () => {
  it("has the type of a store's entry, no field more and none less", () => {
    expect([same, other]).to.deep.equal([true, false]);
  });

  it("is taken by a map as it comes", () => {
    const now = START_MS;
    const writer = new VersionedMap({ node: idOf(1) });
    const written = [
      writer.put("value", new Uint8Array([1, 2]), { now, contentType: "text/plain" }),
      writer.put("ttl", new Uint8Array([3]), { now, ttlMs: 1000 }),
      writer.delete("gone", { now }),
    ];
    const { entries } = decode(encode({ counter: 3, entries: written }, "Update"), "Update");
    const reader = new VersionedMap({ node: idOf(2) });
    expect(reader.merge(entries, { now })).to.deep.equal(["applied", "applied", "applied"]);
    expect(reader.digest()).to.deep.equal(writer.digest());
  });
});
