import { expect } from "chai";
import { describe, it } from "mocha";
import { ExchangeWiring } from "./_exchange_wiring.ts";
import { TestCluster } from "./_test_utils.ts";

/**
 * `a` has forgotten a delete, and `b`, which was forgotten, still holds what it deleted. `c` joins by both at
 * once, by `b` so many milliseconds later: what `b` sends comes when `a` and `c` have been compared already.
 */
function joinByBoth(laterMs: number): { readonly live: boolean; readonly aside: number } {
  const cluster = new TestCluster({
    ...{ nodes: 2, latencyMs: 1, frameMs: 2, pingMs: 1e9, periodicMs: 1e9 },
    ...{ graceMs: 300, horizonStepMs: 50, promiseIntervalMs: 100, frameBytes: 2000 },
  });
  const [a, b] = [cluster.node(0), cluster.node(1)];
  cluster.put(a, "k", "v");
  cluster.run(50);
  cluster.kill(b);
  cluster.delete(a, "k");
  for (let i = 0; i < 200; i += 1) cluster.put(a, `key ${i}`, "x".repeat(100));
  const departed = a.replicator.departureStamp(cluster.now);
  const gone = { id: b.id, state: "forgotten", generation: b.generation, departed } as const;
  cluster.apply(a, a.replicator.handleMember(gone, cluster.now));
  cluster.run(1000);
  expect(a.map.peek("k"), "its delete is forgotten").to.equal(undefined);

  cluster.connected = (x, y) => ![x, y].includes(a.id) || ![x, y].includes(b.id);
  cluster.restart(b);
  const c = cluster.add({ hasSeeds: true });
  c.map.advanceClock(a.map.clock({ now: cluster.now })); // by its hello
  for (const other of [a, b]) {
    cluster.meet(c, other);
    cluster.meet(other, c);
    // Two copies at once are one too many: that from a is an operator's.
    if (other === a) cluster.apply(c, c.replicator.exchangeWith(a.id, cluster.now));
    cluster.run(laterMs);
  }
  cluster.run(5000, () => c.replicator.ready && c.map.size >= 200);
  cluster.connected = () => true;
  cluster.meet(a, b);
  cluster.meet(b, a);
  for (let round = 0; round < 6; round += 1) {
    for (const [x, y] of [
      [c, a],
      [c, b],
      [b, a],
    ] as const) {
      cluster.apply(x, x.replicator.exchangeWith(y.id, cluster.now));
      cluster.run(3000);
    }
  }
  const live = cluster.nodes.some(({ map }) => map.get("k", { now: cluster.now }) !== undefined);
  const aside = cluster.nodes.flatMap((node) => node.aside).filter(({ key }) => key === "k").length;
  return { live, aside };
}

describe("an exchange in which a node takes the state of a peer (rule 1)", function () {
  this.timeout(10_000);

  it("is repeated if something came from elsewhere that the peer's horizon has passed", () => {
    for (const laterMs of [1, 6, 12]) {
      const { live, aside } = joinByBoth(laterMs);
      expect(live, `${laterMs} ms: the delete was undone`).to.equal(false);
      expect(aside, `${laterMs} ms: it disappeared without a word`).to.be.at.least(1);
    }
  });

  it("would undo the delete otherwise", () => {
    const wiring = ExchangeWiring.prototype;
    const held = Object.getOwnPropertyDescriptor(wiring, "isCrossed") ?? {};
    wiring.isCrossed = () => false;
    try {
      expect(joinByBoth(1).live).to.equal(true);
    } finally {
      Object.defineProperty(wiring, "isCrossed", held);
    }
  });
});
