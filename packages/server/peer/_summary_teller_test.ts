import assert from "node:assert/strict";
import { SUMMARY_READY } from "@dnd/protocol";
import { VersionedMap } from "@dnd/store";
import { Replicator } from "@dnd/replication";
import { until } from "../_test_utils.ts";
import { SummaryTeller } from "./_summary_teller.ts";

const quiet = (): void => undefined;
const logger = { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet };

describe("SummaryTeller (rule 11)", () => {
  it("tells at once, soon after a change, and once for many changes; flags only when they change", async () => {
    const map = new VersionedMap({ node: "ab".repeat(16) });
    const replicator = new Replicator({ map, prng: () => 0.5, generation: 1, hasSeeds: true });
    replicator.start(Date.now());
    const counters: number[] = [];
    const flags: object[] = [];
    let readyTimes = 0;
    const teller = new SummaryTeller({
      ...{ replicator, logger, now: Date.now },
      gossip: {
        setSummary: ({ counter = -1 }) => void counters.push(counter),
        setFlags: async (flag) => void flags.push(flag),
      },
      onReady: () => (readyTimes += 1),
    });
    assert.deepEqual(counters, [0]);
    for (let n = 0; n < 100; n += 1) {
      map.put(`k${n}`, new Uint8Array(1), { now: Date.now() });
      teller.soon();
    }
    assert.equal(counters.length, 1);
    await until("it is told", () => counters.at(-1) === 100);
    assert.deepEqual(flags, [{ ready: false, skewed: false }]);
    replicator.handleSeeds(false, Date.now()); // nobody to call: ready
    assert.equal((replicator.summary(Date.now()).flags & SUMMARY_READY) !== 0, true);
    await until("readiness is told without a change of the map", () => readyTimes === 1);
    teller.tell();
    assert.deepEqual(flags.slice(1), [{ ready: true, skewed: false }]);
    teller.close();
    assert.equal(readyTimes, 1);
  });
});
