// A crowd of watchers, in three processes: a node, those who watch, and whoever calls runCrowd() and writes. One
// more watcher follows everything and stops reading. Tests and bench share it.
//
// What a watcher gets is checked event by event: the counters in the ids must be exactly those of the writes
// to its prefix. Where several watch the same prefix, the bytes of whoever is ahead are checked so and kept for a
// while, and each byte of the others is compared with them, which costs so little that the check keeps up with
// a gigabyte a second.
//
// The writer does not run away from the readers: where the slowest of them is too far behind, it waits. What it
// has reached is in the report.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** How a crowd is made. */
export interface CrowdOptions {
  /** All of them, the one that stops reading among them. */
  readonly watchers: number;
  /** Different prefixes that they watch: 1 = all watch the same. */
  readonly prefixes: number;
  readonly eventsPerSecond: number;
  readonly seconds: number;
  /**
   * Length of the values (default 40). The one that stops reading follows with values, the others
   * without: it is cut the sooner.
   */
  readonly valueBytes?: number;
  /** Keys that are written again and again (default 20,000), so that the map does not grow. */
  readonly keys?: number;
}

/** What a crowd has seen. */
export interface CrowdReport {
  readonly events: number;
  /** Events a second that were really written. */
  readonly eventRate: number;
  /** Events that reached a watcher that reads, a second. */
  readonly deliveryRate: number;
  /** From the write to its event, in milliseconds, of those that were read event by event. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  /**
   * What the node's process holds in bytes, after a collection of garbage: when the writes begin, and the
   * most that was seen since. Heap, and buffers outside of it.
   */
  readonly heldBefore: number;
  readonly heldMost: number;
  /** Its resident memory, which has room for garbage in it. */
  readonly rssBefore: number;
  readonly rssMost: number;
  /** The processor of the node and of the watchers, as parts of one core. */
  readonly cores: { readonly node: number; readonly watchers: number };
  /** Watchers that the node has cut; the one that stopped reading is the only one. */
  readonly cut: number;
  /** What was wrong with what the others got; empty: nothing was lost, repeated or changed. */
  readonly faults: readonly string[];
}

interface Use {
  readonly held: number;
  readonly rss: number;
  readonly cpuUs: number;
  readonly cut: number;
}

interface WatchOrder {
  readonly port: number;
  readonly watchers: number;
  readonly prefixes: number;
}

/** What the watching process is told at the end. */
interface Expectation {
  /** The counter of the first write. */
  readonly first: number;
  readonly events: number;
}

/** How far the slowest watchers are, in events of all prefixes. */
const askProgress = "progress";

interface WatchReport {
  readonly faults: readonly string[];
  readonly delivered: number;
  readonly latencies: readonly number[];
  readonly cpuUs: number;
}

const batchMs = 10;
/** Between two looks at how far the watchers are, and how many events the slowest may be behind. */
const progressMs = 50;
const maxBehind = 4_000;
/** Between two looks at the node's memory: each collects its garbage first, which takes its time. */
const lookMs = 1_500;

function prefixOf(group: number, prefixes: number): string {
  return prefixes === 1 ? "crowd/" : `crowd/${group}/`;
}

function operation(n: number, { prefixes, valueBytes = 40, keys = 20_000 }: CrowdOptions): object {
  const group = n % prefixes;
  const key = `${prefixOf(group, prefixes)}${Math.floor((n % keys) / prefixes)}`;
  return { op: "put", key, value: "x".repeat(valueBytes) };
}

/** Runs a crowd to its end. */
export async function runCrowd(options: CrowdOptions): Promise<CrowdReport> {
  const node = start("node");
  const crowd = start("watch");
  let stalled: Socket | undefined;
  try {
    const port = await answer<number>(node, "start");
    await warmUp(port, options);
    const order: WatchOrder = { ...options, port, watchers: options.watchers - 1 };
    await answer<true>(crowd, order);
    stalled = await stopReading(port);
    return await writeAndWatch(options, { node, crowd, port });
  } finally {
    stalled?.destroy();
    for (const child of [node, crowd]) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  }
}

