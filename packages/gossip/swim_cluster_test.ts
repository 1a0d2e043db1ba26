import { expect } from "chai";
import { createSimulation, type SimulatedHost, SwimNode } from "./simulation/mod.ts";

describe("Swim in a cluster", () => {
  it("40 nodes, 5 % loss, one killed: all others agree that it is dead, nobody else is accused to death", () => {
    const world = createSimulation({ seed: 4, network: { lossRate: 0.05 } });
    const deaths = new Set<string>();
    const hosts: SimulatedHost[] = [];
    const nodes = (): SwimNode[] => hosts.map((host) => host.program as SwimNode);
    for (let i = 0; i < 40; i += 1) {
      const seeds = i === 0 ? [] : [hosts[0]?.address ?? ""];
      hosts.push(
        world.addHost(
          (host) =>
            new SwimNode(host, {
              seeds,
              onEvent: (event) => {
                if (event.type === "dead") deaths.add(event.member.id);
              },
            }),
        ),
      );
    }
    const alive = (node: SwimNode): number =>
      node.swim.members().filter((member) => member.state === "alive").length;
    const joined = world.runUntil(() => nodes().every((node) => alive(node) === 40), {
      limitMs: 60_000,
      everyMs: 100,
    });
    expect(joined, "all know all").to.be.a("number");
    world.run(30_000);
    const victim = nodes()[17] as SwimNode;
    victim.host.powerOff();
    const others = nodes().filter((node) => node !== victim);
    const agreed = world.runUntil(
      () => others.every((node) => node.swim.member(victim.id)?.state === "dead"),
      { limitMs: 60_000, everyMs: 100 },
    );
    expect(agreed, "all agree").to.be.a("number");
    world.run(60_000);
    expect([...deaths]).to.deep.equal([victim.id]);
    expect(others.every((node) => alive(node) === 39)).to.equal(true);
  });
});
