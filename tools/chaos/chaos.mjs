// Real faults on real processes: five nodes in network namespaces, written to all the time, while links
// lose packets, go deaf one way or split, and processes are paused, killed and wiped. It ends when
// everything is healed and all digests are equal, then compares every node with what was promised.
//
//     npm run chaos -- [--seed 1] [--split-seconds 60] [--scale 1] [--rounds 1] [--sabotage]
//
// `--scale` multiplies the time that every other fault stands: 0.2 makes a run of about a minute.
// Needs root and the Debian packages iproute2 and nftables; elsewhere it says so and ends with 0.
// `--sabotage` breaks the cluster behind the back of the ledger (a write for a deleted key, a value
// replaced, unknown to it) and succeeds only if both are found: the check has teeth.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { Cluster, request, until } from "./cluster.mjs";
import { FaultProxy, clean } from "./fault_proxy.mjs";
import { Ledger } from "./ledger.mjs";
import { Network, whyNot } from "./network.mjs";

const { values: options } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    "split-seconds": { type: "string", default: "60" },
    scale: { type: "string", default: "1" },
    rounds: { type: "string", default: "1" },
    sabotage: { type: "boolean", default: false },
    inside: { type: "string" },
  },
});

const nodes = 5;

if (options.inside === undefined) {
  const reason = whyNot();
  if (reason !== undefined) {
    console.log(`chaos: skipped: ${reason}`);
    process.exit(0);
  }
  const network = new Network(`dnd${process.pid}`, nodes);
  let status = 1;
  try {
    network.create();
    const again = [process.execPath, import.meta.filename, ...process.argv.slice(2)];
    ({ status } = spawnSync(
      "ip",
      ["netns", "exec", network.bridge, ...again, "--inside", network.tag],
      { stdio: "inherit" },
    ));
  } finally {
    network.destroy();
  }
  process.exit(status ?? 1);
}

// From here on: inside the namespace of the bridge.
let state = Number(options.seed) >>> 0;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
/** @param {number} n */
const below = (n) => Math.floor(random() * n);
/** @param {number} ms */
const pause = (ms) => new Promise((wake) => setTimeout(wake, ms));
const scale = Number(options.scale);
/** How long a fault stands: scaled. @param {number} seconds */
const stand = (seconds) => pause(seconds * 1000 * scale);
/** @param {number} seconds */
const told = (seconds) => `${Math.round(seconds * scale * 10) / 10} s`;