async function writeAndWatch(
  options: CrowdOptions,
  { node, crowd, port }: { node: ChildProcess; crowd: ChildProcess; port: number },
): Promise<CrowdReport> {
  const { eventsPerSecond, seconds, watchers, prefixes } = options;
  const before = await answer<Use>(node, "use");
  const events = Math.ceil(eventsPerSecond * seconds);
  let rssMost = before.rss;
  let heldMost = before.held;
  let written = 0;
  const first = (await counterOf(port)) + 1;
  let looks = 0;
  let askedAt = 0;
  let seen = 0;
  const startedAt = performance.now();
  while (written < events) {
    const elapsed = performance.now() - startedAt;
    const due = Math.min(events, Math.ceil((elapsed * eventsPerSecond) / 1000));
    if (elapsed - askedAt > progressMs || written - seen > maxBehind) {
      askedAt = elapsed;
      seen = await answer<number>(crowd, askProgress);
    }
    const count = Math.min(500, due - written, maxBehind - (written - seen));
    if (count > 0) {
      const ops = Array.from({ length: count }, (_, n) => operation(written + n, options));
      await writeBatch(port, ops);
      written += count;
    }
    if (elapsed > looks * lookMs) {
      looks += 1;
      const { rss, held } = await answer<Use>(node, "use");
      rssMost = Math.max(rssMost, rss);
      heldMost = Math.max(heldMost, held);
    }
    await new Promise((resolve) => setTimeout(resolve, batchMs));
  }
  const elapsedMs = performance.now() - startedAt;
  const report = await answer<WatchReport>(crowd, { first, events } satisfies Expectation);
  const totalMs = performance.now() - startedAt;
  const after = await answer<Use>(node, "use");
  const latencies = Float64Array.from(report.latencies).sort();
  const quantile = (part: number): number => latencies[Math.floor(latencies.length * part)] ?? NaN;
  const faults = [...report.faults];
  const wanted = Math.floor((events * (watchers - 1)) / prefixes);
  if (faults.length === 0 && Math.abs(report.delivered - wanted) > watchers) {
    faults.push(`${report.delivered} deliveries, not ${wanted}`);
  }
  return {
    events,
    eventRate: (events * 1000) / elapsedMs,
    deliveryRate: (report.delivered * 1000) / totalMs,
    latencyMs: { p50: quantile(0.5), p99: quantile(0.99) },
    heldBefore: before.held,
    heldMost: Math.max(heldMost, after.held),
    rssBefore: before.rss,
    rssMost: Math.max(rssMost, after.rss),
    cores: {
      node: (after.cpuUs - before.cpuUs) / (totalMs * 1000),
      watchers: report.cpuUs / (totalMs * 1000),
    },
    cut: after.cut,
    faults,
  };
}

/** Writes every key once, and again: what the map holds and what the heap keeps free are there then. */
async function warmUp(port: number, options: CrowdOptions): Promise<void> {
  for (let n = 0; n < 2 * (options.keys ?? 20_000); n += 1_000) {
    const ops = Array.from({ length: 1_000 }, (_, index) => operation(n + index, options));
    await writeBatch(port, ops);
  }
}

async function writeBatch(port: number, ops: readonly object[]): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/batch`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ops }),
  });
  const text = await response.text();
  if (response.status !== 200 || text.includes('"code"')) throw new Error(text.slice(0, 500));
}

/** How many changes the node has applied: the next one has the number behind it. */
async function counterOf(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/cluster`);
  return ((await response.json()) as { counter: number }).counter;
}

/** A watcher of everything that reads its head and then nothing any more. */
async function stopReading(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write("GET /watch?prefix=crowd/&values=true HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(socket, "data");
  socket.pause();
  return socket;
}

function start(role: "node" | "watch"): ChildProcess {
  return fork(fileURLToPath(import.meta.url), [role], { execArgv: ["--expose-gc"] });
}

/** Asks a process, and waits for its answer. */
function answer<T>(child: ChildProcess, question: object | string): Promise<T> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown): void => {
      child.off("exit", onExit);
      resolve(message as T);
    };
    const onExit = (): void => {
      child.off("message", onMessage);
      reject(new Error("a process of the crowd has ended"));
    };
    child.once("message", onMessage).once("exit", onExit);
    child.send(question);
  });
}

/** What the watchers of one prefix get: all the same bytes. */
class CrowdStream {
  /** The counters of all events, as whoever was ahead has read them. */
  readonly counters: number[] = [];
  /** From the write to the event, of the watcher that is timed. */
  readonly latencies: number[] = [];
  /** How many bytes have been read by whoever is ahead. */
  end = 0;
  /** The last of them, at their places in the stream modulo the size. */
  readonly #ring: Buffer;
  /** Where events end, and when they were written, that the timed watcher has not read yet. */
  #marks: { readonly end: number; readonly writtenAt: number }[] = [];
  #text = "";

  constructor(ringBytes: number) {
    this.#ring = Buffer.alloc(ringBytes);
  }

