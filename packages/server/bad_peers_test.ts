import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { connect, type Socket } from "node:net";
import { randomBytes } from "node:crypto";
import { GossipNode } from "@dnd/gossip";
import { encodeFrame, encodePacket, type FrameBody, type Init } from "@dnd/protocol";
import { until } from "./_test_utils.ts";
import type { DndNode } from "./dnd_node.ts";
import type { NodeLogger } from "./node_logger.ts";
import { PeerLink } from "./peer/peer_link.ts";
import { startNode } from "./start_node.ts";

/** Short, so that a row does not take ten seconds. */
const TIMEOUT_MS = 300;

interface Line {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A peer as nobody wants it. */
interface BadPeer {
  readonly name: string;
  /** Sends what it sends. */
  attack(this: void, target: Target): void | Promise<void>;
  /** The metric that counts it. */
  readonly metric: string;
  /** The line in the log, and the field in it that names who it was. */
  readonly log: string;
  readonly names: "from" | "peer";
}

/** The node that is attacked, and what an attacker has. */
interface Target {
  readonly port: number;
  /** A connection; it is closed after the row. */
  readonly dial: () => Socket;
  readonly datagram: (bytes: Uint8Array) => Promise<void>;
}

let ids = 0;

/** A hello that is right, of a node that nobody knows. */
function hello(purpose: string, more: Partial<Extract<Init<FrameBody>, { type: "hello" }>> = {}) {
  ids += 1;
  const id = ids.toString(16).padStart(32, "b");
  const facts = { id, cluster: "dnd", bootId: "b0".repeat(8), generation: 1, algorithm: 1 };
  const range = { protocolMin: 1, protocolMax: 1, address: "127.0.0.1:9" };
  return encodeFrame({ type: "hello", purpose, ...facts, ...range, partitionLevel: 2, ...more });
}

const halfFrame = Buffer.from([0, 0, 1, 0, 1, 2, 3]);
const hugeLength = Buffer.from([0x7f, 0xff, 0xff, 0xff, 1, 2, 3]);
const noFrame = Buffer.concat([Buffer.from([0, 0, 0, 40]), Buffer.alloc(40, 0xff)]);

/** So few that a row is over the bound in a moment, and so many that the members are far below it. */
const PACKETS_PER_SECOND = 400;

function packet(more: { cluster?: string } = {}): Uint8Array {
  const senderId = "ee".repeat(16);
  const envelope = { senderId, cluster: "dnd", protocolVersion: 1, generation: 9, wall: 1 };
  const message = { type: "ping", sequence: 1 } as const;
  return encodePacket(
    { ...envelope, message, ...more },
    { bootId: "bb".repeat(8), counter: (ids += 1) },
  );
}

const BAD_PEERS: readonly BadPeer[] = [
  {
    name: "sends nonsense instead of a hello",
    attack({ dial }) {
      dial().write("GET / HTTP/1.1\r\n\r\n");
      dial().write(noFrame);
      dial().write(encodeFrame({ type: "sent", sequence: 1, gone: [] }));
    },
    metric: "dnd_gossip_streams_rejected_malformed",
    log: "stream turned away: malformed",
    names: "from",
  },
  {
    name: "sends nonsense after a hello",
    attack: ({ dial }) => void dial().write(Buffer.concat([hello("exchange"), noFrame])),
    metric: "dnd_gossip_streams_cut_malformed",
    log: "stream cut: malformed",
    names: "peer",
  },
  {
    name: "sends frames in an exchange that have no place there",
    attack: ({ dial }) =>
      void dial().write(
        Buffer.concat([hello("exchange"), encodeFrame({ type: "digestReply", level: 0 })]),
      ),
    metric: "dnd_replication_misbehaved",
    log: "a peer misbehaved and was cut off",
    names: "peer",
  },
  {
    name: "confirms on a push stream what nobody pushed",
    attack: ({ dial }) =>
      void dial().write(
        Buffer.concat([hello("push"), encodeFrame({ type: "sent", sequence: 1, gone: [] })]),
      ),
    metric: "dnd_replication_misbehaved",
    log: "a peer misbehaved and was cut off",
    names: "peer",
  },
  {
    name: "pushes entries with a stamp that is none",
    attack: ({ dial }) => {
      const version = { time: Number.MAX_SAFE_INTEGER, node: "0f".repeat(16) };
      const entries = [{ key: "k", value: new Uint8Array(3), version, hash: new Uint8Array(8) }];
      dial().write(Buffer.concat([hello("push"), encodeFrame({ type: "push", entries })]));
    },
    metric: "dnd_replication_misbehaved",
    log: "a peer misbehaved and was cut off",
    names: "peer",
  },
  {
    name: "floods with connections that say nothing",
    async attack({ dial }) {
      for (let n = 0; n < 120; n += 1) dial();
      await Promise.resolve();
    },
    metric: "dnd_gossip_streams_rejected_too_many",
    log: "stream turned away: too-many",
    names: "from",
  },
  {
    name: "floods with streams",
    attack({ dial }) {
      const greeting = hello("push");
      for (let n = 0; n < 60; n += 1) dial().write(greeting);
    },
    metric: "dnd_gossip_streams_rejected_too_many",
    log: "stream turned away: too-many",
    names: "from",
  },
  {
    name: "floods with questions and reads no answer",
    attack({ dial }) {
      const socket = dial().pause();
      socket.write(hello("exchange"));
      socket.write(encodeFrame({ type: "memberPage", members: [], last: true }));
      socket.write(encodeFrame({ type: "exchangeOpen", reason: "periodic", clock: 1 }));
      const indexes = Array.from({ length: 64 }, (_, i) => i % 32);
      const question = encodeFrame({ type: "digestRequest", level: 1, indexes });
      for (let n = 0; n < 4000; n += 1) socket.write(question);
    },
    metric: "dnd_replication_misbehaved",
    log: "a peer misbehaved and was cut off",
    names: "peer",
  },
  {
    name: "stalls before its hello is complete",
    attack: ({ dial }) => void dial().write(halfFrame),
    metric: "dnd_gossip_streams_rejected_timeout",
    log: "stream turned away: timeout",
    names: "from",
  },
  {
    name: "stalls in the middle of a frame",
    attack: ({ dial }) => void dial().write(Buffer.concat([hello("push"), halfFrame])),
    metric: "dnd_gossip_streams_cut_timeout",
    log: "stream cut: timeout",
    names: "peer",
  },
  {
    name: "claims a huge length before its hello",
    attack: ({ dial }) => void dial().write(hugeLength),
    metric: "dnd_gossip_streams_rejected_too_large",
    log: "stream turned away: too-large",
    names: "from",
  },
  {
    name: "claims a huge length",
    attack: ({ dial }) => void dial().write(Buffer.concat([hello("exchange"), hugeLength])),
    metric: "dnd_gossip_streams_cut_too_large",
    log: "stream cut: too-large",
    names: "peer",
  },
  {
    name: "speaks another version",
    attack: ({ dial }) =>
      void dial().write(hello("exchange", { protocolMin: 90, protocolMax: 91 })),
    metric: "dnd_gossip_streams_rejected_wrong_version",
    log: "stream turned away: wrong-version",
    names: "from",
  },
  {
    name: "is of another cluster",
    attack: ({ dial }) => void dial().write(hello("exchange", { cluster: "staging" })),
    metric: "dnd_gossip_streams_rejected_wrong_cluster",
    log: "stream turned away: wrong-cluster",
    names: "from",
  },
  {
    name: "sends datagrams of nonsense, some cut short, many of them",
    async attack({ datagram }) {
      for (let n = 0; n < 3000; n += 1) {
        await datagram(n % 2 === 0 ? randomBytes(1 + (n % 1400)) : packet().subarray(0, 40));
      }
    },
    metric: "dnd_gossip_packets_dropped_malformed",
    log: "packet dropped: malformed",
    names: "from",
  },
  {
    name: "floods with datagrams that are valid",
    async attack({ datagram }) {
      for (let n = 0; n < 3000; n += 1) await datagram(packet());
    },
    metric: "dnd_gossip_packets_dropped_flood",
    log: "packet dropped: flood",
    names: "from",
  },
  {
    name: "sends datagrams of another version",
    attack: ({ datagram }) => datagram(Buffer.from(packet()).fill(9, 1, 2)),
    metric: "dnd_gossip_packets_dropped_wrong_version",
    log: "packet dropped: wrong-version",
    names: "from",
  },
  {
    name: "sends datagrams of another cluster",
    attack: ({ datagram }) => datagram(packet({ cluster: "staging" })),
    metric: "dnd_gossip_packets_dropped_wrong_cluster",
    log: "packet dropped: wrong-cluster",
    names: "from",
  },
];

describe("a peer that", function () {
  this.timeout(60_000);

  const lines: Line[] = [];
  const note = (fields: object, message: string): void => {
    lines.push({ fields: fields as Line["fields"], message });
  };
  const quiet = (): void => undefined;
  const logger: NodeLogger = { trace: quiet, debug: quiet, info: note, warn: note, error: note };
  const nodes: DndNode[] = [];
  const sockets: Socket[] = [];
  const udp = createSocket("udp4");
  let writes = 0;

  const start = async (seeds: readonly string[]): Promise<DndNode> => {
    const node = await startNode(
      { http: {}, port: 0, seeds, logger: seeds.length === 0 ? logger : undefined },
      {
        link: async (parts) => {
          const { data, options } = parts;
          const gossip = new GossipNode({
            ...{ id: data.id, generation: data.generation, seeds: options.seeds },
            ...{ logger: parts.logger, volatile: true, thread: "main", profile: "local" },
            ...{ helloTimeoutMs: TIMEOUT_MS, streamTimeoutMs: TIMEOUT_MS },
            packetsPerSecond: PACKETS_PER_SECOND,
          });
          await gossip.start();
          return new PeerLink(parts, gossip, false);
        },
      },
    );
    nodes.push(node);
    return node;
  };

  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${nodes[0]?.httpPort}/metrics`)).text();
    const found = new RegExp(`^${name} (\\S+)$`, "m").exec(text);
    return found === null ? 0 : Number(found[1]);
  };

  /** Both ways: what one writes the other shows. */
  const isServed = async (): Promise<void> => {
    for (const [from, to] of [
      [nodes[0], nodes[1]],
      [nodes[1], nodes[0]],
    ]) {
      const key = `write ${(writes += 1)}`;
      await from?.put(key, "served");
      await until(`${key} is there`, async () => (await to?.get(key)) !== undefined, 10_000);
    }
  };

  before(async () => {
    const first = await start([]);
    await start([first.address]);
    await until("the two have met", () => nodes.every((node) => node.members().length === 2));
    for (const node of nodes) await node.ready({ timeoutMs: 20_000 });
    await isServed();
  });

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  after(async () => {
    udp.close();
    for (const node of nodes) await node.close();
  });

  for (const { name, attack, metric: counter, log, names } of BAD_PEERS) {
    it(`${name} is dropped, counted and named, and others are served`, async () => {
      const port = Number(nodes[0]?.address.split(":").at(-1));
      const before = await metric(counter);
      const from = lines.length;
      let open = 0;
      let cut = 0;
      const sent: Uint8Array[] = [];
      const send = (bytes: Uint8Array): Promise<void> =>
        new Promise((resolve) => udp.send(bytes, port, "127.0.0.1", () => resolve()));
      await attack({
        port,
        dial() {
          const socket = connect(port, "127.0.0.1");
          open += 1;
          socket.on("error", quiet).once("close", () => (cut += 1));
          socket.resume();
          sockets.push(socket);
          return socket;
        },
        datagram: (bytes) => {
          sent.push(bytes);
          return send(bytes);
        },
      });
      await isServed();
      let looks = 0;
      await until(`${counter} rises`, async () => {
        if ((await metric(counter)) > before) return true;
        // A datagram may be lost where the machine is busy; a flood is none of those.
        looks += 1;
        if (sent.length <= 4 && looks % 25 === 0) for (const bytes of sent) await send(bytes);
        return false;
      });
      for (const socket of sockets) socket.resume(); // who does not read does not see the end either
      if (open > 0) await until("it is cut off", () => cut > 0);
      const found = lines.filter(({ message }) => message === log);
      assert.ok(found.length > 0, `no line ${log}`);
      for (const { fields } of found) assert.match(String(fields[names]), /^(127\.0\.0\.1:|b+)/);
      assert.ok(lines.length - from < 20, "the log is not flooded");
      await isServed();
    });
  }
});
