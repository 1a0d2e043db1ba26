// A crowd of watchers, in three processes: a node, those who watch, and whoever calls runCrowd() and writes. One
// more watcher follows everything and stops reading. Tests and bench share it.
//
// What a watcher gets is checked event by event: the counters in the ids must be exactly those of the writes
// to its prefix. Where several watch the same prefix, one of them is checked so, and the others must have
// got the same bytes: their lengths and CRC-32s are compared, so that the check can keep up.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";

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

interface WatchReport {
  readonly faults: readonly string[];
  readonly delivered: number;
  readonly latencies: readonly number[];
  readonly cpuUs: number;
}

const batchMs = 10;
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
  const startedAt = performance.now();
  while (written < events) {
    const elapsed = performance.now() - startedAt;
    const due = Math.min(events, Math.ceil((elapsed * eventsPerSecond) / 1000));
    const count = Math.min(1_000, due - written);
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

/** One watcher: a reader of HTTP chunks, and of the events in them if it is to look at each. */
class CrowdWatcher {
  readonly group: number;
  crc = 0;
  bytes = 0;
  opened = false;
  closed = false;
  /** The counters of all events, if it looks at each. */
  readonly counters: number[] | undefined;
  readonly latencies: number[] = [];
  readonly #socket: Socket;
  #head = "";
  /** Bytes of the chunk that is being read, its end among them; 0: a length comes next. */
  #left = 0;
  #length = "";
  #text = "";

  constructor(order: WatchOrder, index: number) {
    this.group = index % order.prefixes;
    this.counters = index < order.prefixes ? [] : undefined;
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
    const prefix = encodeURIComponent(prefixOf(this.group, order.prefixes));
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
    this.crc = crc32(payload, this.crc);
    this.bytes += payload.length;
    if (this.counters === undefined) return;
    this.#text += payload.toString("latin1");
    const now = Date.now();
    const events =
      /event: (\w+)\nid: [0-9a-f]+\.[0-9]+\.([0-9]+)\ndata: .*"modified":"([^"]+)".*\n\n/g;
    let end = 0;
    for (let match = events.exec(this.#text); match !== null; match = events.exec(this.#text)) {
      end = events.lastIndex;
      this.counters.push(match[1] === "put" ? Number(match[2]) : NaN);
      this.latencies.push(now - Date.parse(match[3] ?? ""));
    }
    this.#text = this.#text.slice(end);
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
  { first, events }: Expectation,
  prefixes: number,
): string[] {
  const faults: string[] = [];
  const models = watchers.slice(0, prefixes);
  for (const [index, watcher] of watchers.entries()) {
    const fault = (what: string): void => void faults.push(`watcher ${index}: ${what}`);
    if (watcher.closed) fault("was closed");
    const { counters } = watcher;
    if (counters === undefined) {
      const model = models[watcher.group];
      if (model?.crc !== watcher.crc || model.bytes !== watcher.bytes) {
        fault(`got ${watcher.bytes} bytes, not the ${model?.bytes} of another of its prefix`);
      }
      continue;
    }
    const wanted = wantedEvents(events, watcher.group, prefixes);
    if (counters.length !== wanted) fault(`got ${counters.length} events, not ${wanted}`);
    const wrong = counters.findIndex(
      (counter, n) => counter !== first + watcher.group + n * prefixes,
    );
    if (wrong !== -1) fault(`event ${wrong} has the counter ${counters[wrong]}`);
  }
  return faults.slice(0, 10);
}

function wantedEvents(events: number, group: number, prefixes: number): number {
  return Math.floor((events - 1 - group) / prefixes) + 1;
}

function runWatchers(): void {
  let watchers: CrowdWatcher[] = [];
  let prefixes = 1;
  let cpuBefore = 0;
  const cpuUs = (): number => process.cpuUsage().user + process.cpuUsage().system;
  process.on("message", (message: WatchOrder | Expectation) => {
    void (async () => {
      if ("port" in message) {
        ({ prefixes } = message);
        for (let n = 0; n < message.watchers; n += 1) {
          watchers.push(new CrowdWatcher(message, n));
          // A few at a time: the backlog of a listening socket is bounded.
          if (n % 100 === 99) await settled(() => watchers.every(({ opened }) => opened), 20_000);
        }
        await settled(() => watchers.every(({ opened }) => opened), 20_000);
        cpuBefore = cpuUs();
        process.send?.(true);
        return;
      }
      const complete = (): boolean =>
        watchers.every(({ counters, group, bytes }) =>
          counters === undefined
            ? bytes === watchers[group]?.bytes
            : counters.length >= wantedEvents(message.events, group, prefixes),
        );
      await settled(complete, 60_000);
      const report: WatchReport = {
        faults: check(watchers, message, prefixes),
        delivered: watchers.reduce(
          (sum, { group }) => sum + (watchers[group]?.counters?.length ?? 0),
          0,
        ),
        latencies: watchers.flatMap(({ latencies }) => latencies),
        cpuUs: cpuUs() - cpuBefore,
      };
      watchers = [];
      process.send?.(report);
    })();
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