  /** Takes what a watcher has read at a place of the stream. @returns what is wrong with it */
  take(payload: Buffer, place: number): string | undefined {
    let at = 0;
    const size = this.#ring.length;
    if (this.end - place > size) return "is too far behind to be checked";
    while (at < payload.length) {
      const from = (place + at) % size;
      const known = this.end - place - at;
      const length = Math.min(payload.length - at, size - from, known > 0 ? known : Infinity);
      const piece = payload.subarray(at, at + length);
      if (known > 0) {
        if (this.#ring.compare(piece, 0, length, from, from + length) !== 0) {
          return `got other bytes than the others behind byte ${place + at}`;
        }
      } else {
        piece.copy(this.#ring, from);
        this.end += length;
        this.#read(piece.toString("latin1"));
      }
      at += length;
    }
    return undefined;
  }

  /** The timed watcher has come so far. */
  time(place: number): void {
    const now = Date.now();
    const reached = this.#marks.findIndex(({ end }) => end > place);
    const passed = this.#marks.splice(0, reached === -1 ? this.#marks.length : reached);
    for (const { writtenAt } of passed) this.latencies.push(now - writtenAt);
  }

  #read(text: string): void {
    this.#text += text;
    const base = this.end - this.#text.length;
    const events =
      /event: (\w+)\nid: [0-9a-f]+\.[0-9]+\.([0-9]+)\ndata: .*"modified":"([^"]+)".*\n\n/g;
    let end = 0;
    for (let match = events.exec(this.#text); match !== null; match = events.exec(this.#text)) {
      end = events.lastIndex;
      this.counters.push(match[1] === "put" ? Number(match[2]) : NaN);
      this.#marks.push({ end: base + end, writtenAt: Date.parse(match[3] ?? "") });
    }
    this.#text = this.#text.slice(end);
  }
}

/** One watcher: a reader of HTTP chunks. */
class CrowdWatcher {
  readonly stream: CrowdStream;
  bytes = 0;
  opened = false;
  closed = false;
  fault: string | undefined;
  readonly #timed: boolean;
  readonly #socket: Socket;
  #head = "";
  /** Bytes of the chunk that is being read, its end among them; 0: a length comes next. */
  #left = 0;
  #length = "";

