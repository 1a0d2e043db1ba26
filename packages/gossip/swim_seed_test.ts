import { expect } from "chai";
import { describe, it } from "mocha";
import { createSimulation, SwimNode } from "./simulation/mod.ts";

describe("a seed", () => {
  it("is said to be silent, and then once to have answered, when a member has its address", () => {
    const world = createSimulation({ seed: 3 });
    const told: string[] = [];
    const first = world.addHost((host) => new SwimNode(host, { seeds: [] }));
    const second = world.addHost((host) => new SwimNode(host, { seeds: [first.address] }));
    first.powerOff();
    const seeds = [first.address, second.address];
    const third = world.addHost(
      (host) =>
        new SwimNode(host, {
          seeds,
          onEvent: (event) => {
            if (event.type === "seed") told.push(`${event.seed} ${event.reason}`);
          },
        }),
    );
    world.run(60_000);
    const ofFirst = (): string[] => told.filter((text) => text.startsWith(first.address));
    expect(new Set(ofFirst())).to.deep.equal(new Set([`${first.address} silent`]));
    expect(told.filter((text) => text === `${second.address} answered`)).to.have.length(1);
    first.start();
    world.run(60_000);
    expect(ofFirst().filter((text) => text.endsWith("answered"))).to.have.length(1);
    expect((third.program as SwimNode).swim.members()).to.have.length(3);
    world.run(1_200_000); // said again now and then: a host that was blocked may have missed it
    expect(ofFirst().filter((text) => text.endsWith("answered")).length).to.be.within(2, 3);
  });
});
