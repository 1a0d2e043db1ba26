// Requests a second of a node against a bare `node:http` server that answers the same bytes, in one run
// on one machine: the ratio is what matters. The load comes from 64 keep-alive connections of a process of
// its own; node and bare server take turns, many short ones, so that what else the machine does hits both.
//
//     npx nx run server:bench                        all rows
//     npx nx run server:bench -- --rounds 40         more turns
//     npx nx run server:bench -- --only durable      rows whose name has this word
//     npx nx run server:bench -- --million           memory over a million PUTs instead
//     npx nx run server:bench -- --watch             1,000 watchers instead, one of which stops reading
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runCrowd } from "./http/_test_crowd.ts";
import { Load, median, quantile, type LoadResult } from "./_bench_load.ts";
import {
  benchKeys,
  benchValue,
  runServer,
  type ServerKind,
  type ServerUse,
} from "./_bench_server.ts";

const connections = 64;
const warmUpRequests = 30_000;
const turnMs = 500;

/** One row of the table. */
interface Row {
  readonly name: string;
  readonly kind: ServerKind;
  readonly bare: ServerKind;
  readonly requests: readonly string[];
  readonly aim: number;
}

const get = benchKeys.map((key) => `GET /kv/${key} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
const put = benchKeys.map(
  (key) =>
    `PUT /kv/${key} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${benchValue.length}\r\n\r\n${benchValue}`,
);

const rows: readonly Row[] = [
  { name: "GET", kind: "memory", bare: "bare", requests: get, aim: 0.8 },
  { name: "PUT, in memory", kind: "memory", bare: "bare", requests: put, aim: 0.7 },
  { name: "PUT, durable", kind: "durable", bare: "bare-lmdb", requests: put, aim: 0.6 },
];

/** A server in a process of its own. */
class ServerProcess {
  readonly port: number;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(
    kind: ServerKind,
    folder: string,
    flags: readonly string[] = [],
  ): Promise<ServerProcess> {
    const child = fork(fileURLToPath(import.meta.url), [kind, folder], {
      env: { ...process.env, UV_THREADPOOL_SIZE: "16" },
      execArgv: [...flags],
    });
    const [port] = (await once(child, "message")) as [number];
    return new ServerProcess(child, port);
  }

  async use(): Promise<ServerUse> {
    this.#child.send("use");
    const [use] = (await once(this.#child, "message")) as [ServerUse];
    return use;
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

/** A server under its load. */
class Side {
  readonly #server: ServerProcess;
  readonly #load: Load;
  readonly rates: number[] = [];
  readonly p50s: number[] = [];
  readonly p99s: number[] = [];
  readonly cpus: number[] = [];
  readonly commits: number[] = [];

  constructor(server: ServerProcess, load: Load) {
    this.#server = server;
    this.#load = load;
  }

  static async start(kind: ServerKind, folder: string, requests: readonly string[]): Promise<Side> {
    const server = await ServerProcess.start(kind, folder);
    const side = new Side(server, await Load.open(server.port, { requests, connections }));
    // As many requests on both sides: what the compiler of Node has seen counts, not the time.
    await side.#load.run({ requests: warmUpRequests });
    return side;
  }

  async turn(): Promise<void> {
    const before = await this.#server.use();
    const result: LoadResult = await this.#load.run({ ms: turnMs });
    const after = await this.#server.use();
    this.rates.push(result.rate);
    this.p50s.push(quantile(result.latencies, 0.5));
    this.p99s.push(quantile(result.latencies, 0.99));
    this.cpus.push((after.cpuUs - before.cpuUs) / result.answers);
    this.commits.push(result.answers / (after.commits - before.commits));
  }

  async stop(): Promise<void> {
    this.#load.close();
    await this.#server.stop();
  }
}

const write = (line: string): void => void process.stdout.write(`${line}\n`);

function times(side: Side): string {
  return `${median(side.p50s).toFixed(2)} / ${median(side.p99s).toFixed(2)} ms`;
}

async function runRow({ name, kind, bare, requests, aim }: Row, rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "dnd-bench-"));
  try {
    const own = await Side.start(kind, folder, requests);
    const other = await Side.start(bare, folder, requests);
    for (let round = 0; round < rounds; round += 1) {
      for (const side of round % 2 === 0 ? [own, other] : [other, own]) await side.turn();
    }
    await own.stop();
    await other.stop();
    const ratio = median(own.rates.map((rate, round) => rate / (other.rates[round] ?? NaN)));
    const cpu = median(own.cpus.map((each, round) => (other.cpus[round] ?? NaN) / each));
    const [mine, theirs] = [own, other].map(({ rates }) => Math.round(median(rates)));
    const [myCpu, theirCpu] = [own, other].map(({ cpus }) => median(cpus).toFixed(1));
    write(
      `| ${name} | ${mine} | ${times(own)} | ${theirs} | ${times(other)} | ${ratio.toFixed(2)} | ${aim} | ${myCpu} / ${theirCpu} µs (${cpu.toFixed(2)}) |`,
    );
    const group = median(own.commits);
    if (Number.isFinite(group)) write(`\n${name}: ${group.toFixed(1)} writes a commit`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A million writes to the same thousand keys, in memory: what the process holds must not grow. */
async function runMillion(): Promise<void> {
  const server = await ServerProcess.start("memory", "", ["--expose-gc"]);
  const load = await Load.open(server.port, { requests: put, connections });
  write("| PUTs | resident | heap, collected | external |");
  write("|---|---|---|---|");
  const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  let done = 0;
  for (const step of [100_000, 150_000, 250_000, 250_000, 250_000]) {
    done += (await load.run({ requests: step })).answers;
    const { rss, heapUsed, external } = await server.use();
    write(
      `| ${done.toLocaleString("en")} | ${mebibytes(rss)} | ${mebibytes(heapUsed)} | ${mebibytes(external)} |`,
    );
  }
  load.close();
  await server.stop();
}

/** 1,000 watchers, one of which stops reading: see the head of _test_crowd.ts. */
async function runWatchers(): Promise<void> {
  write(
    "| prefixes | events/s | deliveries/s | write to event, p50 / p99 | held before / most | cores: node + readers | cut | faults |",
  );
  write("|---|---|---|---|---|---|---|---|");
  const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);
  for (const [prefixes, eventsPerSecond] of [
    [999, 5_000],
    [100, 5_000],
    [1, 1_000],
    [1, 2_500],
    [1, 5_000],
  ] as const) {
    const report = await runCrowd({
      ...{ watchers: 1_000, prefixes, eventsPerSecond, seconds: 10 },
      // The one that stops reading follows with values: it is cut in each of the rows.
      valueBytes: 500,
    });
    const { eventRate, deliveryRate, latencyMs, heldBefore, heldMost, cores, cut, faults } = report;
    write(
      `| ${prefixes} | ${Math.round(eventRate)} of ${eventsPerSecond} | ${Math.round(deliveryRate)} | ${latencyMs.p50} / ${latencyMs.p99} ms | ${mebibytes(heldBefore)} / ${mebibytes(heldMost)} MiB | ${cores.node.toFixed(2)} + ${cores.watchers.toFixed(2)} | ${cut} | ${faults.length} |`,
    );
  }
}

function option(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at === -1 ? undefined : process.argv[at + 1];
}

async function main(): Promise<void> {
  if (process.argv.includes("--million")) {
    await runMillion();
    return;
  }
  if (process.argv.includes("--watch")) {
    await runWatchers();
    return;
  }
  const rounds = Number(option("--rounds") ?? 20);
  const only = option("--only");
  write(
    `| ${connections} connections | dnd, requests/s | p50 / p99 | bare server | p50 / p99 | ratio | aim | processor time a request |`,
  );
  write("|---|---|---|---|---|---|---|---|");
  for (const row of rows) {
    if (only === undefined || row.name.includes(only)) await runRow(row, rounds);
  }
}

const [kind, folder] = process.argv.slice(2);
if (process.send !== undefined && kind !== undefined)
  await runServer(kind as ServerKind, folder ?? "");
else await main();
