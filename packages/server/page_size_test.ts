import assert from "node:assert/strict";
import type { Entry } from "@dnd/store";
import { PageSize } from "./page_size.ts";

function page(entries: number, bytes: number): Entry[] {
  return Array.from({ length: entries }, (_, n) => ({
    key: `k${n}`,
    value: new Uint8Array(bytes),
    version: { time: 1, node: "a" },
  }));
}

describe("PageSize", () => {
  it("grows over small values to 32, falls to 1 over large ones, and comes back", () => {
    const size = new PageSize();
    const seen: number[] = [];
    for (const bytes of [10, 10, 10, 10, 100_000, 2_000_000, 2_000_000, 0, 0]) {
      size.add(page(size.entries, bytes));
      seen.push(size.entries);
    }
    assert.deepEqual(seen, [8, 16, 32, 32, 10, 1, 1, 2, 4]);
    size.add([]);
    assert.equal(size.entries, 4);
  });
});
