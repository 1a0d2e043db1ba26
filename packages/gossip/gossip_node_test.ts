import { expect } from "chai";
import { createSocket } from "node:dgram";
import { createConnection, createServer } from "node:net";
import { once } from "node:events";
import { until } from "./_test_utils.ts";
import { BindError } from "./bind_error.ts";
import type { GossipEvent } from "./gossip_events.ts";
import { GossipNode } from "./gossip_node.ts";
import { decodeMetadata, type GossipNodeOptions } from "./gossip_options.ts";
import { MembershipError } from "./membership_error.ts";
import type { PeerStreamError } from "./peer_stream_error.ts";

describe("GossipNode", () => {
  const nodes: GossipNode[] = [];

  async function startNode(options: GossipNodeOptions = {}): Promise<GossipNode> {
    const node = new GossipNode({ profile: "local", thread: "main", ...options });
    nodes.push(node);
    await node.start();
    return node;
  }

  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((node) => node.stop()));
  });

  const knows = (node: GossipNode, other: GossipNode, state = "alive"): boolean =>
    node.member(other.id)?.state === state;

  for (const thread of ["worker", "main"] as const) {
    describe(`in the ${thread} thread`, () => {
      // What does not differ by thread runs once, where there is more to go wrong.
      const onlyWorker = (title: string, test: () => Promise<void>): void => {
        if (thread === "worker") it(title, test);
      };

      it("finds others through a seed, shows them, and ends by stopping or leaving", async () => {
        const a = await startNode({ thread, name: "a", metadata: { role: "web" } });
        const events = a.events();
        const b = await startNode({ thread, name: "b", seeds: [a.address], metadata: "text" });
        const c = await startNode({ thread, name: "c", seeds: [`localhost:${b.port}`] });
        await until(() => [a, b, c].every((n) => n.members().length === 3));
        expect(decodeMetadata(b.member(a.id)?.metadata ?? new Uint8Array())).to.deep.equal({
          role: "web",
        });
        expect(
          b
            .members()
            .filter(({ self }) => self)
            .map(({ name }) => name),
        ).to.deep.equal(["b"]);
        await until(() => (b.member(a.id)?.rttMs ?? 0) > 0, { what: "a round trip is measured" });
        await b.stop();
        await until(() => knows(a, b, "stopped") && knows(c, b, "stopped"));
        await c.leave();
        await until(() => knows(a, c, "left"));
        await a.stop();
        const seen: string[] = [];
        for await (const { type, member } of events)
          if (!member.self) seen.push(`${member.name} ${type}`);
        expect(seen).to.include.members(["b alive", "c alive", "b stopped", "c left"]);
        expect(seen).to.not.include("b suspect");
      });

      it("carries opaque updates to those named, and broadcasts", async () => {
        const a = await startNode({ thread });
        const [b, c] = await Promise.all(
          [1, 2].map(() => startNode({ thread, seeds: [a.address] })),
        );
        if (b === undefined || c === undefined) throw new Error("no nodes");
        await until(() => [a, b, c].every((n) => n.members().length === 3));
        const got: string[] = [];
        for (const node of [b, c]) {
          node.onUpdate((from, bytes) => {
            got.push(`${node === b ? "b" : "c"} ${from === a.id} ${Buffer.from(bytes).toString()}`);
          });
        }
        expect(a.send([b.id], Buffer.from("one"))).to.equal(true);
        await until(() => got.length === 1);
        expect(got).to.deep.equal(["b true one"]);
        const large = new Uint8Array(a.maxUpdateBytes).fill(65);
        a.send([b.id, c.id], large);
        await until(() => got.length === 3, { what: "the largest update arrives" });
        expect(() => a.send([b.id], new Uint8Array(a.maxUpdateBytes + 1))).to.throw(RangeError);
        a.broadcast(Buffer.from("all"));
        await until(() => got.includes("b true all") && got.includes("c true all"));
      });

      onlyWorker("carries summaries, metadata and flags as they change", async () => {
        const a = await startNode({ thread });
        const b = await startNode({ thread, seeds: [a.address] });
        await until(() => knows(a, b) && knows(b, a));
        let counter = 0;
        a.onSummary(({ from, summary, wall }) => {
          if (from === b.id && Math.abs(wall - Date.now()) < 5_000) counter = summary.counter;
        });
        b.setSummary({ counter: 41, algorithm: 1 });
        b.setSummary({ counter: 42 });
        await until(() => counter === 42);
        expect(() => b.setSummary({ counter: -1 })).to.throw(RangeError);
        await b.setFlags({ ready: true });
        await b.setMetadata("new");
        await until(() => a.member(b.id)?.ready === true);
        await until(() => Buffer.from(a.member(b.id)?.metadata ?? []).toString() === "new");
        expect(() => new GossipNode({ metadata: new Uint8Array(513) })).to.throw(RangeError);
      });

      it("opens streams to members and serves them by purpose", async () => {
        const a = await startNode({ thread });
        const b = await startNode({ thread, seeds: [a.address] });
        await until(() => knows(a, b) && knows(b, a));
        b.onStream("echo", async (stream) => {
          for await (const frame of stream.frames) stream.send(frame);
        });
        const stream = await a.openStream(b.id, "echo");
        expect(stream.peer).to.include({ id: b.id, bootId: b.bootId, address: b.address });
        stream.send({ body: { type: "sent", sequence: 9 } });
        expect((await stream.next())?.body).to.include({ sequence: 9 });
        await stream.close();
        const failures = [
          a.openStream("77".repeat(16), "echo"),
          a.openStream(b.id, "unknown"),
          a.openStream("127.0.0.1:1", "echo"),
        ].map((opening) =>
          opening.then(
            () => undefined,
            (error: unknown) => error,
          ),
        );
        const codes = (await Promise.all(failures)).map((error) => (error as PeerStreamError).code);
        expect(codes).to.deep.equal(["unknown-member", "refused", "connection-refused"]);
        expect((await b.counters()).streams.rejected).to.deep.equal({ "unknown-purpose": 1 });
        expect(() => b.onStream("members", () => undefined)).to.throw(TypeError);
      });

      onlyWorker("exchanges whole member tables over a stream", async () => {
        const a = await startNode({ thread });
        const b = await startNode({ thread, seeds: [a.address] });
        await until(() => knows(a, b));
        const c = await startNode({ thread, cluster: "dnd" });
        await c.mergeMembers((await a.memberPages()).flat(), a.id);
        await until(() => c.members().length === 3);
        expect(await c.remembered()).to.have.length.greaterThan(0);
      });

      it("is told typed errors by the engine, and forgets only the dead (RULES 3)", async () => {
        const a = await startNode({ thread });
        const b = await startNode({ thread, seeds: [a.address] });
        await until(() => knows(a, b));
        const refused: unknown = await a.forget(b.id).catch((error: unknown) => error);
        expect(refused).to.be.instanceOf(MembershipError).with.property("code", "not-dead");
        await b.stop();
        await until(() => knows(a, b, "stopped"));
        await a.forget(b.id);
        await until(() => knows(a, b, "forgotten"));
      });

      it("takes one port for UDP and TCP, exclusively, and says when it is taken", async () => {
        const a = await startNode({ thread });
        expect(a.port).to.be.greaterThan(0);
        expect(a.receiveBufferBytes).to.be.greaterThan(0);
        const taken: unknown = await startNode({ thread, port: a.port }).catch((e: unknown) => e);
        expect(taken).to.be.instanceOf(BindError).with.property("code", "address-in-use");
        const udp = createSocket("udp4").bind(0, "127.0.0.1");
        await once(udp, "listening");
        const half: unknown = await startNode({ thread, port: udp.address().port }).catch(
          (e: unknown) => e,
        );
        expect(half).to.be.instanceOf(BindError).with.property("protocol", "UDP");
        // Nothing was left open on TCP.
        const tcp = createServer().listen(udp.address().port, "127.0.0.1");
        await once(tcp, "listening");
        tcp.close();
        udp.close();
      });
    });
  }

  it("speaks IPv6", async () => {
    const a = await startNode({ address: "::1" });
    expect(a.address).to.equal(`[::1]:${a.port}`);
    const b = await startNode({ address: "::1", seeds: [a.address] });
    await until(() => knows(a, b) && knows(b, a));
  });

  it("calls the members it remembers, without a seed", async () => {
    const a = await startNode();
    const b = await startNode({ seeds: [a.address] });
    await until(() => knows(b, a));
    const { id, generation } = b;
    const remembered = await b.remembered();
    await b.stop();
    const again = await startNode({ id, generation: generation + 1, remembered });
    await until(() => knows(a, again) && knows(again, a));
  });

  it("refuses what would let anybody in, and options that make no sense", async () => {
    expect(() => new GossipNode({ address: "0.0.0.0" })).to.throw(TypeError, "without keys");
    const bad: GossipNodeOptions[] = [
      { address: "localhost" },
      { port: 70_000 },
      { id: "x" },
      { cluster: "c".repeat(65) },
      { keys: [new Uint8Array(31)] },
      { seeds: ["a:b:c"] },
      { maxDatagramBytes: 100 },
      { generation: 0 },
    ];
    for (const options of bad) {
      expect(() => new GossipNode(options), JSON.stringify(options)).to.throw(Error, "Cannot");
    }
    const node = new GossipNode();
    expect(node.members()).to.deep.equal([]);
    await node.stop();
    const late: unknown = await node.start().catch((error: unknown) => error);
    expect(late).to.be.instanceOf(Error);
  });

  it("refuses arguments that are none, and goes on", async () => {
    const a = await startNode({ thread: "worker" });
    const b = await startNode({ thread: "worker", seeds: [a.address] });
    await until(() => knows(a, b));
    const got: string[] = [];
    b.onUpdate((_, bytes) => void got.push(Buffer.from(bytes).toString()));
    const bytes = Buffer.from("x");
    const many = Array.from({ length: 65_536 }, () => b.id);
    expect(() => a.send("abc" as never, bytes)).to.throw(TypeError, "ids");
    expect(() => a.send([b.id], "xyz" as never)).to.throw(TypeError, "Uint8Array");
    expect(() => a.broadcast(undefined as never)).to.throw(TypeError, "Uint8Array");
    expect(() => a.send(many, bytes)).to.throw(RangeError, "65535");
    expect(() => a.send(["abc"], new Uint8Array(9_999))).to.throw(RangeError, "9999 bytes");
    // What is no id is passed over, as an unknown one is.
    expect(a.send(["abc", b.id.slice(2), "", 7 as never, b.id], bytes)).to.equal(true);
    expect(a.send(["abc"], bytes)).to.equal(true);
    const calls: (() => Promise<unknown>)[] = [
      () => a.setMetadata(7 as never),
      () => a.setMetadata(undefined as never),
      () => a.setMetadata({ a: 1n }),
      () => a.setMetadata("x".repeat(513)),
      () => a.join("127.0.0.1:1" as never),
      () => a.join(["127.0.0.1:0"]),
      () => a.forget(b.id, { departed: "x" as never }),
      () => a.leave({ departed: NaN }),
      () => a.setKeys("x" as never),
      () => a.setKeys([null as never]),
    ];
    for (const call of calls) {
      const error: unknown = await call().catch((e: unknown) => e);
      expect(error, call.toString())
        .to.be.instanceOf(Error)
        .with.property("message")
        .match(/^Cannot /);
    }
    await until(() => got.length === 1);
    expect(got).to.deep.equal(["x"]);
    expect(knows(a, b) && knows(b, a)).to.equal(true);
  });

  it("outlives a logger that throws", async () => {
    const boom = (): never => {
      throw new Error("the disk of the log is full");
    };
    const logger = { debug: boom, info: boom, warn: boom, error: boom };
    const a = await startNode({ thread: "worker", logger });
    const socket = createConnection(a.port, "127.0.0.1").on("error", () => undefined);
    await once(socket.end("nonsense, which is logged"), "close");
    const b = await startNode({ thread: "worker", logger, seeds: [a.address] });
    await until(() => knows(a, b) && knows(b, a));
  });

  it("can be stopped while it starts, and twice", async () => {
    const node = new GossipNode({ thread: "worker" });
    const starting = node.start().catch(() => undefined);
    await Promise.all([node.stop(), node.stop()]);
    await starting;
    await node.stop();
  });

  it("tells a slow reader how many events it lost", async () => {
    const a = await startNode({ eventBuffer: 4 });
    const reader = a.events();
    for (let n = 0; n < 6; n++) {
      const b = await startNode({ seeds: [a.address] });
      await until(() => knows(a, b));
    }
    const first = (await reader.next()).value as GossipEvent;
    expect(first.type).to.equal("lost");
    expect(a.members()).to.have.length(7);
  });
});
