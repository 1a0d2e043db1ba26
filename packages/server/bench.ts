// Requests a second of a node against a bare `node:http` server that answers the same bytes, in one run
// on one machine: the ratio is what matters. The load comes from 64 keep-alive connections of one other
// process, with hand-written requests, so that the client costs as little as it can.
//
//     npx nx run server:bench                    all rows
//     npx nx run server:bench -- --seconds 5     longer rounds
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { createNode } from "./create_node.ts";

const connections = 64;
const rounds = 5;
const warmUpMs = 500;

/** What a server process is asked to be. */
type Kind = "bare" | "memory" | "durable";

/** One row of the table. */
interface Row {
  readonly name: string;
  readonly kind: Exclude<Kind, "bare">;
  readonly requests: readonly string[];
  readonly aim: number;
}

const body = JSON.stringify({ name: "Jack", text: "x".repeat(80) });
/** Keys that the requests go round. */
const keys = Array.from({ length: 1_000 }, (_, n) => `user${String(n).padStart(3, "0")}`);
const get = keys.map((key) => `GET /kv/${key} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
const put = keys.map(
  (key) =>
    `PUT /kv/${key} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
);

const rows: readonly Row[] = [
  { name: "GET", kind: "memory", requests: get, aim: 0.8 },
  { name: "PUT, in memory", kind: "memory", requests: put, aim: 0.7 },
  { name: "PUT, durable", kind: "durable", requests: put, aim: 0.6 },
];

/** A bare server: reads the body, answers the bytes that a node answers, does nothing else. */
async function serveBare(): Promise<number> {
  const node = "0123456789abcdef0123456789abcdef";
  const common = ["Dnd-Node", node, "X-Request-Id", "0123456789ab-1"];
  const etag = `"115350198247424-${node}"`;
  const value = Buffer.from(body);
  const getHeaders = [
    ...["Content-Type", "application/json", "ETag", etag],
    ...["Last-Modified", new Date().toUTCString(), "Cache-Control", "no-cache"],
    ...["X-Content-Type-Options", "nosniff"],
    ...["Content-Security-Policy", "sandbox; default-src 'none'"],
    ...common,
    ...["Content-Length", String(value.length)],
  ];
  const putHeaders = [
    ...["Content-Type", "text/plain; charset=utf-8", "ETag", etag],
    ...["Dnd-Replicas", "acked=1, needed=1, members=1", "Dnd-Event", `${node}.1795387268227.1`],
    ...common,
    ...["Content-Length", "2"],
  ];
  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
    if (request.method === "GET") {
      response.writeHead(200, getHeaders);
      response.end(value);
      return;
    }
    request.on("data", () => undefined);
    request.on("end", () => {
      response.writeHead(200, putHeaders);
      response.end("OK");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function serve(kind: Kind): Promise<number> {
  if (kind === "bare") return serveBare();
  const folder = process.argv[3];
  const node = await createNode({
    http: {},
    ...(kind === "durable" && folder !== undefined ? { dataDir: folder } : {}),
  });
  await node.ready();
  for (const key of keys) await node.put(key, JSON.parse(body));
  return node.httpPort ?? 0;
}

/** Requests a second over so many connections, each waiting for its answer. */
async function load(port: number, requests: readonly string[], ms: number): Promise<number> {
  const bytes = requests.map((request) => Buffer.from(request));
  let turn = 0;
  const next = (): Buffer => bytes[(turn = (turn + 1) % bytes.length)] ?? Buffer.alloc(0);
  let answered = 0;
  let running = true;
  const workers = Array.from({ length: connections }, async () => {
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    await once(socket, "connect");
    // All answers of a row have one length: the first one tells it.
    let length = 0;
    let waiting = 0;
    socket.on("data", (chunk: Buffer) => {
      if (length === 0) {
        const text = chunk.toString("latin1");
        if (!text.startsWith("HTTP/1.1 200")) throw new Error(text);
        const head = text.indexOf("\r\n\r\n") + 4;
        length = head + Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
        waiting = length;
      }
      waiting -= chunk.length;
      // A request id grows by a digit now and then.
      if (waiting > 8) return;
      waiting = length;
      answered += 1;
      if (running) socket.write(next());
    });
    socket.write(next());
    return socket;
  });
  const sockets = await Promise.all(workers);
  await new Promise((resolve) => setTimeout(resolve, warmUpMs));
  const before = answered;
  const startedAt = performance.now();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const rate = ((answered - before) * 1000) / (performance.now() - startedAt);
  running = false;
  for (const socket of sockets) socket.destroy();
  return rate;
}

async function startServer(kind: Kind, folder: string): Promise<[ChildProcess, number]> {
  const child = fork(fileURLToPath(import.meta.url), [kind, folder], {
    env: { ...process.env, UV_THREADPOOL_SIZE: "16" },
  });
  const [port] = (await once(child, "message")) as [number];
  return [child, port];
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

async function main(): Promise<void> {
  const flag = process.argv.indexOf("--seconds");
  const seconds = flag === -1 ? 1.5 : Number(process.argv[flag + 1]);
  const folder = mkdtempSync(join(tmpdir(), "dnd-bench-"));
  const write = (line: string): void => void process.stdout.write(`${line}\n`);
  write(`| ${connections} connections | dnd, requests/s | bare node:http | ratio | aim |`);
  write("|---|---|---|---|---|");
  try {
    for (const { name, kind, requests, aim } of rows) {
      const [own, ownPort] = await startServer(kind, folder);
      const [bare, barePort] = await startServer("bare", folder);
      const ratios: number[] = [];
      const rates: [number[], number[]] = [[], []];
      // One after the other, again and again: what else the machine does hits both.
      for (let round = 0; round < rounds; round += 1) {
        const mine = await load(ownPort, requests, seconds * 1000);
        const theirs = await load(barePort, requests, seconds * 1000);
        rates[0].push(mine);
        rates[1].push(theirs);
        ratios.push(mine / theirs);
      }
      for (const child of [own, bare]) {
        child.kill("SIGTERM");
        await once(child, "exit");
      }
      const [mine, theirs] = rates.map((list) => Math.round(median(list)));
      write(`| ${name} | ${mine} | ${theirs} | ${median(ratios).toFixed(2)} | ${aim} |`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [kind] = process.argv.slice(2);
if (process.send !== undefined && kind !== undefined) process.send(await serve(kind as Kind));
else await main();
