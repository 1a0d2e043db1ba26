import assert from "node:assert/strict";
import type { KeyValue } from "./key_value.ts";
import type { Change, Watch } from "./watch.ts";
import { rejectsWith } from "./_rejects_with.ts";

async function take(watch: Watch, count: number): Promise<Change[]> {
  const changes: Change[] = [];
  while (changes.length < count) {
    const result = await watch.next();
    if (result.done === true) break;
    changes.push(result.value);
  }
  return changes;
}

/** The part of the contract that is about `watch()`. */
export function watchContract(subject: () => KeyValue): void {
  describe("watches", () => {
    it("hands out puts and deletes under a prefix, in order", async () => {
      await using watch = subject().watch({ prefix: "watch/order/" });
      await watch.opened;
      const receipt = await subject().put("watch/order/1", { n: 1 });
      await subject().put("watch/other", 0);
      await subject().put("watch/order/2", "two", { ttlMs: 600_000 });
      const { version } = await subject().delete("watch/order/1");
      const [first, second, third] = await take(watch, 3);
      assert.ok(first?.type === "put" && first.key === "watch/order/1");
      assert.deepEqual(first.version, receipt.version);
      assert.equal(first.etag, receipt.etag);
      assert.equal(first.contentType, "application/json");
      assert.equal(first.size, 7);
      assert.equal("value" in first, false);
      assert.ok(second?.type === "put" && second.key === "watch/order/2");
      assert.ok(second.expiresAt !== undefined);
      assert.ok(third?.type === "delete" && third.key === "watch/order/1");
      assert.deepEqual(third.version, version);
    });

    it("gives the values when asked, and follows one key alone", async () => {
      await using watch = subject().watch({ key: "watch/key", values: true });
      await watch.opened;
      await subject().put("watch/key2", 0);
      await subject().put("watch/key", { n: 1 });
      await subject().put("watch/key", Uint8Array.from([255]));
      const changes = await take(watch, 2);
      assert.deepEqual(
        changes.map((change) => (change.type === "put" ? change.value : change.type)),
        [{ n: 1 }, Uint8Array.from([255])],
      );
    });

    it("tells when a key expires", async () => {
      await using watch = subject().watch({ key: "watch/expire" });
      await watch.opened;
      await subject().put("watch/expire", 1, { ttlMs: 60 });
      const [put, expire] = await take(watch, 2);
      assert.equal(put?.type, "put");
      assert.ok(expire?.type === "expire" && expire.key === "watch/expire");
    });

    it("continues behind a change, and behind a receipt", async () => {
      const { event } = await subject().put("watch/after/1", 1);
      await subject().put("watch/after/2", 2);
      await subject().put("watch/after/3", 3);
      assert.ok(event !== undefined);
      await using watch = subject().watch({ prefix: "watch/after/", after: event });
      const [second] = await take(watch, 1);
      assert.ok(second?.type === "put" && second.key === "watch/after/2");
      assert.equal(watch.lastEventId, second.id);
      await using later = subject().watch({ prefix: "watch/after/", after: second.id });
      const [third] = await take(later, 1);
      assert.ok(third?.type === "put" && third.key === "watch/after/3");
    });

    it("continues behind a list without a gap", async () => {
      await subject().put("watch/list/1", 1);
      const { event } = await subject().list({ prefix: "watch/list/" });
      await subject().put("watch/list/2", 2);
      assert.ok(event !== undefined);
      await using watch = subject().watch({ prefix: "watch/list/", after: event });
      const [change] = await take(watch, 1);
      assert.ok(change?.type === "put" && change.key === "watch/list/2");
    });

    it("says reset where it cannot continue, and then gives live changes", async () => {
      await using watch = subject().watch({ prefix: "watch/reset/", after: "nobody.1.1" });
      const [reset] = await take(watch, 1);
      assert.equal(reset?.type, "reset");
      await watch.opened;
      await subject().put("watch/reset/1", 1);
      const [live] = await take(watch, 1);
      assert.ok(live?.type === "put" && live.key === "watch/reset/1");
    });

    it("ends by close, by leaving the loop and by the signal", async () => {
      const closed = subject().watch();
      await closed.opened;
      const waiting = closed.next();
      await closed.close();
      assert.equal((await waiting).done, true);
      assert.equal((await closed.next()).done, true);

      const left = subject().watch({ prefix: "watch/leave/" });
      await left.opened;
      await subject().put("watch/leave/1", 1);
      for await (const change of left) {
        assert.equal(change.type, "put");
        break;
      }
      assert.equal((await left.next()).done, true);

      const controller = new AbortController();
      const aborted = subject().watch({ signal: controller.signal });
      await aborted.opened;
      const pending = aborted.next();
      controller.abort();
      assert.equal((await pending).done, true);
    });

    it("is never opened when its signal has fired, and ends at once", async () => {
      const watch = subject().watch({ signal: AbortSignal.abort() });
      await rejectsWith(watch.opened, "closed");
      assert.equal((await watch.next()).done, true);
    });

    it("refuses a prefix and a place that are no text", async () => {
      for (const options of [{ prefix: "\ud800" }, { after: "a\udc00" }]) {
        const watch = subject().watch(options);
        await rejectsWith(watch.opened, "invalid-argument");
        await rejectsWith(watch.next(), "invalid-argument");
      }
    });

    it("refuses prefix and key together", async () => {
      const watch = subject().watch({ prefix: "a", key: "b" });
      await rejectsWith(watch.opened, "invalid-argument");
      await rejectsWith(watch.next(), "invalid-argument");
    });
  });
}
