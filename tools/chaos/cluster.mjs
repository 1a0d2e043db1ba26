// The node processes of a chaos run, each in its own network namespace, and the few requests that the
// harness makes of them.
import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { join, resolve } from "node:path";
import process from "node:process";

const gossipPort = 5000;
const httpPort = 6000;
const bin = resolve(import.meta.dirname, "../../packages/server/bin/dnd.js");

/**
 * @param {string} host
 * @param {{ method?: string, path: string, body?: string, timeoutMs?: number, agent?: http.Agent }} options
 * @returns {Promise<{ status: number, body: string }>}
 */
export function request(host, { method = "GET", path, body, timeoutMs = 5000, agent }) {
  return new Promise((done, fail) => {
    const call = http.request({ host, port: httpPort, method, path, agent }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk) => (text += chunk));
      answer.on("end", () => done({ status: answer.statusCode ?? 0, body: text }));
      answer.on("error", fail);
    });
    call.setTimeout(timeoutMs, () => call.destroy(new Error("timeout")));
    call.on("error", fail);
    call.end(body);
  });
}

/**
 * Waits until the condition holds.
 *
 * @param {string} what for the message
 * @param {number} deadlineMs
 * @param {() => Promise<boolean>} holds
 */
export async function until(what, deadlineMs, holds) {
  const start = Date.now();
  for (;;) {
    if (await holds().catch(() => false)) return Date.now() - start;
    if (Date.now() - start > deadlineMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

export class Cluster {
  /** @type {(import("node:child_process").ChildProcess | undefined)[]} */
  #processes = [];
  /** Advertised addresses; undefined = the node's own. @type {(string | undefined)[]} */
  #advertise = [];

  /** @param {import("./network.mjs").Network} network @param {string} folder @param {string} [keyFile] */
  constructor(network, folder, keyFile) {
    this.network = network;
    this.folder = folder;
    this.keyFile = keyFile;
  }

  get size() {
    return this.network.size;
  }

  /** @param {number} i */
  host(i) {
    return this.network.address(i);
  }

  /** @param {number} i */
  running(i) {
    return this.#processes[i] !== undefined;
  }

  /** @param {number} i @param {{ advertise?: string }} [options] */
  async start(i, { advertise = this.#advertise[i] } = {}) {
    this.#advertise[i] = advertise;
    const seeds = Array.from({ length: this.size }, (_, j) => j)
      .filter((j) => j !== i)
      .map((j) => this.#advertise[j] ?? `${this.host(j)}:${gossipPort}`);
    const options = ["--address", this.host(i), "--data-dir", join(this.folder, `n${i}`)];
    const secured = this.keyFile === undefined ? [] : ["--key-file", this.keyFile];
    const told = advertise === undefined ? [] : ["--advertise", advertise];
    const child = spawn(
      "ip",
      [
        ...["netns", "exec", this.network.namespace(i), process.execPath, bin, "join", ...seeds],
        ...[...options, "--name", `n${i}`, "--web-port", "off", "--insecure"],
        ...[...secured, ...told],
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#processes[i] = child;
    let log = "";
    child.stderr?.on("data", (chunk) => (log = (log + chunk).slice(-65_536)));
    child.stdout?.resume();
    child.on("exit", (code, signal) => {
      if (this.#processes[i] === child) this.#processes[i] = undefined;
      writeFileSync(join(this.folder, `n${i}.log`), log, { flag: "a" });
      if (signal === null && code !== 0)
        this.onDeath?.(i, code, log.split("\n").slice(-5).join("\n"));
    });
    await until(`n${i} answers`, 30_000, async () => {
      if (this.#processes[i] !== child) throw new Error(`n${i} ended`);
      return (await request(this.host(i), { path: "/health" })).status === 200;
    });
  }

  /** @type {((i: number, code: number | null, log: string) => void) | undefined} */
  onDeath;

  /** @param {number} i @param {NodeJS.Signals} name */
  signal(i, name) {
    this.#processes[i]?.kill(name);
  }

  /** kill -9, and wait for the end. @param {number} i */
  async kill(i) {
    const child = this.#processes[i];
    if (child === undefined) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await ended;
  }

  /** @param {number} i */
  wipe(i) {
    rmSync(join(this.folder, `n${i}`), { recursive: true, force: true });
  }

  async killAll() {
    await Promise.all(Array.from({ length: this.size }, (_, i) => this.kill(i)));
  }

  /** @param {number} i @returns {Promise<Record<string, any>>} */
  async status(i) {
    const answer = await request(this.host(i), { path: "/cluster" });
    if (answer.status !== 200) throw new Error(`n${i}: ${answer.status} ${answer.body}`);
    return JSON.parse(answer.body);
  }

  /** All live keys of a node, from a list of pages. @param {number} i */
  async contents(i) {
    const held = new Map();
    let cursor = "";
    do {
      const path = `/kv?values=true&limit=1000${cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`}`;
      const answer = await request(this.host(i), { path, timeoutMs: 20_000 });
      if (answer.status !== 200) throw new Error(`n${i}: ${answer.status} ${answer.body}`);
      const page = JSON.parse(answer.body);
      for (const item of page.items) held.set(item.key, JSON.stringify(item.value));
      cursor = page.cursor ?? "";
    } while (cursor !== "");
    return held;
  }
}
