import { expect } from "chai";
import { describe, it } from "mocha";
import { stampOf, type Entry } from "@dnd/store";
import { WaitingBuffer } from "./waiting_buffer.ts";
import { idOf, START_MS } from "./_test_utils.ts";

function early(key: string, ms: number): Entry {
  const version = { time: stampOf(START_MS + ms), node: idOf(9) };
  return { key, value: new Uint8Array(1), version };
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
});
