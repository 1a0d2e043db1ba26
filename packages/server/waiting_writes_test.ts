import assert from "node:assert/strict";
import type { Entry } from "@dnd/store";
import { WaitingWrites } from "./waiting_writes.ts";

const entry = (key: string, time: number): Entry => ({
  key,
  value: new Uint8Array(0),
  version: { time, node: "a" },
});

describe("WaitingWrites (rule 18)", () => {
  it("tells a write of a newer one to its key, and holds nothing afterwards", () => {
    const writes = new WaitingWrites();
    const first = writes.begin(entry("k", 1), 1);
    const other = writes.begin(entry("l", 2), 2);
    const second = writes.begin(entry("k", 3), 3);
    assert.equal(writes.size, 2);
    assert.equal(writes.end(first, 3), true);
    assert.equal(writes.end(other, 3), false);
    assert.equal(writes.end(second, 3), false);
    assert.equal(writes.size, 0);
  });

  it("does not know when something else has changed the map", () => {
    const writes = new WaitingWrites();
    const first = writes.begin(entry("k", 1), 10);
    const second = writes.begin(entry("l", 2), 12);
    assert.equal(writes.end(first, 12), undefined);
    assert.equal(writes.end(second, 12), false);
    const third = writes.begin(entry("k", 3), 13);
    assert.equal(writes.end(third, 14), undefined);
  });
});
