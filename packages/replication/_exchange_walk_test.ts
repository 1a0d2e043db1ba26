import { expect } from "chai";
import { describe, it } from "mocha";
import type { LeafItem, LeafSums } from "@dnd/protocol";
import { VersionedMap } from "@dnd/store";
import type { ExchangeHost } from "./_exchange_host.ts";
import { ExchangeWalk } from "./_exchange_walk.ts";
import { ExchangeError } from "./exchange_error.ts";
import { idOf, START_MS } from "./_test_utils.ts";

const NONE = new Uint8Array(0);

/** A walk that has sent the fingerprints of the leaf of its first entry, and waits for the list. */
function waiting(keys = ["a"]): { walk: ExchangeWalk; sums: LeafSums } {
  const map = new VersionedMap({ node: idOf(1) });
  for (const key of keys) map.put(key, NONE, { now: START_MS });
  const options = { frameBytes: 128 * 1024, leafSplitEntries: 256 };
  const host = { map, options } as unknown as ExchangeHost; // a walk asks for no more
  const terms = { horizon: 0, below: false, peerBelow: false, joins: false, cutoff: Infinity };
  const walk = new ExchangeWalk(host, idOf(2), terms);
  for (;;) {
    const frame = walk.next()?.frame;
    if (frame?.type === "leafSums") {
      const { level = 0, index = 0, fingerprints = NONE } = frame;
      return { walk, sums: { level, index, fingerprints } };
    }
    if (frame?.type !== "digestRequest") throw new Error(`a ${frame?.type} instead of a question`);
    const { level = 0, indexes = [] } = frame;
    // The peer holds something else below every node that holds something here.
    const children = indexes.map((index) =>
      map.digestChildren(level, index).map((byte) => byte && 9),
    );
    walk.handle({ type: "digestReply", level, indexes, children }, START_MS);
  }
}

function items(count: number, from: number, keyBytes = 0): LeafItem[] {
  const contentHash = new Uint8Array(8);
  return Array.from({ length: count }, (_, i) => ({
    key: `${from + i}`.padStart(keyBytes, "k"),
    time: 1,
    node: idOf(2),
    contentHash,
    deleted: false,
  }));
}

describe("ExchangeWalk and a peer that lies", () => {
  it("cuts off a list that never ends", () => {
    const { walk, sums } = waiting();
    const { level, index } = sums;
    let taken = 0;
    expect(() => {
      for (; taken < 2_000_000; taken += 10_000) {
        const list = { level, index, items: items(10_000, taken), missing: NONE, last: false };
        walk.handle({ type: "leafList", ...list }, START_MS);
      }
    }).to.throw(ExchangeError, "a list without end");
    expect(taken).to.equal(500_000);
  });

  it("cuts off one of long keys sooner: memory is what is bounded", () => {
    const { walk, sums } = waiting();
    const { level, index } = sums;
    let taken = 0;
    expect(() => {
      for (; taken < 500_000; taken += 1000) {
        const list = { level, index, items: items(1000, taken, 1000), missing: NONE, last: false };
        walk.handle({ type: "leafList", ...list }, START_MS);
      }
    }).to.throw(ExchangeError, "a list without end");
    expect(taken).to.be.within(60_000, 65_000);
  });

  it("asks for no more lists while it has more to ask for than it can", () => {
    const { walk, sums } = waiting(Array.from({ length: 2000 }, (_, i) => `key ${i}`));
    let asked: LeafSums | undefined = sums;
    let named = 0;
    let wants = 0;
    for (let turn = 0; turn < 3000; turn += 1) {
      if (asked !== undefined) {
        const { level, index } = asked;
        const list = { level, index, items: items(1000, named, 30), missing: NONE, last: true };
        walk.handle({ type: "leafList", ...list }, START_MS);
        named += 1000;
      }
      const frame = walk.next()?.frame;
      if (frame?.type === "want") wants += frame.keys?.length ?? 0;
      asked = frame?.type === "leafSums" ? (frame as LeafSums) : undefined;
    }
    // Nothing that it wants is sent: what waits does not grow.
    expect(wants).to.equal(4096);
    expect(named - wants).to.be.below(10_000);
  });

  it("cuts off who misses more than was sent, and who sends parts with nothing in them", () => {
    const first = waiting();
    const { level, index, fingerprints } = first.sums;
    expect(fingerprints.length).to.equal(8);
    const list = { type: "leafList", level, index, items: [], missing: NONE, last: true } as const;
    expect(() => first.walk.handle({ ...list, missing: new Uint8Array(16) }, START_MS)).to.throw(
      ExchangeError,
      "more fingerprints",
    );
    expect(() => waiting().walk.handle({ ...list, last: false }, START_MS)).to.throw(
      ExchangeError,
      "nothing",
    );
    const honest = waiting();
    expect(honest.walk.handle({ ...list, missing: fingerprints }, START_MS)).to.equal(true);
  });
});
