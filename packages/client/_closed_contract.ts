import assert from "node:assert/strict";
import { rejectsWith } from "./_rejects_with.ts";
import type { KeyValue } from "./key_value.ts";
import type { Receipt } from "./key_value_types.ts";

/** What {@link closedContract} opens: one more subject of the suite. */
interface Opened {
  readonly keyValue: KeyValue;
  close(): Promise<void>;
}

/** The part of the contract that is about the end. */
export function closedContract(open: () => Promise<Opened>): void {
  describe("after close()", () => {
    let opened: Opened;
    let receipt: Receipt;
    const subject = (): KeyValue => opened.keyValue;
    before(async () => {
      opened = await open();
      await subject().ready({ timeoutMs: 30_000 });
      receipt = await subject().put("closed/held", 1);
      const watch = subject().watch();
      await watch.opened;
      const waiting = watch.next();
      await subject().close();
      assert.equal((await waiting).done, true, "a watch that waits goes on");
    });
    after(() => opened.close());

    const reads: readonly (readonly [string, () => Promise<unknown>])[] = [
      ["get", () => subject().get("closed/held")],
      ["get of an absent key", () => subject().get("closed/absent")],
      ["entry", () => subject().entry("closed/held")],
      ["has", () => subject().has("closed/held")],
      ["list", () => subject().list()],
      ["entries", () => subject().entries().next()],
      ["ready", () => subject().ready()],
      ["watch, opened", () => subject().watch().opened],
      ["watch, next", () => subject().watch().next()],
      ["replicated() of a receipt", () => receipt.replicated("one", { timeoutMs: 5_000 })],
    ];
    for (const [title, call] of reads) {
      it(`rejects ${title} with closed`, () => rejectsWith(call(), "closed").then(() => undefined));
    }

    const writes: readonly (readonly [string, () => Promise<unknown>])[] = [
      ["put", () => subject().put("closed/new", 1)],
      ["put of a key with dots", () => subject().put("closed/../new", 1)],
      ["put with w", () => subject().put("closed/new", 1, { w: "all" })],
      ["delete", () => subject().delete("closed/held")],
      ["touch", () => subject().touch("closed/held", { ttlMs: 1000 })],
      ["deletePrefix", () => subject().deletePrefix("closed/")],
      ["batch", () => subject().batch([{ op: "delete", key: "closed/held" }])],
      ["an empty batch", () => subject().batch([])],
    ];
    for (const [title, call] of writes) {
      it(`rejects ${title} with closed, and does nothing`, () =>
        rejectsWith(call(), "closed", "not-applied").then(() => undefined));
    }

    it("may be closed again", async () => {
      await subject().close();
      await subject()[Symbol.asyncDispose]();
    });
  });
}
