import { expect } from "chai";
import { describe, it } from "mocha";
import type { FrameBody } from "@dnd/protocol";
import { bytesOf, idOf, TestCluster } from "./_test_utils.ts";

const EXTRA = new Uint8Array(0);

/** What a peer sends first. */
const hello = { type: "memberPage", members: [], last: true, extra: EXTRA };
const open = {
  ...{ type: "exchangeOpen", heard: [], seen: 0, horizon: 0, clock: 0, ready: true },
  ...{ reason: "", counter: 0, keys: 0, bytes: 0, below: 0, copies: false, extra: EXTRA },
};

/** The second node refuses each exchange that the first one opens. */
function refused(code: string, retryAfterMs: number): TestCluster {
  const cluster = new TestCluster({ nodes: 2, pingMs: 200 });
  const [a] = cluster.nodes;
  a?.map.put("only here", EXTRA, { now: cluster.now - 5000 });
  let opening = 0;
  cluster.change = (frame) => {
    // The opener's comes first, the answer is what is changed.
    if (frame.type !== "exchangeOpen" || (opening += 1) % 2 === 1) return frame;
    return { type: "refusal", code, detail: "", retryAfterMs, extra: EXTRA };
  };
  return cluster;
}

describe("Exchanges: when the next one is (rule 11)", () => {
  it("does not go on at once because a peer says that a limit was reached", () => {
    for (const code of ["time", "bytes"]) {
      const cluster = refused(code, 0);
      cluster.run(20_000);
      const { exchangesOpened } = cluster.node(0).replicator.metrics;
      expect(exchangesOpened, code).to.be.within(2, 12);
    }
  });

  it("waits for a busy peer as long as a timer can, and not for ever", () => {
    const cluster = refused("busy", 2 ** 40);
    const [a, b] = [cluster.node(0), cluster.node(1)];
    let longest = 0;
    const apply = cluster.apply.bind(cluster);
    cluster.apply = (node, effects) => {
      for (const effect of effects) {
        if (effect.type === "schedule") longest = Math.max(longest, effect.delayMs);
      }
      apply(node, effects);
    };
    cluster.apply(a, a.replicator.exchangeWith(b.id, cluster.now));
    cluster.run(10_000);
    cluster.change = (frame) => frame;
    expect(longest).to.be.below(100_000);
    expect(cluster.run(60_000, () => cluster.converged())).to.equal(true);
  });

  it("lets what was dropped go before a difference that waits for the pace of the pair", () => {
    const cluster = new TestCluster({ nodes: 2, pingMs: 200, outboxBytes: 200 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    for (let i = 0; i < 8; i += 1) {
      cluster.apply(a, a.replicator.exchangeWith(b.id, cluster.now)); // nothing moves: 30 s until the next
      cluster.run(1000);
    }
    a.map.put("told nobody", EXTRA, { now: cluster.now });
    expect(cluster.run(5000, () => cluster.converged())).to.equal(false);
    const large = a.map.put("dropped", bytesOf("v".repeat(300)), { now: cluster.now });
    cluster.wrote(a, large);
    expect(a.replicator.metrics.outboxDropped).to.equal(1);
    expect(cluster.run(2000, () => cluster.converged())).to.equal(true);
  });

  it("serves one at a time of those who give no reason, too", () => {
    const cluster = new TestCluster({ nodes: 1 });
    const a = cluster.node(0);
    for (let peer = 2; peer < 5; peer += 1) {
      const { stream } = a.replicator.acceptStream(idOf(peer), "exchange", cluster.now);
      for (const frame of [hello, open]) {
        a.replicator.handleFrame(stream, frame as unknown as FrameBody, cluster.now);
      }
    }
    expect(a.replicator.status().exchanges.length).to.equal(1);
    expect(a.replicator.metrics.exchangesBusy).to.equal(2);
  });

  describe("gives everybody a turn", () => {
    function rig(): {
      readonly ask: (peer: number, reason?: string) => number;
      readonly end: (stream: number) => void;
      readonly wait: (ms: number) => void;
      readonly served: () => readonly string[];
    } {
      const cluster = new TestCluster({ nodes: 1 });
      const { replicator } = cluster.node(0);
      let now = cluster.now;
      return {
        ask: (peer, reason = "difference") => {
          const { stream } = replicator.acceptStream(idOf(peer), "exchange", now);
          for (const frame of [hello, { ...open, reason }]) {
            replicator.handleFrame(stream, frame as unknown as FrameBody, now);
          }
          return stream;
        },
        end: (stream) => void replicator.handleStreamClosed(stream, now, "cut"),
        wait: (ms) => void (now += ms),
        served: () => replicator.status().exchanges.map(({ peer }) => peer),
      };
    }

    it("who was served last lets those go first who were turned away meanwhile", () => {
      const { ask, end, wait, served } = rig();
      const greedy = ask(2);
      ask(3); // busy
      wait(30_000);
      ask(3); // busy again, as each half second
      end(greedy);
      ask(2);
      expect(served()).to.deep.equal([]);
      wait(700);
      const second = ask(3);
      expect(served()).to.deep.equal([idOf(3)]);
      ask(2); // busy
      end(second);
      ask(3);
      expect(served()).to.deep.equal([]);
      ask(2);
      expect(served()).to.deep.equal([idOf(2)]);
    });

    it("and waits for nobody who does not come back, nor when nobody was turned away", () => {
      const { ask, end, wait, served } = rig();
      const first = ask(2);
      ask(3);
      end(first);
      ask(2);
      expect(served()).to.deep.equal([]);
      wait(2_000);
      const second = ask(2);
      expect(served()).to.deep.equal([idOf(2)]);
      end(second);
      ask(2);
      expect(served()).to.deep.equal([idOf(2)]);
    });

    it("copies have turns of their own", () => {
      const { ask, end, served } = rig();
      const first = ask(2, "join");
      ask(3, "difference");
      ask(4, "difference"); // busy, but not with a copy
      end(first);
      ask(2, "join");
      expect(served()).to.have.members([idOf(3), idOf(2)]);
    });
  });
});
