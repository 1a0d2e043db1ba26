import { expect } from "chai";
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { encodePacket } from "@dnd/protocol";
import { Keyring, SealedPacketCodec } from "@dnd/protocol/sealing";
import type { PacketCounters } from "./_packet_gate.ts";
import { until } from "./_test_utils.ts";
import { GossipNode } from "./gossip_node.ts";
import type { GossipLogger, GossipNodeOptions } from "./gossip_options.ts";

describe("Sealing of a running GossipNode", () => {
  const nodes: GossipNode[] = [];
  const sockets: Socket[] = [];

  async function startNode(options: GossipNodeOptions = {}): Promise<GossipNode> {
    const node = new GossipNode({ profile: "local", thread: "main", ...options });
    nodes.push(node);
    await node.start();
    return node;
  }

  /** Nodes that know each other. */
  async function startCluster(
    count: number,
    options: GossipNodeOptions = {},
  ): Promise<GossipNode[]> {
    const first = await startNode(options);
    const rest = Array.from({ length: count - 1 }, () =>
      startNode({ ...options, seeds: [first.address] }),
    );
    const cluster = [first, ...(await Promise.all(rest))];
    await until(() => cluster.every((node) => alive(node) === count));
    return cluster;
  }

  const alive = (node: GossipNode): number =>
    node.members().filter(({ state }) => state === "alive").length;

  /** Sends numbered updates from the first to the others all the time; says how many were lost. */
  function traffic(cluster: readonly GossipNode[]): { bad: string[]; end: () => Promise<number> } {
    const [first, ...others] = cluster;
    const got = others.map(() => new Set<number>());
    const bad: string[] = [];
    for (const node of cluster) {
      node.onEvent(({ type, member }) => {
        if (type === "suspect" || type === "dead") bad.push(`${type} ${member.id}`);
      });
    }
    others.forEach((node, n) =>
      node.onUpdate((_from, bytes) => void got[n]?.add(Buffer.from(bytes).readUInt32BE())),
    );
    let sent = 0;
    const timer = setInterval(() => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(sent++);
      first?.send(
        others.map(({ id }) => id),
        bytes,
      );
    }, 2);
    return {
      bad,
      end: async () => {
        clearInterval(timer);
        await until(() => got.every(({ size }) => size === sent), { ms: 1_000 }).catch(
          () => undefined,
        );
        return got.reduce((lost, { size }) => lost + sent - size, 0);
      },
    };
  }

  /** A socket of an attacker, which counts what comes back. */
  async function attacker(): Promise<{ socket: Socket; answers: Buffer[]; port: number }> {
    const socket = createSocket("udp4").bind(0, "127.0.0.1");
    sockets.push(socket);
    await once(socket, "listening");
    const answers: Buffer[] = [];
    socket.on("message", (bytes) => answers.push(bytes));
    return { socket, answers, port: socket.address().port };
  }

  /** A logger that counts its lines by their text. */
  function recorder(): { logger: GossipLogger; lines: Map<string, number> } {
    const lines = new Map<string, number>();
    const write = (_fields: object, message: string): void => {
      lines.set(message, (lines.get(message) ?? 0) + 1);
    };
    return { logger: { debug: write, info: write, warn: write, error: write }, lines };
  }

  const packetsOf = (cluster: readonly GossipNode[]): Promise<PacketCounters[]> =>
    Promise.all(cluster.map(async (node) => (await node.counters()).packets));

  async function droppedBy(node: GossipNode): Promise<Record<string, number>> {
    return (await node.counters()).packets.dropped;
  }

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.close();
    await Promise.all(nodes.splice(0).map((node) => node.stop()));
  });

  it("lets nobody in with another key, without one, or of another cluster; each is counted", async () => {
    const key = randomBytes(32);
    const { logger, lines } = recorder();
    const a = await startNode({ keys: [key], logger });
    const seeds = [a.address];
    await startNode({ keys: [key], seeds });
    await until(() => alive(a) === 2);
    const strangers = await Promise.all([
      startNode({ seeds, keys: [randomBytes(32)] }),
      startNode({ seeds }),
      startNode({ seeds, keys: [key], cluster: "other" }),
    ]);
    const reasons = ["wrong-key", "unsealed", "wrong-cluster"];
    await until(async () => {
      const dropped = await droppedBy(a);
      return reasons.every((reason) => reason in dropped);
    });
    const said = (reason: string): boolean => lines.has(`packet dropped: ${reason}`);
    await until(() => reasons.every(said), { what: "each has a line of its own in the log" });
    expect(a.members()).to.have.length(2);
    for (const stranger of strangers) expect(stranger.members()).to.have.length(1);
  });

  it("rotates keys by accept, use, retire, without losing a packet", async () => {
    const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
    const timing = { probeIntervalMs: 75 };
    const cluster = await startCluster(3, { keys: [oldKey], timing });
    const [a, b] = cluster;
    if (a === undefined || b === undefined) throw new Error("no nodes");
    b.onStream("idle", async (stream) => {
      await stream.next();
    });
    const stream = await a.openStream(b.id, "idle");
    const { bad, end } = traffic(cluster);
    const steps = [
      (node: GossipNode) => node.acceptKey(newKey),
      (node: GossipNode) => node.useKey(newKey),
      (node: GossipNode) => node.retireKey(oldKey),
    ];
    for (const step of steps) {
      for (const node of cluster) {
        await step(node);
        // Every step stands for a while under probes.
        const before = (await node.counters()).swim.acksReceived;
        await until(async () => (await node.counters()).swim.acksReceived > before + 1);
      }
    }
    expect(await end()).to.equal(0);
    expect(bad).to.deep.equal([]);
    for (const node of cluster) {
      expect(node.keyIds).to.have.length(1);
      expect(await droppedBy(node)).to.deep.equal({});
    }
    const closed = await stream.closed;
    expect(closed, "the stream of the retired key was closed").to.not.equal(undefined);
    const again = await a.openStream(b.id, "idle");
    expect(again.keyId).to.equal(a.keyIds[0]);
    again.destroy();
    const last: unknown = await a.retireKey(newKey).catch((error: unknown) => error);
    expect(last).to.be.instanceOf(RangeError);
  });

  it("turns sealing on in a running cluster by way of permissive, without losing a packet", async () => {
    const key = randomBytes(32);
    const cluster = await startCluster(3);
    const { bad, end } = traffic(cluster);
    const steps = [
      (node: GossipNode) => node.setKeys([key], { sealing: "permissive" }),
      (node: GossipNode) => node.setKeys([key], { sealing: "required" }),
    ];
    for (const step of steps) {
      for (const node of cluster) await step(node);
      // All that is sent is sealed before anybody requires it.
      let before = await packetsOf(cluster);
      await until(async () => {
        const now = await packetsOf(cluster);
        const since = now.map(({ taken, takenSealed }, i) => ({
          taken: taken - (before[i]?.taken ?? 0),
          takenSealed: takenSealed - (before[i]?.takenSealed ?? 0),
        }));
        if (!since.every(({ taken }) => taken >= 3)) return false;
        before = now;
        return since.every(({ taken, takenSealed }) => taken === takenSealed);
      });
    }
    expect(await end()).to.equal(0);
    expect(bad).to.deep.equal([]);
    const plain = await startNode({ seeds: [cluster[0]?.address ?? ""] });
    const sealed = await startNode({ seeds: [cluster[0]?.address ?? ""], keys: [key] });
    await until(() => alive(sealed) === 4);
    expect(alive(plain)).to.equal(1);
  });

  it("answers nothing to forged, damaged, replayed, foreign and senseless packets (RULES 13)", async () => {
    const key = randomBytes(32);
    const { logger, lines } = recorder();
    const a = await startNode({ keys: [key], logger });
    const b = await startNode({ keys: [key], seeds: [a.address] });
    await until(() => alive(a) === 2 && alive(b) === 2);
    const { socket, answers, port } = await attacker();
    // What an attacker on the path can have: packets of a member (here to a seed that is the attacker).
    await b.join([`127.0.0.1:${port}`]);
    await until(() => answers.length > 0);
    const recorded = answers.splice(0);
    // The recorded ping goes to whoever is there: it is authentic and answered once, never twice.
    socket.send(recorded[0] ?? Buffer.alloc(0), a.port, "127.0.0.1");
    await until(() => answers.length > 0, { ms: 500 }).catch(() => undefined);
    const before = (await a.counters()).packets;
    const sender = { id: "ee".repeat(16), bootId: "bb".repeat(8), cluster: "dnd" };
    const envelope = {
      senderId: sender.id,
      cluster: "dnd",
      protocolVersion: 1,
      generation: 9,
      wall: 1,
    };
    const ping = { ...envelope, message: { type: "ping", sequence: 1 } } as const;
    const forged = new SealedPacketCodec(sender, { keyring: new Keyring([randomBytes(32)]) });
    const attacks: (() => Buffer | Uint8Array)[] = [
      () => randomBytes(200),
      () => randomBytes(1_352).fill(0xdd, 0, 1).fill(1, 1, 2),
      () => encodePacket(ping, { bootId: sender.bootId, counter: 1 }),
      () => encodePacket({ ...ping, cluster: "other" }, { bootId: sender.bootId, counter: 1 }),
      () => forged.encode(ping),
      () => Buffer.from(recorded[0] ?? []),
      () => Buffer.from(recorded[0] ?? []).subarray(0, 60 + Math.floor(Math.random() * 60)),
      () => flipBit(recorded[0] ?? Buffer.alloc(1)),
      () => Buffer.from(recorded[0] ?? []).fill(9, 1, 2),
      () => Buffer.alloc(0),
    ];
    answers.length = 0;
    const rounds = process.env["DND_FULL"] === "1" ? 20_000 : 200;
    let sent = 0;
    const counted = async (): Promise<boolean> =>
      Object.values(await droppedBy(a)).reduce((x, y) => x + y, 0) >= sent * 0.98;
    for (let round = 0; round < rounds; round++) {
      for (const attack of attacks) {
        await new Promise<void>((resolve) =>
          socket.send(attack(), a.port, "127.0.0.1", () => resolve()),
        );
        sent += 1;
      }
      // Not faster than it can count, so that the kernel drops few of them before us.
      if (round % 20 === 19) await until(counted, { what: "all are dropped and counted" });
    }
    const dropped = await droppedBy(a);
    const late = answers.filter((bytes) => bytes.length > 0);
    // The seed that the member was given is called again now and then: its own pings, no answers.
    expect(late.filter((bytes) => senderOf(bytes) === a.id)).to.have.length(0);
    const reasons = [
      "malformed",
      "unsealed",
      "wrong-cluster",
      "wrong-key",
      "replay",
      "bad-tag",
      "wrong-version",
    ];
    expect(dropped).to.include.keys(reasons);
    for (const reason of reasons) {
      // A line of its own for each, and not one for each packet.
      expect(lines.get(`packet dropped: ${reason}`), reason).to.be.within(1, 100);
    }
    expect(before.taken).to.be.greaterThan(0);
    expect(alive(a)).to.equal(2);
    expect(a.members()).to.have.length(2);
  });

  it("answers nothing to senseless packets without keys either", async () => {
    const [a] = await startCluster(2);
    const { socket, answers } = await attacker();
    for (let n = 0; n < 500; n++) {
      const bytes = randomBytes(1 + (n % 1_400));
      if (n % 2 === 0) bytes[0] = 0xdd;
      socket.send(bytes, a?.port ?? 0, "127.0.0.1");
    }
    await until(async () => {
      const dropped = a === undefined ? {} : await droppedBy(a);
      return Object.values(dropped).reduce((x, y) => x + y, 0) >= 490;
    });
    expect(answers).to.have.length(0);
    expect(a?.members()).to.have.length(2);
  });
});

function flipBit(packet: Buffer): Buffer {
  const bytes = Buffer.from(packet);
  const at = 47 + Math.floor(Math.random() * (bytes.length - 47));
  bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(Math.random() * 8));
  return bytes;
}

/** The sender's id in a packet's header. */
function senderOf(packet: Buffer): string {
  return packet.toString("hex", 11, 27);
}
