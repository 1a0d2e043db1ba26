import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClusterInfo } from "@dnd/client";
import { NodeProcess, freePorts, fullRunOnly, hangUp } from "./_test_process.ts";
import { until, withFolder } from "./_test_utils.ts";

const newKey = (): string => randomBytes(32).toString("base64");

async function info(node: NodeProcess): Promise<ClusterInfo> {
  return (await (await fetch(`${node.url}/cluster`)).json()) as ClusterInfo;
}

/** The machine may be busy with much else: what is waited for comes, but when is not the question. */
const patienceMs = 60_000;

/** Whether all of them are ready, and see just these alive. */
async function agree(nodes: readonly NodeProcess[]): Promise<boolean> {
  const all = await Promise.all(nodes.map(info));
  return all.every(({ ready, members }) => {
    return ready && members.filter(({ state }) => state === "alive").length === nodes.length;
  });
}

/** How many packets a node has dropped for a reason. */
async function dropped(node: NodeProcess, reason: "unsealed" | "wrong_key"): Promise<number> {
  const text = await (await fetch(`${node.url}/metrics`)).text();
  return Number(
    new RegExp(`^dnd_gossip_packets_dropped_${reason} (\\d+)$`, "m").exec(text)?.[1] ?? 0,
  );
}

/** Writes that wait for all members, one after the other, until they are told to end. */
class Writer {
  /** What was not answered 200. */
  readonly bad: string[] = [];
  readonly name: string;
  written = 0;
  readonly #ended: Promise<void>;
  #target: NodeProcess;
  #writing = true;
  #moved: (() => void)[] = [];

  constructor(target: NodeProcess, name: string) {
    this.#target = target;
    this.name = name;
    this.#ended = this.#run();
  }

  /** The node that is written to. */
  get target(): NodeProcess {
    return this.#target;
  }

  /** Writes to another node; resolves when the last write to the old one was answered. */
  move(target: NodeProcess): Promise<void> {
    this.#target = target;
    return new Promise((resolve) => this.#moved.push(resolve));
  }

  async end(): Promise<void> {
    this.#writing = false;
    await this.#ended;
  }

  async #run(): Promise<void> {
    while (this.#writing) {
      for (const resolve of this.#moved.splice(0)) resolve();
      const path = `/kv/${this.name}/${this.written}?w=all&timeout=30s`;
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${this.#target.url}${path}`, {
        ...{ method: "PUT", body: String(this.written), headers },
      });
      const text = await answer.text();
      if (answer.status !== 200) this.bad.push(`${path}: ${answer.status} ${text}`);
      this.written += 1;
    }
  }
}

/** All hold every write that was answered. */
async function checkAll(nodes: readonly NodeProcess[], writers: readonly Writer[]): Promise<void> {
  const keys = writers.reduce((sum, { written }) => sum + written, 0);
  assert.ok(keys > 0);
  assert.deepEqual(
    writers.flatMap(({ bad }) => bad),
    [],
  );
  await until("the same on all", async () => {
    const all = await Promise.all(nodes.map(info));
    return new Set(all.map(({ digest }) => digest)).size === 1 && all[0]?.keys === keys;
  });
}

