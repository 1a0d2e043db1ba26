import { VersionedMap, diffDigests } from "./mod.ts";
import { expect } from "chai";

const NOW = 1_800_000_000_000;

describe("VersionedMap", () => {
  it("gives a merged entry back, and digests equally", () => {
    const a = new VersionedMap({ node: "a" });
    const b = new VersionedMap({ node: "b" });
    const entry = a.put("user1", new Uint8Array([1, 2]), { now: NOW });
    expect(diffDigests(a, b)).to.have.length(1);
    expect(b.merge([entry], { now: NOW })).to.deep.equal(["applied"]);
    expect(b.merge([entry], { now: NOW })).to.deep.equal(["superseded"]);
    expect(b.get("user1", { now: NOW })).to.deep.equal(entry);
    expect(b.digest()).to.deep.equal(a.digest());
    expect(diffDigests(a, b)).to.deep.equal([]);
  });
});
