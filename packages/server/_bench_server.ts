// The server processes of the benches: a node, and the bare servers that it is measured against. A bare one
// answers the bytes that a node answers, with the same headers (API.md, section 2), and does nothing else:
// no checks, no versions, no digest, no other members.
import { mkdtempSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { createNode } from "./create_node.ts";

/**
 * What a server process is asked to be:
 *
 * - `bare`: `node:http` alone. A PUT keeps its bytes in a `Map`.
 * - `bare-lmdb`: the same, a PUT writes its bytes to bare lmdb, in the way and with the flushes with which a
 *   node writes: a transaction at a time, synced by LMDB itself, and answers when they are on disk.
 * - `memory`, `durable`: a node.
 */
export type ServerKind = "bare" | "bare-lmdb" | "memory" | "durable";

/** The value of every request. */
export const benchValue: string = JSON.stringify({ name: "Jack", text: "x".repeat(80) });

/** Keys that the requests go round. */
export const benchKeys: readonly string[] = Array.from(
  { length: 1_000 },
  (_, n) => `user${String(n).padStart(3, "0")}`,
);

/** What a server process uses. */
export interface ServerUse {
  /** Processor time since its start, all threads, in microseconds. */
  readonly cpuUs: number;
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  /** Commits of the storage so far; 0 where there is none. */
  readonly commits: number;
}

type Store = (key: string, value: Buffer) => Promise<unknown> | undefined;

async function bareStore(kind: ServerKind, folder: string): Promise<Store> {
  if (kind === "bare") {
    const values = new Map<string, Buffer>();
    return (key, value) => {
      // A copy: what came is a window into the socket's buffer.
      values.set(key, Buffer.from(value));
      return undefined;
    };
  }
  const { open } = await import("lmdb");
  const database = open<Buffer, string>({
    path: join(folder, "bare.mdb"),
    encoding: "binary",
    overlappingSync: false,
  });
  return (key, value) => database.put(key, value);
}

async function serveBare(kind: ServerKind, folder: string): Promise<number> {
  const store = await bareStore(kind, folder);
  const node = "0123456789abcdef0123456789abcdef";
  const common = ["Dnd-Node", node, "X-Request-Id", "0123456789ab-1"];
  const etag = `"115350198247424-${node}"`;
  const value = Buffer.from(benchValue);
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
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const [first] = chunks;
      const bytes = first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks);
      const answer = (): void => {
        response.writeHead(200, putHeaders);
        response.end("OK");
      };
      const stored = store((request.url ?? "").slice("/kv/".length), bytes);
      if (stored === undefined) answer();
      else stored.then(answer, () => response.destroy());
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Runs a server in this process, tells its parent the port, and answers questions for its use. */
export async function runServer(kind: ServerKind, folder: string): Promise<void> {
  let port: number;
  let commits = async (): Promise<number> => 0;
  if (kind === "bare" || kind === "bare-lmdb") port = await serveBare(kind, folder);
  else {
    const node = await createNode({
      http: {},
      ...(kind === "durable" ? { dataDir: mkdtempSync(join(folder, "node-")) } : {}),
    });
    await node.ready();
    for (const key of benchKeys) await node.put(key, JSON.parse(benchValue));
    port = node.httpPort ?? 0;
    commits = async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return Number(/^dnd_engine_commits (\d+)/m.exec(metrics)?.[1] ?? 0);
    };
  }
  process.on("message", () => {
    void commits().then((count) => {
      global.gc?.();
      const { user, system } = process.cpuUsage();
      const { rss, heapUsed, external } = process.memoryUsage();
      const use: ServerUse = { cpuUs: user + system, rss, heapUsed, external, commits: count };
      process.send?.(use);
    });
  });
  process.send?.(port);
}