describe("a sealed cluster of processes", function () {
  this.timeout(600_000);
  const started: NodeProcess[] = [];

  before(function () {
    fullRunOnly(this, "three nodes change their keys under load");
  });

  async function start(args: readonly string[]): Promise<NodeProcess> {
    const node = await NodeProcess.start(args);
    started.push(node);
    return node;
  }

  afterEach(async () => {
    await Promise.all(started.splice(0).map((node) => node.end("SIGKILL")));
  });

  it("keeps strangers out, and rotates its key by accept, use, retire and SIGHUP without loss", () =>
    withFolder(async (root) => {
      const [first, second] = [newKey(), newKey()];
      const file = (name: string): string => join(root, `${name}.keys`);
      const sealed = (name: string, ...keys: string[]): string[] => {
        writeFileSync(file(name), `# ${name}\n${keys.join("\n")}\n`);
        return [...freePorts(join(root, name)), "--key-file", file(name)];
      };
      const a = await start(["start", ...sealed("a", first)]);
      const seed = a.field("gossip");
      const b = await start(["join", seed, ...sealed("b", first)]);
      const c = await start(["join", seed, ...sealed("c", first)]);
      const nodes = [a, b, c];
      await until("three sealed nodes", () => agree(nodes), patienceMs);

      // Neither a node without keys nor one with another key gets in, and both are told from each other.
      const plain = await start(["join", seed, ...freePorts(join(root, "plain"))]);
      const other = await start(["join", seed, ...sealed("other", second)]);
      await until(
        "a packet without a seal",
        async () => (await dropped(a, "unsealed")) > 0,
        patienceMs,
      );
      await until(
        "a packet under another key",
        async () => (await dropped(a, "wrong_key")) > 0,
        patienceMs,
      );
      for (const stranger of [plain, other]) {
        assert.equal((await info(stranger)).members.length, 1);
        await stranger.end("SIGKILL");
      }
      for (const node of nodes) assert.equal((await info(node)).members.length, 3);

      const writers = nodes.map((node) => new Writer(node, node.field("node")));
      const moved = async (): Promise<void> => {
        const before = writers.map(({ written }) => written);
        await until("ten writes on each node", () => {
          return writers.every(({ written }, i) => written >= (before[i] ?? 0) + 10);
        });
      };
      const rotate = async (...keys: string[]): Promise<void> => {
        for (const [index, node] of nodes.entries()) {
          sealed("abc"[index] ?? "", ...keys);
          await hangUp(node);
          await moved();
        }
      };
      await moved();
      await rotate(first, second);
      await rotate(second, first);
      // Who knows only the new key is one of them now.
      const d = await start(["join", seed, ...sealed("d", second)]);
      await until("four nodes", () => agree([...nodes, d]), patienceMs);
      await rotate(second);
      const { length } = (await info(a)).members;
      const wrongBefore = await dropped(a, "wrong_key");
      const late = await start(["join", seed, ...sealed("late", first)]);
      await until("a packet under the retired key", async () => {
        return (await dropped(a, "wrong_key")) > wrongBefore;
      });
      assert.equal((await info(late)).members.length, 1);
      assert.equal((await info(a)).members.length, length);
      await moved();
      await Promise.all(writers.map((writer) => writer.end()));
      await checkAll([...nodes, d], writers);

      // A file that cannot be read leaves the keys as they are.
      writeFileSync(file("a"), "not a key\n");
      await hangUp(a, "refused");
      const answer = await fetch(`${a.url}/kv/last?w=all`, {
        ...{ method: "PUT", body: "1", headers: { "content-type": "application/json" } },
      });
      assert.equal(answer.status, 200);
      for (const node of [...nodes, d]) assert.equal((await node.end()).code, 0);
    }));

  it("is made of a running one by way of permissive, node by node and without loss", () =>
    withFolder(async (root) => {
      const file = join(root, "keys");
      writeFileSync(file, `${newKey()}\n`);
      const open = await start(["start", ...freePorts(join(root, "0"))]);
      const seed = open.field("gossip");
      const nodes = [open];
      for (const name of ["1", "2"]) {
        nodes.push(await start(["join", seed, ...freePorts(join(root, name))]));
      }
      await until("three open nodes", () => agree(nodes), patienceMs);
      const writers = nodes.map((node, index) => new Writer(node, String(index)));
      for (const mode of ["permissive", "required"]) {
        for (const [index, node] of nodes.entries()) {
          // Who writes here writes elsewhere while it restarts.
          const elsewhere = nodes[(index + 1) % 3] ?? node;
          await writers[index]?.move(elsewhere);
          assert.equal((await node.end()).code, 0);
          const options = ["--key-file", file, "--sealing", mode];
          const again = await start(["start", ...freePorts(join(root, String(index))), ...options]);
          nodes[index] = again;
          for (const writer of writers) if (writer.target === node) await writer.move(again);
          await until(`all see each other, ${index} is ${mode}`, () => agree(nodes), patienceMs);
          await writers[index]?.move(again);
        }
      }
      // From here on nothing is taken that is not sealed.
      const [a] = nodes;
      assert.ok(a);
      const plain = await start(["join", a.field("gossip"), ...freePorts(join(root, "plain"))]);
      await until(
        "a packet without a seal",
        async () => (await dropped(a, "unsealed")) > 0,
        patienceMs,
      );
      assert.equal((await info(plain)).members.length, 1);
      assert.equal((await info(a)).members.length, 3);
      await Promise.all(writers.map((writer) => writer.end()));
      await checkAll(nodes, writers);
      for (const node of nodes) assert.equal((await node.end()).code, 0);
    }));
});
