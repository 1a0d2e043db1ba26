import { type StoredEntry, VersionedMap } from "@dnd/store";
import { expect } from "chai";
import { freshFolder } from "./_test_utils.ts";
import type { LmdbEngine } from "./lmdb_engine.ts";
import { openEngine } from "./open_engine.ts";

const NODE = "0123456789abcdef0123456789abcdef";
const NOW = 1_800_000_000_000;

/** Two versions of each key, the newer one first for every third. */
function versions(count: number): [StoredEntry, StoredEntry][] {
  const writer = new VersionedMap({ node: "w" });
  const put = (i: number, text: string): StoredEntry => {
    writer.put(`key${i}`, new TextEncoder().encode(text), { now: NOW });
    return writer.peek(`key${i}`) as StoredEntry;
  };
  return Array.from({ length: count }, (_, i) => {
    const [older, newer] = [put(i, "older"), put(i, "newer")];
    return i % 3 === 0 ? [newer, older] : [older, newer];
  });
}

/** An engine whose reads are counted. */
async function counted(folder: string): Promise<{ engine: LmdbEngine; reads: () => number }> {
  const engine = await openEngine({ folder });
  const get = engine.get.bind(engine);
  let reads = 0;
  engine.get = (key) => {
    reads += 1;
    return get(key);
  };
  return { engine, reads: () => reads };
}

describe("merging into a file that was empty when it was opened", () => {
  it("reads hardly any key that was never put, and each that was", async () => {
    const { engine, reads } = await counted(freshFolder());
    const map = new VersionedMap({ node: NODE, engine });
    const all = versions(3000);
    map.merge(
      all.map(([first]) => first),
      { now: NOW },
    );
    expect(reads()).to.be.below(30);
    const before = reads();
    map.merge(
      all.map(([, second]) => second),
      { now: NOW },
    );
    expect(reads() - before).to.equal(3000);
    await engine.close();
  });

  it("ends as in memory, however keys and versions come, deletes and forgetting between them too", async () => {
    const all = versions(300).flat();
    for (const piece of [7, 50, 1000]) {
      const { engine } = await counted(freshFolder());
      const map = new VersionedMap({ node: NODE, engine });
      const memory = new VersionedMap({ node: NODE });
      for (let i = 0; i < all.length; i += piece) {
        const slice = all.slice(i, i + piece);
        expect(map.merge(slice, { now: NOW })).to.deep.equal(memory.merge(slice, { now: NOW }));
        if (i % 5 > 0) continue;
        for (const each of [map, memory]) {
          each.delete(`key${i}`, { now: NOW });
          each.reap(each.clock({ now: NOW }));
        }
      }
      await map.committed();
      expect(map.digest()).to.deep.equal(memory.digest());
      expect(map.entries({ all: true })).to.deep.equal(memory.entries({ all: true }));
      await engine.close();
    }
  });

  it("reads every key of a file that held something", async () => {
    const folder = freshFolder();
    const [[first, second]] = versions(1) as [[StoredEntry, StoredEntry]];
    const { engine } = await counted(folder);
    new VersionedMap({ node: NODE, engine }).merge([first], { now: NOW });
    await engine.close();
    const again = await counted(folder);
    const map = new VersionedMap({ node: NODE, engine: again.engine });
    expect(map.merge([second], { now: NOW })).to.deep.equal(["superseded"]);
    expect(again.reads()).to.equal(1);
    await again.engine.close();
  });
});
