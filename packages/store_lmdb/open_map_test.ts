import { expect } from "chai";
import { freshFolder, text, utf8 } from "./_test_utils.ts";
import { openMap } from "./open_map.ts";

describe("openMap()", () => {
  it("gives back after a restart what was committed", async () => {
    const folder = freshFolder();
    const first = await openMap({ folder });
    first.put("user1", utf8("Jack"), { contentType: "text/plain" });
    first.put("user2", utf8("Jill"), { ttlMs: 3_600_000 });
    first.put("gone", utf8("x"));
    first.delete("gone");
    const digest = first.digest();
    await first.committed();
    await first.close();

    const second = await openMap({ folder });
    expect(text(second.get("user1")?.value)).to.equal("Jack");
    expect(second.get("user1")?.contentType).to.equal("text/plain");
    expect(text(second.get("user2")?.value)).to.equal("Jill");
    expect(second.get("gone")).to.equal(undefined);
    expect(second.peek("gone")?.deleted).to.equal(true);
    expect(second.entries().map(({ key }) => key)).to.deep.equal(["user1", "user2"]);
    expect(second.digest()).to.deep.equal(digest);
    expect(second.counter).to.equal(4);
    expect(second.node).to.equal(first.node);
    await second.close();
  });

  it("shows a write at once, before it is committed", async () => {
    const map = await openMap({ folder: freshFolder() });
    map.put("b", utf8("1"));
    await map.committed();
    map.put("a", utf8("2"));
    map.put("b", utf8("3"));
    expect(text(map.get("b")?.value)).to.equal("3");
    expect(map.entries().map(({ key }) => key)).to.deep.equal(["a", "b"]);
    expect(map.committedCounter).to.equal(1);
    await map.committed();
    expect(map.committedCounter).to.equal(3);
    expect(map.entries().map(({ value }) => text(value))).to.deep.equal(["2", "3"]);
    await map.close();
  });
});
