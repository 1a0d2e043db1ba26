// How long a split takes to heal: five real nodes in network namespaces, two cut off from three, and 1 % of
// the keys written while they are, half of it on each side. Run by `nx run replication:bench -- --only heal`;
// needs root, iproute2 and nftables.
//
//     node tools/bench/heal.mjs [--splits 20] [--split 60 (seconds)] [--keys 100000]
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { Cluster, request, until } from "../chaos/cluster.mjs";
import { Network, whyNot } from "../chaos/network.mjs";
import { quantile } from "./processes.mjs";

const { values: options } = parseArgs({
  options: {
    splits: { type: "string", default: "3" },
    split: { type: "string", default: "60" },
    keys: { type: "string", default: "100000" },
    inside: { type: "string" },
  },
});
const size = 5;
const splits = Number(options.splits);
const keys = Number(options.keys);

if (options.inside === undefined) {
  const reason = whyNot();
  if (reason !== undefined) {
    console.log(`heal         skipped: ${reason}`);
    process.exit(0);
  }
  const network = new Network(`heal${process.pid}`, size);
  let status = 1;
  try {
    network.create();
    const again = [import.meta.filename, ...process.argv.slice(2), "--inside", network.tag];
    const inside = ["netns", "exec", network.bridge, process.execPath, ...again];
    ({ status } = spawnSync("ip", inside, { stdio: "inherit" }));
  } finally {
    network.destroy();
  }
  process.exit(status ?? 1);
}

// From here on: inside the namespace of the bridge.
const folder = mkdtempSync(join(tmpdir(), "dnd-heal-"));
const network = new Network(options.inside, size);
const cluster = new Cluster(network, folder);
const all = Array.from({ length: size }, (_, i) => i);

/** @param {number} i @param {string} prefix @param {number} count */
async function fill(i, prefix, count) {
  for (let from = 0; from < count; from += 500) {
    const ops = [];
    for (let n = from; n < Math.min(count, from + 500); n++) {
      ops.push({ op: "put", key: `${prefix}${n}`, value: "v".repeat(100), encoding: "utf8" });
    }
    const call = { method: "POST", path: "/batch", body: JSON.stringify({ ops }) };
    const { status, body } = await request(cluster.host(i), { ...call, timeoutMs: 60_000 });
    if (status !== 200) throw new Error(`batch: ${status} ${body.slice(0, 200)}`);
  }
}

/** Whether all are equal and hold so many keys. @param {number} count */
async function areEqual(count) {
  const [first, ...rest] = await Promise.all(all.map((i) => cluster.status(i)));
  return first.keys === count && rest.every(({ digest }) => digest === first.digest);
}

try {
  const { openMap } = await import("@dnd/store-lmdb");
  const map = await openMap({ folder: join(folder, "n0") });
  for (let i = 0; i < keys; i++) {
    map.put(`key${i}`, new Uint8Array(100).fill(118), { now: Date.now() });
    if (i % 5000 === 4999) await map.committed();
  }
  await map.committed();
  for (const i of all.slice(1)) await map.engine.copy?.(join(folder, `n${i}`));
  await map.engine.close();
  await Promise.all(all.map((i) => cluster.start(i)));
  await until("equal", 120_000, () => areEqual(keys));
  let count = keys;
  const times = [];
  for (let run = 0; run < splits; run++) {
    network.split([3, 4]);
    const since = performance.now();
    await until("seen as dead", 60_000, async () => {
      const told = await Promise.all([cluster.status(0), cluster.status(3)]);
      const dead = told.map(({ members }) => members.filter((m) => m.state === "dead").length);
      return dead[0] === 2 && dead[1] === 3;
    });
    const half = keys / 200;
    await Promise.all([fill(0, `left${run}-`, half), fill(3, `right${run}-`, half)]);
    count += 2 * half;
    const rest = Number(options.split) * 1000 - (performance.now() - since);
    await new Promise((wake) => setTimeout(wake, rest));
    network.heal();
    const took = await until("healed", 120_000, () => areEqual(count));
    times.push(took);
    console.log(`heal         split ${run + 1} of ${splits}: equal after ${took} ms`);
  }
  const told = [0.5, 0.99, 1].map((part) => `${quantile(times, part)} ms`);
  console.log(
    `heal         5 nodes, ${keys} keys, two cut off from three for ${options.split} s, 0.5 % of the keys written on each side: equal after p50 ${told[0]}, p99 ${told[1]}, most ${told[2]} of ${splits}`,
  );
} finally {
  await cluster.killAll();
  rmSync(folder, { recursive: true, force: true });
}
