// The figures of packages/replication/README.md, measured on real processes of the built command.
//
//     nx run replication:bench                       all
//     nx run replication:bench -- --only latency     latency | join | difference | rate | burst | wire | heal | stopped
//     ... --keys 1000000 --seconds 60 --runs 3 --split 60 (seconds) --splits 20 (of heal, default 3)
//     ... --warm 10 (seconds before latency is measured)
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { Bench, Caller, Prober, cpuMs, quantile, until } from "./processes.mjs";

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    keys: { type: "string", default: "1000000" },
    seconds: { type: "string", default: "60" },
    runs: { type: "string", default: "3" },
    split: { type: "string", default: "60" },
    splits: { type: "string", default: "3" },
    warm: { type: "string", default: "10" },
  },
});
const keys = Number(options.keys);
const seconds = Number(options.seconds);
const runs = Number(options.runs);
const warm = Number(options.warm);
const octets = { "content-type": "application/octet-stream" };

/** @param {string} figure @param {string} text */
const row = (figure, text) => console.log(`${figure.padEnd(12)} ${text}`);
/** @param {number} value */
const ms = (value) => `${value.toFixed(2)} ms`;

/** Resident memory in MB. @param {number} pid */
function residentMb(pid) {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1] ?? NaN) / 1024;
}

/**
 * @param {Bench} bench
 * @param {number} size
 * @param {object} [more]
 */
async function cluster(bench, size, more) {
  const first = await bench.start("n0", [], more);
  const nodes = [first];
  for (let i = 1; i < size; i++) nodes.push(await bench.start(`n${i}`, [first.gossip], more));
  const callers = nodes.map((node) => new Caller(node, 8));
  await until("all ready", 60_000, async () => {
    const all = await Promise.all(callers.map((c) => c.status()));
    return all.every(
      (s) => s.ready && s.members.filter((m) => m.state === "alive").length === size,
    );
  });
  return { nodes, callers };
}

/** Adds keys of 100 bytes by batches of 1,000. @param {Caller} caller @param {number} count */
async function fill(caller, count, prefix = "key", bytes = 100) {
  const value = "v".repeat(bytes);
  let next = 0;
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (next < count) {
        const from = next;
        next += 1000;
        const ops = [];
        for (let i = from; i < Math.min(count, from + 1000); i++) {
          ops.push({ op: "put", key: `${prefix}${i}`, value, encoding: "utf8" });
        }
        const { status, body } = await caller.call("POST", "/batch", JSON.stringify({ ops }));
        if (status !== 200) throw new Error(`batch: ${status} ${body.slice(0, 300)}`);
      }
    }),
  );
}

/**
 * Makes a data folder with keys of 100 bytes before any node runs on it: a million through HTTP would take
 * longer than what is measured.
 *
 * @param {string} folder
 * @param {{ count?: number, copies?: string[], more?: number }} [extra] copies made of it, and keys added
 *   after that
 */
async function fillFolder(folder, { count = keys, copies = [], more = 0 } = {}) {
  const { openMap } = await import("@dnd/store-lmdb");
  const map = await openMap({ folder });
  const value = new Uint8Array(100).fill(118);
  const put = async (/** @type {string} */ prefix, /** @type {number} */ count) => {
    for (let i = 0; i < count; i++) {
      map.put(`${prefix}${i}`, value, { now: Date.now() });
      if (i % 5000 === 4999) await map.committed();
    }
    await map.committed();
  };
  await put("key", count);
  for (const copy of copies) await map.engine.copy?.(copy);
  await put("different", more);
  await map.engine.close();
}