  constructor(order: WatchOrder, index: number, streams: readonly CrowdStream[]) {
    const group = index % order.prefixes;
    this.stream = streams[group] ?? new CrowdStream(1);
    // The last of its prefix to join is the last to be written to.
    this.#timed = index + order.prefixes >= order.watchers;
    this.#socket = connect({
      port: order.port,
      host: "127.0.0.1",
      // All read into one buffer: what comes is looked at at once.
      onread: {
        buffer: shared,
        callback: (length) => {
          this.#read(shared.subarray(0, length));
          return true;
        },
      },
    });
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => (this.closed = true));
    const prefix = encodeURIComponent(prefixOf(group, order.prefixes));
    this.#socket.write(`GET /watch?prefix=${prefix} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }

  #read(chunk: Buffer): void {
    let at = 0;
    if (this.#head !== "done") {
      this.#head += chunk.toString("latin1");
      const end = this.#head.indexOf("\r\n\r\n");
      if (end === -1) return;
      if (!this.#head.startsWith("HTTP/1.1 200")) throw new Error(this.#head);
      at = chunk.length - (this.#head.length - end - 4);
      this.#head = "done";
    }
    while (at < chunk.length) {
      if (this.#left === 0) {
        const end = chunk.indexOf(10, at);
        this.#length += chunk.toString("latin1", at, end === -1 ? chunk.length : end + 1);
        if (end === -1) return;
        at = end + 1;
        this.#left = parseInt(this.#length, 16) + 2;
        this.#length = "";
        continue;
      }
      const take = Math.min(this.#left, chunk.length - at);
      // The last two bytes of a chunk are its end.
      const payload = Math.min(take, Math.max(0, this.#left - 2));
      if (payload > 0) this.#take(chunk.subarray(at, at + payload));
      this.#left -= take;
      at += take;
    }
  }

  #take(payload: Buffer): void {
    if (!this.opened) {
      // The first chunk is the hub's greeting.
      this.opened = true;
      return;
    }
    // A comment that keeps proxies awake; it comes where it comes.
    if (payload.length === 3 && payload.toString("latin1") === ":\n\n") return;
    this.fault ??= this.stream.take(payload, this.bytes);
    this.bytes += payload.length;
    if (this.#timed) this.stream.time(this.bytes);
  }
}

const shared = Buffer.alloc(256 * 1024);

/** Waits until something holds, in the process of the watchers. */
async function settled(holds: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!holds() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
}

function check(
  watchers: readonly CrowdWatcher[],
  streams: readonly CrowdStream[],
  { first, events }: Expectation,
): string[] {
  const faults: string[] = [];
  for (const [index, { closed, fault, bytes, stream }] of watchers.entries()) {
    if (closed) faults.push(`watcher ${index} was closed`);
    if (fault !== undefined) faults.push(`watcher ${index} ${fault}`);
    if (bytes !== stream.end) faults.push(`watcher ${index} got ${bytes} of ${stream.end} bytes`);
  }
  for (const [group, { counters }] of streams.entries()) {
    const wanted = wantedEvents(events, group, streams.length);
    if (counters.length !== wanted) {
      faults.push(`prefix ${group} has ${counters.length} events, not ${wanted}`);
    }
    const wrong = counters.findIndex(
      (counter, n) => counter !== first + group + n * streams.length,
    );
    if (wrong !== -1) faults.push(`event ${wrong} of prefix ${group} is ${counters[wrong]}`);
  }
  return faults.slice(0, 10);
}

function wantedEvents(events: number, group: number, prefixes: number): number {
  return Math.floor((events - 1 - group) / prefixes) + 1;
}

/** How many events the slowest watcher of each prefix has, together. */
function progress(watchers: readonly CrowdWatcher[], streams: readonly CrowdStream[]): number {
  const least = new Map<CrowdStream, number>();
  for (const { stream, bytes } of watchers) {
    least.set(stream, Math.min(bytes, least.get(stream) ?? Infinity));
  }
  let events = 0;
  for (const stream of streams) {
    const { counters, end } = stream;
    if (end > 0) events += Math.floor((counters.length * (least.get(stream) ?? 0)) / end);
  }
  return events;
}

function runWatchers(): void {
  let watchers: CrowdWatcher[] = [];
  let streams: CrowdStream[] = [];
  let cpuBefore = 0;
  const cpuUs = (): number => process.cpuUsage().user + process.cpuUsage().system;
  const open = async (order: WatchOrder): Promise<void> => {
    const ringBytes = Math.max(64 * 1024, Math.floor((32 * 1024 * 1024) / order.prefixes));
    streams = Array.from({ length: order.prefixes }, () => new CrowdStream(ringBytes));
    const opened = (): boolean => watchers.every((watcher) => watcher.opened);
    for (let n = 0; n < order.watchers; n += 1) {
      watchers.push(new CrowdWatcher(order, n, streams));
      // A few at a time: the backlog of a listening socket is bounded.
      if (n % 100 === 99) await settled(opened, 20_000);
    }
    await settled(opened, 20_000);
    cpuBefore = cpuUs();
    process.send?.(true);
  };
  const finish = async (expected: Expectation): Promise<void> => {
    const complete = (): boolean =>
      streams.every(
        ({ counters }, group) =>
          counters.length >= wantedEvents(expected.events, group, streams.length),
      ) && watchers.every(({ bytes, stream, closed }) => closed || bytes >= stream.end);
    await settled(complete, 60_000);
    const report: WatchReport = {
      faults: check(watchers, streams, expected),
      delivered: watchers.reduce((sum, { stream }) => sum + stream.counters.length, 0),
      latencies: streams.flatMap(({ latencies }) => latencies),
      cpuUs: cpuUs() - cpuBefore,
    };
    watchers = [];
    process.send?.(report);
  };
  process.on("message", (message: WatchOrder | Expectation | typeof askProgress) => {
    if (message === askProgress) process.send?.(progress(watchers, streams));
    else if ("port" in message) void open(message);
    else void finish(message);
  });
}

async function runNode(): Promise<void> {
  const { createNode } = await import("../create_node.ts");
  const node = await createNode({ http: {} });
  await node.ready();
  process.on("message", (message: string) => {
    if (message === "start") {
      process.send?.(node.httpPort);
      return;
    }
    void (async () => {
      const text = await (await fetch(`http://127.0.0.1:${node.httpPort}/metrics`)).text();
      global.gc?.();
      const { user, system } = process.cpuUsage();
      const { rss, heapUsed, external } = process.memoryUsage();
      const use: Use = {
        held: heapUsed + external,
        rss,
        cpuUs: user + system,
        cut: Number(/^dnd_watchers_cut_total (\d+)/m.exec(text)?.[1] ?? 0),
      };
      process.send?.(use);
    })();
  });
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === "node") await runNode();
  else runWatchers();
}