const began = Date.now();
/** @param {string} line */
function say(line) {
  console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`);
}

const folder = mkdtempSync(join(tmpdir(), "dnd-chaos-"));
const keyFile = join(folder, "keys");
writeFileSync(keyFile, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600 });
const network = new Network(options.inside, nodes);
const cluster = new Cluster(network, folder, keyFile);
const ledger = new Ledger();
let unexpected = 0;
cluster.onDeath = (i, code, log) => {
  unexpected += 1;
  say(`n${i} ENDED BY ITSELF with exit code ${code}\n${log}`);
};

/** Nodes that take no write now. @type {Set<number>} */
const resting = new Set();
let writing = true;
let serial = 0;
/** Why outcomes are open. @type {Map<string, number>} */
const reasons = new Map();
/** @param {string} reason */
const note = (reason) => reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

/** Writes to one node until told to stop, about 40 a second, one in eight a delete. @param {number} i */
async function writer(i) {
  while (writing) {
    await pause(10 + below(30));
    if (resting.has(i) || !cluster.running(i)) continue;
    const key = `n${i}-${below(400)}`;
    const remove = random() < 0.125;
    const value = remove ? undefined : JSON.stringify({ serial: ++serial });
    const call = { method: remove ? "DELETE" : "PUT", path: `/kv/${key}`, body: value, agent };
    try {
      const { status } = await request(cluster.host(i), call);
      if (status === 200 || status === 204) ledger.record(key, value, true);
      else {
        note(String(status));
        if (status >= 500) ledger.record(key, value, false);
      }
    } catch (error) {
      note(error.code ?? error.message);
      // A refused connection is the one failure that says for sure that nothing was written.
      if (error.code !== "ECONNREFUSED") ledger.record(key, value, false);
    }
  }
}

/** @param {string} what @param {() => Promise<void>} act */
async function fault(what, act) {
  say(what);
  await act();
}

/** A write on this node is on the others too, so that wiping it loses nothing. @param {number} i */
async function drained(i) {
  resting.add(i);
  await pause(6000); // longer than a request may take: no write of ours is still on its way
  const key = `n${i}-drained`;
  const value = JSON.stringify({ serial: ++serial });
  const { status } = await request(cluster.host(i), {
    method: "PUT",
    path: `/kv/${key}`,
    body: value,
  });
  if (status !== 200) throw new Error(`n${i} refused a write: ${status}`);
  ledger.record(key, value, true);
  const others = Array.from({ length: nodes }, (_, j) => j).filter((j) => j !== i);
  const own = [...(await cluster.contents(i))].filter(([k]) => k.startsWith(`n${i}-`));
  await until(`the writes of n${i} are on n${others[0]}`, 60_000, async () => {
    const held = await cluster.contents(others[0] ?? 0);
    return own.every(([k, v]) => held.get(k) === v);
  });
}

async function agreed() {
  const all = await Promise.all(Array.from({ length: nodes }, (_, i) => cluster.status(i)));
  return (
    all.every((s) => s.ready) &&
    new Set(all.map((s) => s.digest)).size === 1 &&
    all.every((s) => s.members.filter((m) => m.state === "alive").length === nodes)
  );
}

const splitMs = Number(options["split-seconds"]) * 1000;
let exitCode = 1;
/** @type {FaultProxy[]} */
const proxies = [];
try {
  say(`five nodes, seed ${options.seed}, data in ${folder}`);
  for (let i = 0; i < nodes; i++) await cluster.start(i);
  say(`all see each other after ${await until("five members", 60_000, agreed)} ms`);
  const writers = Array.from({ length: nodes }, (_, i) => writer(i));
  for (let round = 0; round < Number(options.rounds); round++) {
    await fault(`loss of 20 % everywhere for ${told(15)}`, async () => {
      network.lose(20);
      await stand(15);
      network.heal();
    });
    const deaf = below(nodes);
    await fault(
      `n${deaf} hears n${(deaf + 1) % nodes} no more, one way, for ${told(15)}`,
      async () => {
        network.cutOneWay((deaf + 1) % nodes, deaf);
        await stand(15);
        network.heal();
      },
    );
    const a = below(nodes);
    const side = [a, (a + 1 + below(nodes - 1)) % nodes];
    await fault(`split for ${splitMs / 1000} s: n${side.join(" n")} | the rest`, async () => {
      network.split(side);
      await pause(splitMs);
      network.heal();
      say("healed");
    });
    const frozen = below(nodes);
    await fault(`SIGSTOP n${frozen} for ${told(20)}`, async () => {
      resting.add(frozen);
      cluster.signal(frozen, "SIGSTOP");
      await stand(20);
      cluster.signal(frozen, "SIGCONT");
      resting.delete(frozen);
    });
    for (let n = 0; n < 3; n++) {
      const killed = below(nodes);
      await fault(`kill -9 n${killed}, start again after ${told(5)}`, async () => {
        await cluster.kill(killed);
        await stand(5);
        await cluster.start(killed);
      });
    }
    const wiped = below(nodes);
    await fault(
      `n${wiped}: wait until its writes are elsewhere, kill -9, wipe the folder`,
      async () => {
        await drained(wiped);
        await cluster.kill(wiped);
        cluster.wipe(wiped);
        await cluster.start(wiped);
        resting.delete(wiped);
      },
    );
    const split = [below(nodes)];
    const dead = (split[0] + 1 + below(nodes - 1)) % nodes;
    await fault(
      `split n${split[0]} off, and kill -9 n${dead} meanwhile, for ${told(20)}`,
      async () => {
        network.split(split);
        await cluster.kill(dead);
        await stand(20);
        network.heal();
        await cluster.start(dead);
      },
    );
  }

  await fault(
    `all nodes behind fault proxies: 5 to 55 ms late, 10 % twice, 5 % lost, for ${told(30)}`,
    async () => {
      for (let i = 0; i < nodes; i++) {
        const target = { address: cluster.host(i), port: 5000 };
        const proxy = new FaultProxy({
          address: network.proxyAddress(i),
          port: 5000,
          target,
          random,
        });
        await proxy.listen();
        proxies.push(proxy);
        await cluster.kill(i);
        await cluster.start(i, { advertise: `${network.proxyAddress(i)}:5000` });
      }
      const faults = { delayMs: 5, jitterMs: 50, duplicate: 0.1, drop: 0.05, cut: 0.002 };
      for (const proxy of proxies) proxy.faults = faults;
      await stand(30);
      for (const proxy of proxies) proxy.faults = clean;
      const sum = (name) => proxies.reduce((total, p) => total + p.counts[name], 0);
      say(
        `proxies: ${sum("datagrams")} datagrams, ${sum("duplicated")} twice, ${sum("dropped")} dropped, ${sum("streams")} streams, ${sum("cut")} cut`,
      );
    },
  );

  writing = false;
  await Promise.all(writers);
  say(`quiet: ${ledger.promised} writes promised (${ledger.deletes} deletes), ${ledger.open} open`);
  say(`not answered with a promise: ${[...reasons].map(([r, n]) => `${r} ${n}`).join(", ")}`);
  say(`all digests equal after ${await until("digests equal", 120_000, agreed)} ms`);

  if (options.sabotage) {
    const victims = [...(await cluster.contents(0))].filter(([key]) => key.startsWith("n0-"));
    const changed = victims[0]?.[0] ?? "";
    ledger.record("n0-sabotage", undefined, true);
    for (const key of [changed, "n0-sabotage"]) {
      await request(cluster.host(0), { method: "PUT", path: `/kv/${key}`, body: '"sabotage"' });
    }
    await until("digests equal", 60_000, agreed);
  }

  let lost = 0;
  let back = 0;
  for (let i = 0; i < nodes; i++) {
    const found = ledger.check(await cluster.contents(i));
    lost += found.lost.length;
    back += found.back.length;
    for (const line of [...found.lost, ...found.back].slice(0, 10)) say(`n${i}: ${line}`);
  }
  say(
    `${lost} acknowledged writes lost, ${back} deletes back, ${unexpected} nodes ended by themselves`,
  );
  if (options.sabotage) {
    exitCode = lost >= nodes && back >= nodes ? 0 : 1;
    say(exitCode === 0 ? "the sabotage was found" : "the sabotage was NOT found");
  } else exitCode = lost + back + unexpected === 0 ? 0 : 1;
} catch (error) {
  say(`FAILED: ${error instanceof Error ? error.stack : error}`);
  for (let i = 0; i < nodes; i++) {
    const status = await cluster.status(i).catch((e) => ({ error: String(e) }));
    say(`n${i}: ${JSON.stringify(status)}`);
  }
} finally {
  writing = false;
  for (const proxy of proxies) proxy.close();
  await cluster.killAll();
  if (exitCode === 0) rmSync(folder, { recursive: true, force: true });
}
say(exitCode === 0 ? "chaos: passed" : `chaos: FAILED (seed ${options.seed}, logs in ${folder})`);
process.exit(exitCode);