/** The value of a metric, all its labels added up. @param {Caller} caller @param {RegExp} name */
async function metric(caller, name) {
  let sum = 0;
  for (const line of (await caller.call("GET", "/metrics")).body.split("\n")) {
    if (name.test(line)) sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}

const wireBytes =
  /^dnd_(gossip_udp_sent_bytes|replication_exchange_bytes_sent|replication_push_bytes_sent)\b/;

/** @type {Record<string, (bench: Bench) => Promise<void>>} */
const figures = {
  /**
   * From a PUT's answer until both others have answered a GET with it: 100 writes a second, durable. One
   * connection to each of the others asks again and again, without a pause, from the moment that the PUT is
   * sent until it is answered with the value. The moment of that answer counts; one that came before the
   * PUT's own answer counts as 0. The same connections measure what such a GET takes by itself. The first ten
   * seconds have a row of their own (`--warm`): there V8's compiler threads, for a few milliseconds at a time, take the
   * cores from processes that are as young as these.
   */
  async latency(bench) {
    const { nodes } = await cluster(bench, 3);
    const [writer, ...readers] = nodes.map((node) => new Prober(node));
    if (writer === undefined) throw new Error("no node");
    const put = async (/** @type {string} */ key, /** @type {string} */ value) => {
      const status = await writer.ask(Prober.request("PUT", `/kv/${key}`, value));
      if (status >= 300) throw new Error(`PUT: ${status}`);
      return performance.now();
    };
    for (let i = 0; i < 500; i++) await put(`warm${i}`, "1");
    let asked = 0;
    const poll = async (/** @type {Prober} */ reader, /** @type {Buffer} */ request) => {
      do asked += 1;
      while ((await reader.ask(request)) !== 200);
      return performance.now();
    };
    await Promise.all(readers.map((reader) => poll(reader, Prober.request("GET", "/kv/warm0"))));
    const both50and99 = (/** @type {number[]} */ of) =>
      `p50 ${ms(quantile(of, 0.5))}, p99 ${ms(quantile(of, 0.99))}`;
    let next = 0;
    const measure = async (/** @type {string} */ figure, /** @type {number} */ count) => {
      const times = [];
      const leads = [];
      const gets = [];
      const answers = [];
      asked = 0;
      const start = performance.now();
      for (let i = 0; i < count; i++) {
        const wait = start + i * 10 - performance.now();
        if (wait > 0) await new Promise((wake) => setTimeout(wake, wait));
        const key = `k${next++}`;
        const request = Prober.request("GET", `/kv/${key}`);
        const sent = performance.now();
        const polls = readers.map((reader) => poll(reader, request));
        const [answered, ...seen] = await Promise.all([put(key, String(i)), ...polls]);
        answers.push(answered - sent);
        times.push(Math.max(0, ...seen.map((at) => at - answered)));
        leads.push(answered - Math.max(...seen));
        if (i % 10 > 0) continue;
        const from = performance.now();
        await Promise.all(readers.map((reader) => reader.ask(request)));
        gets.push(performance.now() - from);
      }
      const before = leads.filter((lead) => lead >= 0).length / count;
      row(
        figure,
        `answer to visible on both others, ${count} durable writes at 100/s: ${both50and99(times)}; ${(before * 100).toFixed(1)} % were visible before the answer (at the median ${ms(quantile(leads, 0.5))} before); PUT itself ${both50and99(answers)}; ${(asked / count / 2).toFixed(1)} GETs for each write and node, two at once take ${both50and99(gets)}`,
      );
    };
    if (warm > 0) await measure("while young", warm * 100);
    await measure("latency", Math.min(6000, seconds * 100));
    for (const prober of [writer, ...readers]) prober.close();
  },

  /** A new node copies everything: keys a second until ready. */
  async join(bench) {
    await fillFolder(join(bench.folder, "n0"));
    const first = await bench.start("n0", []);
    const caller = new Caller(first, 4);
    await until("ready", 30_000, async () => (await caller.status()).ready);
    const start = performance.now();
    const second = await bench.start("n1", [first.gossip]);
    const joined = new Caller(second);
    const started = performance.now();
    const used = [first, second].map(({ pid }) => cpuMs(pid));
    await until(
      "copied",
      600_000,
      async () => {
        const status = await joined.status();
        return status.ready && status.keys === keys;
      },
      50,
    );
    const took = performance.now();
    const cost = [first, second].map(({ pid }, i) => ((cpuMs(pid) - used[i]) * 1000) / keys);
    row(
      "join",
      `${keys} keys of 100 bytes: ready after ${((took - started) / 1000).toFixed(1)} s, ${Math.round((keys / (took - started)) * 1000)} keys/s (process start ${ms(started - start)} not counted); processor time for each key ${cost.map((us) => us.toFixed(1)).join(" and ")} us at the sender and the receiver`,
    );
  },

  /** Two replicas that differ in 100 keys: until equal, and what it cost on the wire. */
  async difference(bench) {
    const folder = join(bench.folder, "n0");
    await fillFolder(folder, { copies: [join(bench.folder, "n1")], more: 100 });
    const first = await bench.start("n0", []);
    const a = new Caller(first);
    await until("ready", 30_000, async () => (await a.status()).ready);
    const before = await metric(a, wireBytes);
    const b = new Caller(await bench.start("n1", [first.gossip]));
    const took = await until(
      "equal",
      60_000,
      async () => {
        const [x, y] = await Promise.all([a.status(), b.status()]);
        return x.digest === y.digest && y.keys === keys + 100;
      },
      5,
    );
    const bytes = (await metric(a, wireBytes)) - before + (await metric(b, wireBytes));
    row(
      "difference",
      `${keys} keys, 100 differ: equal ${ms(took)} after the process answers, ${Math.round(bytes / 1000)} KB sent by both (gossip included)`,
    );
  },

  /** Bytes on the wire for each byte written, at 3, 5 and 10 nodes. */
  async wire(bench) {
    for (const size of [3, 5, 10]) {
      const inner = new Bench();
      try {
        const { callers } = await cluster(inner, size, { memory: true });
        const sum = async () =>
          (await Promise.all(callers.map((c) => metric(c, wireBytes)))).reduce((x, y) => x + y, 0);
        const writer = callers[0];
        if (writer === undefined) throw new Error("no node");
        const before = await sum();
        const count = 2000;
        const body = Buffer.alloc(1000, 1);
        for (let i = 0; i < count; i++) await writer.call("PUT", `/kv/w${i}`, body, octets);
        await until("everywhere", 30_000, async () => {
          const all = await Promise.all(callers.map((c) => c.status()));
          return all.every((s) => s.keys === count);
        });
        const ratio = ((await sum()) - before) / (count * body.length);
        row(
          "wire",
          `${size} nodes: ${ratio.toFixed(2)} bytes sent per byte written (1,000-byte values, idle gossip included)`,
        );
      } finally {
        await inner.end();
      }
    }
    void bench;
  },

  /** Durable writes through the library into one of three nodes; how far the others are behind. */
  async rate(bench) {
    const { createNode } = await import("@dnd/server");
    const { callers, nodes } = await cluster(bench, 2);
    const seeds = nodes.map((n) => n.gossip);
    const node = await createNode({ seeds, dataDir: join(bench.folder, "library") });
    await node.ready();
    const target = 20_000;
    // The same keys again and again: what grows in memory then is not the data.
    const distinct = Math.min(keys, 50_000);
    const value = new Uint8Array(100).fill(118);
    const used = [process, ...nodes].map(({ pid }) => cpuMs(pid));
    const start = performance.now();
    let written = 0;
    let worst = 0;
    let marks = 0;
    const memory = [];
    let waiting = 0;
    let failure;
    let marked = 0;
    let latest = 0;
    const mark = async (/** @type {string} */ key) => {
      await node.put(key, value);
      const at = performance.now();
      const behind = callers.map((c) =>
        until("mark", 60_000, async () => (await c.call("GET", `/kv/${key}`)).status === 200, 5),
      );
      await Promise.all(behind);
      worst = Math.max(worst, performance.now() - at);
      memory.push(nodes.map((n) => residentMb(n.pid)));
    };
    /** @type {Promise<void>[]} */
    const markers = [];
    // Each write has its moment; the time that a write was late is made up for by those that follow. A system
    // that is too slow shows as a lower rate, and as writes that are issued late.
    const total = Math.round(seconds * target);
    while (written < total && failure === undefined) {
      const elapsed = performance.now() - start;
      if (elapsed > seconds * 1000 + 1000) break;
      const due = Math.min(total, Math.floor((elapsed / 1000) * target));
      if (written < due) latest = Math.max(latest, elapsed - (written / target) * 1000);
      // As many as are due, but so many at most that wait for their commit: not more memory.
      while (written < due && waiting < 2_000) {
        waiting += 1;
        node.put(`r${written++ % distinct}`, value).then(
          () => (waiting -= 1),
          (error) => (failure = error),
        );
      }
      if (written - marked >= 20_000) {
        marked = written;
        markers.push(mark(`mark${(marks += 1)}`));
        markers.at(-1)?.catch((error) => (failure = error));
      }
      await new Promise((wake) => setImmediate(wake));
    }
    const issued = performance.now() - start;
    await until("committed", 60_000, async () => waiting === 0, 1);
    const durable = performance.now() - start;
    await Promise.all(markers);
    if (failure !== undefined) throw failure;
    const cost = [process, ...nodes].map(({ pid }, i) => ((cpuMs(pid) - used[i]) * 1000) / written);
    const settled = await until("equal", 60_000, async () => {
      const own = await node.cluster();
      const all = await Promise.all(callers.map((c) => c.status()));
      return all.every((s) => s.digest === own.digest && s.keys === own.keys);
    });
    const { keys: held } = await node.cluster();
    if (held !== Math.min(written, distinct) + marks) throw new Error(`${held} keys`);
    const dropped = await Promise.all(
      callers.map((c) => metric(c, /^dnd_replication_exchange_entries_received\b/)),
    );
    const half = memory.slice(Math.floor(memory.length / 2));
    row(
      "rate",
      `${written} writes in ${(issued / 1000).toFixed(3)} s, ${Math.round((written / issued) * 1000)} a second, into one of three (a write was issued ${ms(latest)} after its moment at most, the last was durable ${ms(durable - issued)} after it was issued): others at most ${ms(worst)} behind, all there ${ms(settled)} after the last; memory of the others ${half[0]?.map(Math.round).join(" and ")} MB at half time, ${half.at(-1)?.map(Math.round).join(" and ")} MB at the end; processor time for each write ${cost.map((us) => us.toFixed(1)).join(", ")} us (writer with this bench, others); ${dropped.join(" and ")} came by exchange`,
    );
    await node.close();
  },

  /** More writes in one turn than the outbox holds: until both others hold them all. */
  async burst(bench) {
    const { createNode } = await import("@dnd/server");
    const { callers, nodes } = await cluster(bench, 2);
    const seeds = nodes.map((n) => n.gossip);
    const node = await createNode({ seeds, dataDir: join(bench.folder, "library") });
    await node.ready();
    const count = Math.min(keys, 60_000);
    const value = new Uint8Array(100).fill(118);
    const times = [];
    for (let run = 0; run < runs; run++) {
      const puts = [];
      for (let i = 0; i < count; i++) puts.push(node.put(`burst${run}-${i}`, value));
      await Promise.all(puts);
      const equal = async () => {
        const own = await node.cluster();
        const all = await Promise.all(callers.map((c) => c.status()));
        return all.every((s) => s.digest === own.digest);
      };
      times.push(await until("equal", 120_000, equal, 10));
    }
    const came = /^dnd_replication_exchange_entries_received\b/;
    const exchanged = await Promise.all(callers.map((c) => metric(c, came)));
    row(
      "burst",
      `${count} writes in one turn, ${runs} times: on both others ${times.map(ms).join(", ")} after the last was durable; ${exchanged.join(" and ")} came by exchange`,
    );
    await node.close();
  },

  /** Splits in which both sides write: a program of its own, which runs in a network namespace. */
  async heal(bench) {
    const args = [join(import.meta.dirname, "heal.mjs"), "--splits", options.splits];
    args.push("--split", options.split, "--keys", String(Math.min(keys, 100_000)));
    const child = spawn(process.execPath, args, { stdio: "inherit" });
    const code = await new Promise((done) => child.once("exit", done));
    if (code !== 0) throw new Error(`ended with exit code ${code}`);
    void bench;
  },

  /** Five nodes, 1 % of the keys written while two were stopped (SIGSTOP): until all are equal again. */
  async stopped(bench) {
    const count = Math.min(keys, 100_000);
    const copies = ["n1", "n2", "n3", "n4"].map((name) => join(bench.folder, name));
    await fillFolder(join(bench.folder, "n0"), { count, copies });
    const { nodes, callers } = await cluster(bench, 5);
    const writer = callers[0];
    if (writer === undefined) throw new Error("no node");
    const equal = async () => {
      const all = await Promise.all(callers.map((c) => c.status()));
      return all.every((s) => s.digest === all[0].digest);
    };
    await until("copied", 300_000, equal);
    const times = [];
    for (let run = 0; run < runs; run++) {
      const away = nodes.slice(3);
      for (const node of away) process.kill(node.pid, "SIGSTOP");
      const since = performance.now();
      await until("dead", 60_000, async () => {
        const { members } = await writer.status();
        return members.filter((m) => m.state === "dead").length === 2;
      });
      await fill(writer, count / 100, `run${run}-`);
      const rest = Number(options.split) * 1000 - (performance.now() - since);
      await new Promise((wake) => setTimeout(wake, rest));
      for (const node of away) process.kill(node.pid, "SIGCONT");
      times.push(await until("healed", 120_000, equal));
    }
    row(
      "stopped",
      `5 nodes, ${count} keys, 1 % written while 2 were away for ${options.split} s: equal after ${times.map(ms).join(", ")}`,
    );
  },
};

for (const [name, measure] of Object.entries(figures)) {
  if (options.only !== undefined && options.only !== name) continue;
  const bench = new Bench();
  // Whoever stops the bench stops its nodes too.
  const stop = () => void bench.end().finally(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, stop);
  try {
    await measure(bench);
  } catch (error) {
    row(name, `FAILED: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"]) process.off(signal, stop);
    await bench.end();
  }
}
