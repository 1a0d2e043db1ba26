// What an update between two processes costs, beside a bare UDP socket, by turns in one run.
//
//     npx nx run gossip:bench
//
// Each way is a process that echoes, and one side here that sends and waits: the round trip is twice
// main thread -> engine -> socket -> engine -> main thread. Then a second at 5,000 updates a second: how
// many arrive, and what CPU time both processes spend on one.
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { GossipNode } from "./gossip_node.ts";

const rounds = 7;
const pingsARound = 200;
const updateBytes = 1_000;
const burst = 5; // a millisecond

interface Way {
  name: string;
  /** Sends one update to the other process. */
  send: (bytes: Uint8Array) => void;
  /** Called for each that comes back. */
  onAnswer: (listener: () => void) => void;
  child: ChildProcess;
  stop: () => Promise<void>;
  times: number[];
}

function spawn(...args: string[]): ChildProcess {
  return fork(fileURLToPath(import.meta.url), args, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}

async function ask<Answer>(child: ChildProcess, question: string): Promise<Answer> {
  child.send(question);
  const [answer] = (await once(child, "message")) as [Answer];
  return answer;
}

async function bareUdp(): Promise<Way> {
  const child = spawn("udp");
  const [port] = (await once(child, "message")) as [number];
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    name: "bare node:dgram",
    send: (bytes) => socket.send(bytes, port, "127.0.0.1"),
    onAnswer: (listener) => void socket.on("message", listener),
    child,
    stop: async () => void socket.close(),
    times: [],
  };
}

async function gossip(name: string, thread: "worker" | "main", key?: Buffer): Promise<Way> {
  const node = new GossipNode({ thread, keys: key === undefined ? [] : [key] });
  await node.start();
  const met = new Promise<string>((resolve) => {
    node.onEvent(({ type, member }) => {
      if (type === "alive" && !member.self) resolve(member.id);
    });
  });
  const child = spawn("gossip", thread, node.address, key?.toString("hex") ?? "");
  const id = await met;
  return {
    name,
    send: (bytes) => void node.send([id], bytes),
    onAnswer: (listener) => void node.onUpdate(listener),
    child,
    stop: () => node.stop(),
    times: [],
  };
}

/** The other process: answers every update until it is told to count only. */
async function echo(kind: string, thread: string, seed: string, key: string): Promise<void> {
  let got = 0;
  let quiet = false;
  if (kind === "udp") {
    const socket = createSocket("udp4").bind(0, "127.0.0.1");
    await once(socket, "listening");
    socket.on("message", (bytes, from) => {
      got += 1;
      if (!quiet) socket.send(bytes, from.port, from.address);
    });
    process.send?.(socket.address().port);
  } else {
    const node = new GossipNode({
      thread: thread === "main" ? "main" : "worker",
      seeds: [seed],
      keys: key === "" ? [] : [Buffer.from(key, "hex")],
    });
    node.onUpdate((from, bytes) => {
      got += 1;
      if (!quiet) node.send([from], bytes.slice());
    });
    await node.start();
  }
  process.on("message", (question) => {
    if (question === "end") process.exit(0);
    quiet = true;
    process.send?.({ got, cpu: process.cpuUsage() });
  });
}

async function measureRoundTrips(ways: readonly Way[]): Promise<void> {
  const bytes = new Uint8Array(updateBytes);
  let answered: () => void = () => undefined;
  for (const way of ways) way.onAnswer(() => answered());
  for (let round = 0; round <= rounds; round++) {
    for (const way of ways) {
      for (let n = 0; n < pingsARound; n++) {
        const start = performance.now();
        const answer = new Promise<boolean>((resolve) => {
          const timer = setTimeout(() => resolve(false), 200); // lost: not counted
          answered = () => {
            clearTimeout(timer);
            resolve(true);
          };
        });
        way.send(bytes);
        if ((await answer) && round > 0) way.times.push(performance.now() - start);
      }
    }
  }
}

/** One second of updates one way. */
async function measureStream(way: Way): Promise<{ share: number; cpuMicros: number }> {
  interface Count {
    got: number;
    cpu: NodeJS.CpuUsage;
  }
  const before = await ask<Count>(way.child, "count");
  const cpu = process.cpuUsage();
  const bytes = new Uint8Array(updateBytes);
  let sent = 0;
  const end = performance.now() + 1_000;
  while (performance.now() < end) {
    for (let n = 0; n < burst; n++, sent++) way.send(bytes);
    await new Promise<void>((resolve) => void setTimeout(resolve, 1));
  }
  await new Promise<void>((resolve) => void setTimeout(resolve, 300));
  const own = process.cpuUsage(cpu);
  const after = await ask<Count>(way.child, "count");
  const others = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
  const arrived = after.got - before.got;
  return {
    share: arrived / sent,
    cpuMicros: (own.user + own.system + others) / Math.max(1, arrived),
  };
}

function quantile(times: readonly number[], share: number): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? Number.NaN;
}

const [kind, thread = "", seed = "", key = ""] = process.argv.slice(2);
if (kind !== undefined) {
  await echo(kind, thread, seed, key);
} else {
  const ways = [
    await bareUdp(),
    await gossip("GossipNode, main thread", "main"),
    await gossip("GossipNode, worker", "worker"),
    await gossip("GossipNode, worker, sealed", "worker", randomBytes(32)),
  ];
  await measureRoundTrips(ways);
  const base = quantile(ways[0]?.times ?? [], 0.5);
  console.log(
    `| update of ${updateBytes} bytes | round trip p50 | p99 | of bare | arrived | CPU of both |`,
  );
  console.log("|---|---|---|---|---|---|");
  for (const way of ways) {
    const { share, cpuMicros } = await measureStream(way);
    const [p50, p99] = [quantile(way.times, 0.5), quantile(way.times, 0.99)];
    const columns = [
      way.name,
      `${p50.toFixed(2)} ms`,
      `${p99.toFixed(2)} ms`,
      `${(p50 / base).toFixed(1)}`,
      `${(share * 100).toFixed(1)} %`,
      `${cpuMicros.toFixed(0)} µs`,
    ];
    console.log(`| ${columns.join(" | ")} |`);
    way.child.send("end");
    await way.stop();
  }
}
