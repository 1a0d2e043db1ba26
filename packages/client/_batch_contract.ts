import assert from "node:assert/strict";
import type { KeyValue } from "./key_value.ts";
import { rejectsWith } from "./_rejects_with.ts";

/** The part of the contract that is about `batch()`. */
export function batchContract(subject: () => KeyValue): void {
  describe("batches", () => {
    it("answers every operation in order", async () => {
      await subject().put("batch/old", "old");
      const results = await subject().batch([
        { op: "put", key: "batch/json", value: { a: 1 } },
        { op: "put", key: "batch/text", value: "text", ttlMs: 600_000 },
        { op: "put", key: "batch/bytes", value: Uint8Array.from([255]), contentType: "image/png" },
        { op: "get", key: "batch/old" },
        { op: "get", key: "batch/bytes" },
        { op: "get", key: "batch/absent" },
        { op: "delete", key: "batch/old" },
        { op: "delete", key: "batch/absent" },
        { op: "touch", key: "batch/json", ttlMs: 600_000 },
        { op: "touch", key: "batch/absent" },
      ]);
      assert.equal(results.length, 10);
      assert.deepEqual(
        results.map((result) => result.key.slice("batch/".length)),
        ["json", "text", "bytes", "old", "bytes", "absent", "old", "absent", "json", "absent"],
      );
      assert.deepEqual(
        results.map((result) => Math.floor(result.status / 100) * 100),
        [200, 200, 200, 200, 200, 400, 200, 200, 200, 400],
      );
      assert.equal(results[3]?.value, "old");
      assert.deepEqual(results[4]?.value, Uint8Array.from([255]));
      assert.equal(results[4]?.contentType, "image/png");
      assert.equal(results[5]?.status, 404);
      assert.equal(results[5]?.error, undefined);
      assert.equal(results[6]?.existed, true);
      assert.equal(results[7]?.existed, false);
      assert.equal(results[9]?.status, 404);
      assert.deepEqual(results[8]?.version, (await subject().entry("batch/json"))?.version);
      assert.equal(await subject().get("batch/text"), "text");
      assert.ok((await subject().entry("batch/text"))?.expiresAt !== undefined);
      assert.equal(await subject().has("batch/old"), false);
    });

    it("lets a bad operation fail alone", async () => {
      const results = await subject().batch([
        { op: "put", key: "batch/before", value: 1 },
        { op: "put", key: "", value: 1 },
        { op: "put", key: "batch/ttl", value: 1, ttlMs: -1 },
        { op: "put", key: "batch/after", value: 2 },
      ]);
      assert.deepEqual(
        results.map((result) => result.status),
        [200, 400, 400, 200],
      );
      assert.equal(results[1]?.error?.code, "invalid-key");
      assert.equal(results[1]?.error?.outcome, "not-applied");
      assert.equal(results[2]?.error?.code, "invalid-argument");
      assert.equal(await subject().get("batch/after"), 2);
    });

    it("refuses keys that are none, each alone", async () => {
      const keys = ["", "\ud800", "x".repeat(1025), 7, null, undefined, {}] as string[];
      for (const op of ["get", "delete", "touch", "put"] as const) {
        const operations = keys.map((key) => ({ op, key, ...(op === "put" ? { value: 1 } : {}) }));
        const results = await subject().batch(operations as never);
        assert.deepEqual(
          results.map(({ status, error }) => [status, error?.code]),
          keys.map((_, n) => [400, n === 2 ? "key-too-large" : "invalid-key"]),
        );
        assert.ok(results.every((result) => typeof result.key === "string"));
      }
    });

    it("says how large a value is that it got", async () => {
      await subject().put("batch/size", '{ "a" : 1 }', { contentType: "application/json" });
      const [got] = await subject().batch([{ op: "get", key: "batch/size" }]);
      assert.equal(got?.size, 11);
    });

    it("takes none and 1,000 operations, and refuses 1,001", async () => {
      assert.deepEqual(await subject().batch([]), []);
      const operations = Array.from({ length: 1001 }, (_, n) => ({
        op: "put" as const,
        key: `batch/many/${n}`,
        value: n,
      }));
      await rejectsWith(subject().batch(operations), "invalid-argument", "not-applied");
      assert.equal(await subject().has("batch/many/0"), false);
      const results = await subject().batch(operations.slice(0, 1000));
      assert.ok(results.every((result) => result.status === 200));
      assert.equal(await subject().get("batch/many/999"), 999);
      assert.equal(await subject().deletePrefix("batch/many/"), 1000);
    });
  });
}
