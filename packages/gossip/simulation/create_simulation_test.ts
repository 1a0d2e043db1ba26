import { expect } from "chai";
import { createSimulation } from "./create_simulation.ts";
import type { SimulatedHost } from "./simulated_host.ts";
import type { StreamEnd } from "./simulated_stream.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const read = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function run(seed: number): string {
  const world = createSimulation({
    seed,
    network: { lossRate: 0.1, duplicateRate: 0.1, reorderRate: 0.2 },
  });
  const hosts = Array.from({ length: 5 }, () =>
    world.addHost((host) => ({
      start() {
        const tick = (): void => {
          host.send(host.prng.pick(hosts).address, host.prng.bytes(10));
          host.schedule(50, tick);
        };
        host.schedule(1, tick);
      },
      datagram() {},
    })),
  );
  world.run(5_000);
  return world.traceHash;
}

describe("createSimulation()", () => {
  it("gives the same trace for the same seed and another for another", () => {
    expect(run(1)).to.equal(run(1));
    expect(run(1)).not.to.equal(run(2));
  });

  it("refuses options and times that are none", () => {
    for (const [options, message] of [
      [null, "no object"],
      [7, "no object"],
      [{ sed: 1 }, "no option sed"],
      [{ seed: "x" }, "seed of type string"],
      [{ seed: NaN }, "seed NaN"],
      [{ network: 7 }, "network is no object"],
    ] as const) {
      expect(() => createSimulation(options as never), message).to.throw(Error, message);
    }
    const world = createSimulation();
    for (const ms of [NaN, -1, Infinity, undefined, "x"]) {
      expect(() => world.run(ms as never)).to.throw(RangeError, "Cannot let");
    }
    world.run(5);
    expect(world.clock.now).to.equal(5);
  });

  it("loses the share of datagrams that it is told to", () => {
    const world = createSimulation({ seed: 3, network: { lossRate: 0.2 } });
    let heard = 0;
    const b = world.addHost(() => ({ datagram: () => void (heard += 1) }));
    const a = world.addHost(() => ({}));
    for (let i = 0; i < 10_000; i += 1) a.send(b.address, new Uint8Array(1));
    world.run(10);
    expect(heard).to.be.within(7_800, 8_200);
  });

  it("partitions, cuts one way, and heals", () => {
    const world = createSimulation({ seed: 1 });
    const heard: string[] = [];
    const a: SimulatedHost = world.addHost(() => ({ datagram: () => void heard.push("a") }));
    const b: SimulatedHost = world.addHost(() => ({ datagram: () => void heard.push("b") }));
    const both = (): string => {
      heard.length = 0;
      a.send(b.address, new Uint8Array(1));
      b.send(a.address, new Uint8Array(1));
      world.run(10);
      return heard.sort().join("");
    };
    expect(both()).to.equal("ab");
    world.network.partition([[a], [b]]);
    expect(both()).to.equal("");
    world.network.heal();
    world.network.cut(a, b);
    expect(both()).to.equal("a");
    world.network.heal();
    expect(both()).to.equal("ab");
  });

  it("delays timers and datagrams of a paused process until it goes on, timers first", () => {
    const world = createSimulation({ seed: 1 });
    const log: string[] = [];
    const a = world.addHost(() => ({}));
    const b = world.addHost((host) => ({
      start: () => host.schedule(100, () => log.push(`timer ${Math.round(host.now())}`)),
      datagram: () => log.push(`datagram ${Math.round(host.now())}`),
    }));
    b.pause();
    a.send(b.address, new Uint8Array(1));
    world.run(1_000);
    expect(log).to.deep.equal([]);
    b.resume();
    expect(log).to.deep.equal(["timer 1000", "datagram 1000"]);
  });

  it("forgets timers at a restart and keeps the folder unless told otherwise", () => {
    const world = createSimulation({ seed: 1 });
    let fired = 0;
    const host = world.addHost((self) => ({
      start: () => self.schedule(100, () => void (fired += 1)),
    }));
    host.folder.set("id", 1);
    host.restart();
    expect(host.folder.get("id")).to.equal(1);
    host.restart({ keepFolder: false });
    expect(host.folder.size).to.equal(0);
    world.run(1_000);
    expect(fired).to.equal(1);
  });
});

describe("SimulatedStream", () => {
  it("delivers frames in order and once in spite of loss, then the end", () => {
    const world = createSimulation({ seed: 5, network: { lossRate: 0.2 } });
    const got: string[] = [];
    const b = world.addHost(() => ({
      stream(stream) {
        stream.onFrame = (frame) => void got.push(read(frame));
        stream.onEnd = (end) => void got.push(end);
      },
    }));
    const a = world.addHost(() => ({}));
    const stream = a.open(b.address, "test");
    stream.onOpen = () => {
      for (let i = 0; i < 50; i += 1) stream.send(text(`${i}`));
      stream.close();
    };
    world.run(60_000);
    expect(got).to.deep.equal([...Array.from({ length: 50 }, (_, i) => `${i}`), "closed"]);
  });

  it("is refused by a killed process, and times out on a machine that is gone or cut off", () => {
    const world = createSimulation({ seed: 1 });
    const ends: StreamEnd[] = [];
    const [down, off, cut] = [0, 1, 2].map(() => world.addHost(() => ({ stream() {} })));
    const a = world.addHost(() => ({}));
    if (!down || !off || !cut) throw new Error("no hosts");
    down.kill();
    off.powerOff();
    world.network.cut(cut, a);
    for (const host of [down, off, cut]) {
      a.open(host.address, "test").onEnd = (end) => void ends.push(end);
    }
    world.run(60_000);
    expect(ends).to.deep.equal(["refused", "timeout", "timeout"]);
  });

  it("survives a short cut and breaks in a long one", () => {
    for (const [cutMs, expected] of [
      [2_000, "hello"],
      [60_000, "timeout"],
    ] as const) {
      const world = createSimulation({ seed: 1 });
      const log: string[] = [];
      const b = world.addHost(() => ({
        stream(stream) {
          stream.onFrame = (frame) => void log.push(read(frame));
          stream.onEnd = (end) => void log.push(end);
        },
      }));
      const a = world.addHost(() => ({}));
      const stream = a.open(b.address, "test");
      world.run(10);
      world.network.cut(a, b);
      stream.send(text("hello"));
      world.run(cutMs);
      world.network.heal();
      world.run(30_000);
      expect(log).to.deep.equal([expected]);
    }
  });

  it("is reset when the process of the other side is killed", () => {
    const world = createSimulation({ seed: 1 });
    const ends: StreamEnd[] = [];
    const b = world.addHost(() => ({ stream() {} }));
    const a = world.addHost(() => ({}));
    a.open(b.address, "test").onEnd = (end) => void ends.push(end);
    world.run(10);
    b.kill();
    world.run(10);
    expect(ends).to.deep.equal(["reset"]);
  });
});
