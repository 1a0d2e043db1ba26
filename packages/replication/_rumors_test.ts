import { expect } from "chai";
import { describe, it } from "mocha";
import { VersionedMap, type Entry } from "@dnd/store";
import { Replicator } from "./replicator.ts";
import type { ReplicationEffect } from "./replication_effect.ts";
import { bytesOf, idOf, seeded, START_MS } from "./_test_utils.ts";

function entries(count: number, first = 0): Entry[] {
  const writer = new VersionedMap({ node: idOf(9) });
  return Array.from({ length: count }, (_, i) =>
    writer.put(`key${first + i}`, bytesOf("value"), { now: START_MS }),
  );
}

function receiver(others: number, passOnEntries = 100) {
  const map = new VersionedMap({ node: idOf(1) });
  const replicator = new Replicator(
    { map, prng: seeded(1), generation: 1 },
    { passOnEntries, maxUpdateBytes: 1100 },
  );
  replicator.start(START_MS);
  for (let i = 0; i < others; i += 1) {
    replicator.handleMember({ id: idOf(9 - i), state: "alive", generation: 1 }, START_MS);
  }
  return replicator;
}

function told(effects: readonly ReplicationEffect[]): number {
  let sum = 0;
  for (const effect of effects) {
    if (effect.type === "rumor") sum += effect.update.entries?.length ?? 0;
  }
  return sum;
}

/** What becomes of updates of `writer` until what is passed on has gone out, a round later. */
function take(replicator: Replicator, updates: readonly Entry[][], now: number) {
  const effects = updates.flatMap((update) =>
    replicator.handleUpdate(idOf(9), { entries: update }, now),
  );
  const flushes = effects.filter((e) => e.type === "schedule" && e.token === "flush");
  return { flushes, early: told(effects), effects: replicator.handleTimer("flush", now + 50) };
}

describe("passing rumors on", () => {
  it("waits for a round, so that many packets become few and nobody waits for it", () => {
    const all = entries(40);
    const updates = Array.from({ length: 20 }, (_, i) => all.slice(i * 2, i * 2 + 2));
    const { flushes, early, effects } = take(receiver(2), updates, START_MS);
    expect(flushes).to.have.length(1);
    expect(flushes[0]).to.include({ delayMs: 50 });
    expect(early).to.equal(0);
    expect(told(effects)).to.equal(40);
    expect(effects.filter((effect) => effect.type === "rumor").length).to.be.below(6);
  });

  it("is bounded by the second where everybody was told directly", () => {
    const replicator = receiver(2);
    expect(told(take(replicator, [entries(150)], START_MS).effects)).to.equal(100);
    expect(replicator.metrics.rumorsNotPassedOn).to.equal(50);
    expect(told(take(replicator, [entries(150, 200)], START_MS + 500).effects)).to.equal(50);
    expect(told(take(replicator, [entries(50, 400)], START_MS + 10_000).effects)).to.equal(50);
    expect(replicator.metrics.rumorsApplied).to.equal(350);
  });

  it("gives nothing more when the clock is set back", () => {
    const replicator = receiver(2);
    take(replicator, [entries(100)], START_MS);
    expect(told(take(replicator, [entries(10, 200)], START_MS - 300).effects)).to.equal(0);
    expect(told(take(replicator, [entries(10, 300)], START_MS - 200).effects)).to.equal(10);
  });

  it("is not bounded so in a cluster that spreads by gossip", () => {
    const replicator = receiver(15, 10);
    take(replicator, [entries(60)], START_MS);
    expect(replicator.metrics.rumorsNotPassedOn).to.equal(0);
  });
});
