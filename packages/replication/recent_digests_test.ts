import { expect } from "chai";
import { RecentDigests } from "./recent_digests.ts";

/** A digest with this number in it. */
function digestOf(number: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(2, number);
  return bytes;
}

describe("RecentDigests", () => {
  it("knows what was there less than a second ago, and nothing older", () => {
    const recent = new RecentDigests();
    expect(recent.had(digestOf(0), 5000)).to.equal(false);
    recent.note(digestOf(1), 5000);
    recent.note(digestOf(2), 5100);
    recent.note(digestOf(3), 5600);
    expect(recent.had(digestOf(1), 5900)).to.equal(true);
    expect(recent.had(digestOf(1), 6001)).to.equal(false);
    expect(recent.had(digestOf(2), 6001)).to.equal(true);
    expect(recent.had(digestOf(4), 6001)).to.equal(false);
  });

  it("counts the second from when a digest was last that of now", () => {
    const recent = new RecentDigests();
    recent.note(digestOf(1), 0);
    recent.note(digestOf(1), 9000);
    recent.note(digestOf(2), 9500);
    expect(recent.had(digestOf(1), 10_000)).to.equal(true);
    expect(recent.had(digestOf(1), 10_001)).to.equal(false);
  });

  it("keeps a bounded number of them", () => {
    const recent = new RecentDigests();
    for (let i = 0; i < 50_000; i += 1) recent.note(digestOf(i), 100);
    expect(recent.had(digestOf(49_999), 100)).to.equal(true);
    expect(recent.had(digestOf(40_000), 100)).to.equal(true);
    expect(recent.had(digestOf(1), 100)).to.equal(false);
  });

  it("believes none whose time is still to come: the clock was set back", () => {
    const recent = new RecentDigests();
    recent.note(digestOf(1), 5000);
    expect(recent.had(digestOf(1), 4000)).to.equal(false);
  });
});
