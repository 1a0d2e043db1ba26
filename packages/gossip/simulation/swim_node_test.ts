import { expect } from "chai";
import { createSimulation } from "./create_simulation.ts";
import type { NetworkCounters } from "./simulated_network.ts";
import { SwimNode } from "./swim_node.ts";

function run(
  wire: "bytes" | "parcels",
  seed: number,
): { counters: NetworkCounters; views: unknown } {
  const world = createSimulation({ seed, network: { lossRate: 0.05, duplicateRate: 0.02 } });
  const seeds: string[] = [];
  for (let i = 0; i < 12; i += 1) {
    const metadata = new Uint8Array(i * 12);
    const host = world.addHost((self) => new SwimNode(self, { seeds, wire, metadata }));
    if (i === 0) seeds.push(host.address);
  }
  const [, a, b, c] = world.hosts;
  world.run(10_000);
  a?.powerOff();
  b?.pause();
  c?.restart();
  world.run(15_000);
  b?.resume();
  a?.start();
  world.run(30_000);
  const views = world.hosts.map((host) => {
    const { swim } = host.program as SwimNode;
    return { members: swim.members(), counters: swim.counters };
  });
  return { counters: world.network.counters, views };
}

describe("SwimNode", () => {
  it("does the same with parcels as with bytes: the same packets, lengths, views, counters", () => {
    for (const seed of [1, 2]) {
      const [bytes, parcels] = [run("bytes", seed), run("parcels", seed)];
      expect(parcels).to.deep.equal(bytes);
      expect(bytes.counters.datagrams).to.be.above(500);
    }
  });

  it("refuses a parcel for another process, as it would the packet", () => {
    const world = createSimulation({ seed: 1 });
    const first = world.addHost((self) => new SwimNode(self, { wire: "parcels" }));
    const seeds = [first.address];
    world.addHost((self) => new SwimNode(self, { wire: "parcels", seeds }));
    world.addHost((self) => new SwimNode(self, { wire: "parcels", seeds, cluster: "other" }));
    world.run(5_000);
    first.restart();
    world.run(5_000);
    const node = first.program as SwimNode;
    expect(node.refused.get("wrong-cluster")).to.be.above(0);
    expect(node.refused.get("bad-tag")).to.be.above(0);
    expect(node.swim.members()).to.have.length(2);
  });
});
