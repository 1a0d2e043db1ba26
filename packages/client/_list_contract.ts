import assert from "node:assert/strict";
import type { KeyValue } from "./key_value.ts";
import { rejectsWith } from "./_rejects_with.ts";

/** The part of the contract that is about `list()` and `entries()`. */
export function listContract(subject: () => KeyValue): void {
  describe("lists", () => {
    before(async () => {
      // Sorted by UTF-8 bytes: U+FFFD before U+1F511, which UTF-16 would turn round.
      for (const tail of ["b", "\u{1F511}", "a", "\ufffd", "a/1", "a/2", "c/1/x", "é"]) {
        await subject().put(`list/${tail}`, { tail });
      }
      await subject().put("list/gone", 1);
      await subject().delete("list/gone");
      await subject().put("lisu", 1);
    });

    const sorted = ["a", "a/1", "a/2", "b", "c/1/x", "é", "\ufffd", "\u{1F511}"];

    it("lists live keys in the order of their UTF-8 bytes", async () => {
      const page = await subject().list({ prefix: "list/" });
      assert.deepEqual(
        page.items.map((item) => item.key),
        sorted.map((tail) => `list/${tail}`),
      );
      assert.equal(page.cursor, undefined);
      assert.deepEqual(page.prefixes, []);
      const [first] = page.items;
      const entry = await subject().entry("list/a");
      assert.equal(first?.etag, entry?.etag);
      assert.deepEqual(first?.version, entry?.version);
      assert.equal(first?.contentType, "application/json");
      assert.equal(first?.size, '{"tail":"a"}'.length);
      assert.equal(first?.modifiedAt, entry?.modifiedAt);
      assert.equal(first !== undefined && "value" in first, false);
    });

    it("gives the values when asked", async () => {
      await subject().put("list-values/bytes", Uint8Array.from([255, 0]));
      await subject().put("list-values/text", "text");
      await subject().put("list-values/json", [1]);
      const page = await subject().list({ prefix: "list-values/", values: true });
      assert.deepEqual(
        page.items.map((item) => item.value),
        [Uint8Array.from([255, 0]), [1], "text"],
      );
    });

    it("pages by cursor without loss or repetition", async () => {
      const keys: string[] = [];
      let cursor: string | undefined;
      for (let pages = 0; pages < 10; pages += 1) {
        const options = cursor === undefined ? {} : { cursor };
        const page = await subject().list({ prefix: "list/", limit: 3, ...options });
        assert.ok(page.items.length <= 3);
        keys.push(...page.items.map((item) => item.key));
        cursor = page.cursor;
        if (cursor === undefined) break;
      }
      assert.deepEqual(
        keys,
        sorted.map((tail) => `list/${tail}`),
      );
    });

    it("sums up by delimiter", async () => {
      const page = await subject().list({ prefix: "list/", delimiter: "/" });
      assert.deepEqual(page.prefixes, ["list/a/", "list/c/"]);
      assert.deepEqual(
        page.items.map((item) => item.key),
        ["a", "b", "é", "\ufffd", "\u{1F511}"].map((tail) => `list/${tail}`),
      );
    });

    it("walks all entries across pages", async () => {
      const keys: string[] = [];
      for await (const item of subject().entries({ prefix: "list/", limit: 2, values: true })) {
        keys.push(item.key);
        assert.deepEqual(item.value, { tail: item.key.slice("list/".length) });
      }
      assert.deepEqual(
        keys,
        sorted.map((tail) => `list/${tail}`),
      );
    });

    it("is empty where nothing is", async () => {
      const page = await subject().list({ prefix: "list-nothing/" });
      assert.deepEqual(page.items, []);
      assert.equal(page.cursor, undefined);
    });

    it("takes an empty prefix, cursor and delimiter for none", async () => {
      const empty = await subject().list({ prefix: "", cursor: "", delimiter: "", limit: 3 });
      const none = await subject().list({ limit: 3 });
      assert.deepEqual(empty.items, none.items);
      assert.deepEqual(empty.prefixes, []);
      assert.equal(empty.cursor, none.cursor);
    });

    it("refuses text that UTF-8 cannot express, and takes it for no other", async () => {
      await subject().put("\ufffdlist", 1);
      for (const text of ["\ud800", "\udfff", "a\ud800"]) {
        await rejectsWith(subject().list({ prefix: text }), "invalid-argument");
        await rejectsWith(subject().list({ delimiter: text }), "invalid-argument");
        await rejectsWith(subject().list({ cursor: text }), "invalid-argument");
        await rejectsWith(subject().entries({ prefix: text }).next(), "invalid-argument");
        await rejectsWith(subject().deletePrefix(text), "invalid-argument", "not-applied");
      }
      assert.equal(await subject().get("\ufffdlist"), 1);
      assert.equal(await subject().deletePrefix("\ufffd"), 1);
    });

    it("refuses a limit outside 1 to 1,000 and a cursor that is none", async () => {
      for (const limit of [0, -1, 1001, 1.5, NaN]) {
        await rejectsWith(subject().list({ limit }), "invalid-argument");
      }
      await rejectsWith(subject().list({ cursor: "no cursor!" }), "invalid-argument");
    });
  });
}
