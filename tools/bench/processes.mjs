// Node processes for the benchmarks: the real command, on free ports, in fresh folders.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";

const bin = resolve(import.meta.dirname, "../../packages/server/bin/dnd.js");

/**
 * @typedef {object} NodeProcess
 * @property {number} pid
 * @property {string} node id
 * @property {string} gossip host:port
 * @property {string} host
 * @property {number} port of HTTP
 * @property {string} folder
 * @property {(signal?: NodeJS.Signals) => Promise<void>} end
 */

/** A folder for the run, and everything that has to end with it. */
export class Bench {
  folder = mkdtempSync(join(tmpdir(), "dnd-bench-"));
  /** @type {Set<NodeProcess>} */
  #nodes = new Set();

  /**
   * @param {string} name of the data folder
   * @param {string[]} seeds
   * @param {{ port?: number, options?: string[], memory?: boolean }} [more]
   * @returns {Promise<NodeProcess>}
   */
  async start(name, seeds, { port = 0, options = [], memory = false } = {}) {
    const folder = join(this.folder, name);
    const command = seeds.length === 0 ? ["start"] : ["join", ...seeds];
    const data = memory ? ["--memory"] : ["--data-dir", folder];
    const ports = ["--port", String(port), "--server-port", "0", "--web-port", "off"];
    // For profiles: DND_BENCH_NODE="--cpu-prof --cpu-prof-dir=/tmp/profiles"
    const flags = (process.env.DND_BENCH_NODE ?? "").split(" ").filter((flag) => flag !== "");
    const args = [...flags, bin, ...command, ...data, ...ports, ...options];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", process.env.DND_BENCH_LOG === undefined ? "ignore" : "inherit"],
    });
    const ended = new Promise((done) => child.once("exit", done));
    const line = await new Promise((done, fail) => {
      let text = "";
      child.stdout?.on("data", (chunk) => {
        text += chunk;
        if (text.includes("\n")) done(text);
      });
      child.once("exit", (code) => fail(new Error(`${name} ended with exit code ${code}`)));
    });
    const [, id, gossip, address] = /node=(\S+) gossip=(\S+) http=(\S+)/.exec(line) ?? [];
    if (id === undefined || gossip === undefined || address === undefined) {
      throw new Error(`${name} said ${line}`);
    }
    const at = address.lastIndexOf(":");
    /** @type {NodeProcess} */
    const node = {
      pid: child.pid ?? 0,
      node: id,
      gossip,
      host: address.slice(0, at),
      port: Number(address.slice(at + 1)),
      folder,
      end: async (signal = "SIGTERM") => {
        this.#nodes.delete(node);
        child.kill(signal);
        await ended;
      },
    };
    this.#nodes.add(node);
    return node;
  }

  async end() {
    // A profile is written by a process that ends in order.
    const signal = process.env.DND_BENCH_NODE === undefined ? "SIGKILL" : "SIGTERM";
    await Promise.all([...this.#nodes].map((node) => node.end(signal)));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Keep-alive connections to one node. */
export class Caller {
  #agent;

  /** @param {NodeProcess} node @param {number} [connections] */
  constructor(node, connections = 1) {
    this.node = node;
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {string | Buffer} [body]
   * @param {Record<string, string>} [headers]
   * @returns {Promise<{ status: number, body: string }>}
   */
  call(method, path, body, headers = {}) {
    const { host, port } = this.node;
    return new Promise((done, fail) => {
      const options = { host, port, method, path, headers, agent: this.#agent };
      const request = http.request(options, (answer) => {
        let text = "";
        answer.setEncoding("latin1");
        answer.on("data", (chunk) => (text += chunk));
        answer.on("end", () => done({ status: answer.statusCode ?? 0, body: text }));
        answer.on("error", fail);
      });
      request.setTimeout(120_000, () => request.destroy(new Error("timeout")));
      request.on("error", fail);
      request.end(body);
    });
  }

  async status() {
    return JSON.parse((await this.call("GET", "/cluster")).body);
  }

  close() {
    this.#agent.destroy();
  }
}

/**
 * One keep-alive connection that asks for one thing at a time, with as little work of its own as possible:
 * where a round trip is measured, a client that takes half a millisecond of processor time is most of it. A
 * request is bytes that were made before; of an answer only the status and where it ends are read.
 */
export class Prober {
  #socket;
  /** @type {((status: number) => void) | undefined} */
  #answered;
  /** @type {((error: Error) => void) | undefined} */
  #failed;
  /** @type {Buffer} */
  #rest = Buffer.alloc(0);

  /** @param {NodeProcess} node */
  constructor({ host, port }) {
    this.#socket = net.connect({ host, port, noDelay: true });
    this.#socket.on("data", (chunk) => this.#take(chunk));
    this.#socket.on("error", (error) => this.#failed?.(error));
    this.#socket.on("close", () => this.#failed?.(new Error("the connection was closed")));
  }

  /**
   * The bytes of a request.
   *
   * @param {string} method
   * @param {string} path
   * @param {string} [body]
   */
  static request(method, path, body = "") {
    const length = method === "GET" ? "" : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    return Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${length}\r\n${body}`);
  }

  /** The status of the answer. @param {Buffer} request @returns {Promise<number>} */
  ask(request) {
    return new Promise((done, fail) => {
      this.#answered = done;
      this.#failed = fail;
      this.#socket.write(request);
    });
  }

  /** @param {Buffer} chunk */
  #take(chunk) {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = bytes;
    const head = bytes.indexOf("\r\n\r\n");
    if (head < 0) return;
    const status = (bytes[9] - 48) * 100 + (bytes[10] - 48) * 10 + (bytes[11] - 48);
    if (status !== 204 && status !== 304) {
      const at = /\r\ncontent-length: *(\d+)/i.exec(bytes.latin1Slice(0, head));
      if (bytes.length < head + 4 + Number(at?.[1] ?? 0)) return;
    }
    this.#rest = Buffer.alloc(0);
    this.#answered?.(status);
  }

  close() {
    this.#failed = undefined;
    this.#socket.destroy();
  }
}

/** Processor time that a process has used, all its threads, in milliseconds. @param {number} pid */
export function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10; // ticks of 10 ms
}

/**
 * @param {string} what
 * @param {number} deadlineMs
 * @param {() => Promise<boolean>} holds
 * @param {number} [everyMs]
 */
export async function until(what, deadlineMs, holds, everyMs = 20) {
  const start = performance.now();
  for (;;) {
    if (await holds().catch(() => false)) return performance.now() - start;
    if (performance.now() - start > deadlineMs) {
      throw new Error(`not within ${deadlineMs} ms: ${what}`);
    }
    await new Promise((wake) => setTimeout(wake, everyMs));
  }
}

/** @param {number[]} values @param {number} share 0 to 1 */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}
