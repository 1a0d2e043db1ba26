import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Clock } from "./_test_clock.ts";
import { NodeProcess, freePorts, fullRunOnly, runDnd } from "./_test_process.ts";
import { until, withFolder } from "./_test_utils.ts";

const hourMs = 3_600_000;
const patienceMs = 120_000;

describe("a process that comes back after it was forgotten, and deletes with it (rules 1 and 3)", function () {
  this.timeout(600_000);
  const running = new Set<NodeProcess>();

  before(function () {
    fullRunOnly(this, "three nodes over two hours, by a clock that is set");
  });

  afterEach(async () => {
    await Promise.all([...running].map((node) => node.end("SIGKILL")));
    running.clear();
  });

  async function start(args: readonly string[], env: NodeJS.ProcessEnv): Promise<NodeProcess> {
    const node = await NodeProcess.start(args, env);
    running.add(node);
    return node;
  }

  async function stop(...nodes: readonly NodeProcess[]): Promise<void> {
    for (const node of nodes) {
      running.delete(node);
      assert.equal((await node.end()).code, 0);
    }
  }

  const status = async (node: NodeProcess, path: string): Promise<number> =>
    (await fetch(`${node.url}${path}`)).status;

  async function put(node: NodeProcess, key: string): Promise<void> {
    const headers = { "content-type": "text/plain" };
    const answer = await fetch(`${node.url}/kv/${key}`, { method: "PUT", body: key, headers });
    assert.equal(answer.status, 200);
  }

  const metric = async (node: NodeProcess, name: string): Promise<number> => {
    const text = await (await fetch(`${node.url}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? NaN);
  };

  const ready = (node: NodeProcess): Promise<void> =>
    until("ready", async () => (await status(node, "/health/ready")) === 200, patienceMs);

  const shown = (node: NodeProcess, key: string, told: number): Promise<void> =>
    until(`${key} is ${told}`, async () => (await status(node, `/kv/${key}`)) === told, patienceMs);

  it("brings back no delete, keeps what is newer, and sets the rest aside in a file that can be imported", () =>
    withFolder(async (root) => {
      const clock = new Clock(root, 0);
      const { env } = clock;
      const folders = ["a", "b", "c"].map((name) => freePorts(join(root, name)));
      const [onA = [], onB = [], onC = []] = folders;
      let a = await start(["start", ...onA], env);
      let b = await start(["join", a.field("gossip"), ...onB], env);
      let c = await start(["join", a.field("gossip"), ...onC], env);
      for (const node of [a, b, c]) await ready(node);
      await put(a, "deleted");
      for (const node of [b, c]) await shown(node, "deleted", 200);

      // c takes a write that nobody hears of, while the others are away; then they are there, and it is not.
      await stop(a, b);
      await put(c, "alone");
      await stop(c);
      a = await start(["start", ...onA], env);
      b = await start(["join", a.field("gossip"), ...onB], env);
      const id = c.field("node");
      await until(
        "c is forgotten",
        async () => {
          const body = JSON.stringify({ node: id });
          const headers = { "content-type": "application/json" };
          const url = `${a.url}/cluster/forget`;
          return (await fetch(url, { method: "POST", body, headers })).status === 200;
        },
        patienceMs,
      );
      await fetch(`${a.url}/kv/deleted`, { method: "DELETE" });
      await shown(b, "deleted", 404);

      // Two hours later the delete is forgotten: nobody that counts could bring the value back.
      await stop(a, b);
      clock.set(2 * hourMs);
      a = await start(["start", ...onA], env);
      b = await start(["join", a.field("gossip"), ...onB], env);
      for (const node of [a, b]) {
        const forgotten = async (): Promise<boolean> =>
          (await metric(node, "dnd_map_tombstones")) === 0;
        await until("the delete is forgotten", forgotten, patienceMs);
      }
      c = await start(["join", a.field("gossip"), ...onC], env);
      await shown(c, "deleted", 404);
      await shown(c, "alone", 404);
      await ready(c);
      for (const node of [a, b]) {
        for (const key of ["deleted", "alone"]) assert.equal(await status(node, `/kv/${key}`), 404);
      }
      assert.equal(await metric(c, "dnd_replication_set_aside"), 2);
      assert.match(c.stderr, /may have deleted: set aside \(rule 1\)/);
      const file = join(root, "c", "set-aside.ndjson");
      const keys = readFileSync(file, "utf8").trim().split("\n");
      assert.deepEqual(keys.map((line) => (JSON.parse(line) as { key: string }).key).sort(), [
        "alone",
        "deleted",
      ]);
      for (const name of ["a", "b"]) {
        assert.equal(existsSync(join(root, name, "set-aside.ndjson")), false);
      }
      await put(c, "again");
      await shown(b, "again", 200);
      const imported = await runDnd(["import", file, "--url", b.url]);
      assert.equal(imported.code, 0, imported.stderr);
      for (const node of [a, b, c]) await shown(node, "alone", 200);
      await stop(a, b, c);
    }));
});
