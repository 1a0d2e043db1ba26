import { expect } from "chai";
import { describe, it } from "mocha";
import { stampOf, type Entry } from "@dnd/store";
import { WaitingBuffer } from "./waiting_buffer.ts";
import { idOf, START_MS } from "./_test_utils.ts";

function early(key: string, ms: number, bytes = 1): Entry {
  const version = { time: stampOf(START_MS + ms), node: idOf(9) };
  return { key, value: new Uint8Array(bytes), version };
}

describe("WaitingBuffer (rule 8)", () => {
  it("gives entries out when their time has come, the newest of each key", () => {
    const buffer = new WaitingBuffer({ waitingEntries: 10 });
    buffer.add(early("a", 1000), "b");
    buffer.add(early("a", 3000), "b");
    buffer.add(early("a", 2000), "b");
    buffer.add(early("c", 500), "b");
    expect(buffer.nextMs()).to.equal(START_MS + 500);
    expect(buffer.take(START_MS + 2500).map(({ entry }) => entry.key)).to.deep.equal(["c"]);
    expect(buffer.take(START_MS + 3000)).to.deep.equal([{ entry: early("a", 3000), from: "b" }]);
    expect(buffer.size).to.equal(0);
    expect(buffer.nextMs()).to.equal(undefined);
  });

  it("is bounded", () => {
    const buffer = new WaitingBuffer({ waitingEntries: 2 });
    expect(buffer.add(early("a", 1), "b")).to.equal(true);
    expect(buffer.add(early("b", 1), "b")).to.equal(true);
    expect(buffer.add(early("c", 1), "b")).to.equal(false);
    expect(buffer.add(early("b", 2), "b")).to.equal(true);
    expect(buffer.size).to.equal(2);
  });

  it("is bounded in bytes: large values are left to the next exchange", () => {
    const buffer = new WaitingBuffer({ waitingEntries: 10_000 });
    const MB = 1024 * 1024;
    let taken = 0;
    while (buffer.add(early(`${taken}`, taken, 4 * MB), "b")) taken += 1;
    expect(taken).to.equal(7);
    expect(buffer.add(early("0", 100, 16 * MB), "b")).to.equal(false);
    expect(buffer.add(early("0", 100, 1), "b")).to.equal(true);
    expect(buffer.add(early("1", 0, 32 * MB), "b")).to.equal(true); // older than what waits: nothing to keep
    expect(buffer.bytes).to.be.within(24 * MB, 25 * MB);
    expect(buffer.take(START_MS + 1000).length).to.equal(7);
    expect([buffer.bytes, buffer.size]).to.deep.equal([0, 0]);
  });
});
