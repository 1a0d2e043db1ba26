import assert from "node:assert/strict";
import { join } from "node:path";
import type { ClusterInfo, Readiness } from "@dnd/client";
import { Clock } from "./_test_clock.ts";
import { NodeProcess, freePorts, fullRunOnly } from "./_test_process.ts";
import { until, withFolder } from "./_test_utils.ts";

const hourMs = 3_600_000;
const patienceMs = 60_000;

const get = (node: NodeProcess, path: string): Promise<Response> => fetch(`${node.url}${path}`);

async function info(node: NodeProcess): Promise<ClusterInfo> {
  return (await (await get(node, "/cluster")).json()) as ClusterInfo;
}

async function put(node: NodeProcess, path: string): Promise<void> {
  const headers = { "content-type": "text/plain" };
  const answer = await fetch(`${node.url}/kv/${path}`, { method: "PUT", body: "1", headers });
  assert.equal(answer.status, 200);
}

async function status(node: NodeProcess, key: string): Promise<number> {
  return (await get(node, `/kv/${key}`)).status;
}

async function same(nodes: readonly NodeProcess[], keys: number): Promise<boolean> {
  const all = await Promise.all(nodes.map(info));
  return (
    all.every((one) => one.ready && one.keys === keys) &&
    new Set(all.map(({ digest }) => digest)).size === 1
  );
}

describe("processes with a clock that is an hour ahead (rule 8)", function () {
  this.timeout(600_000);
  const started: NodeProcess[] = [];

  before(function () {
    fullRunOnly(this, "three nodes and a clock that is wrong");
  });

  afterEach(async () => {
    await Promise.all(started.splice(0).map((node) => node.end("SIGKILL")));
  });

  async function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<NodeProcess> {
    const node = await NodeProcess.start(args, env);
    started.push(node);
    return node;
  }

  async function startTwo(root: string): Promise<[a: NodeProcess, b: NodeProcess]> {
    const a = await start(["start", ...freePorts(join(root, "a"))]);
    const b = await start(["join", a.field("gossip"), ...freePorts(join(root, "b"))]);
    return [a, b];
  }

  it("one that steps is not believed: its writes count, and values live as long as they should", () =>
    withFolder(async (root) => {
      const clock = new Clock(root, 0);
      const [a, b] = await startTwo(root);
      const options = freePorts(join(root, "c"));
      const c = await start(["join", a.field("gossip"), ...options], clock.env);
      await put(a, "half-an-hour?ttl=30m");
      await until("three that hold the same", () => same([a, b, c], 1), patienceMs);

      clock.set(hourMs);
      await until("a line about it", () => c.stderr.includes("the wall clock has stepped"));
      await put(c, "written-after?ttl=30m");
      for (const node of [a, b, c]) {
        await until("the write", async () => (await status(node, "written-after")) === 200);
        assert.equal(await status(node, "half-an-hour"), 200);
        const answer = await get(node, "/kv/written-after");
        const modified = Date.parse(answer.headers.get("last-modified") ?? "");
        assert.ok(Math.abs(modified - Date.now()) < hourMs / 2, "stamped by the time it is");
        const expires = Date.parse(answer.headers.get("dnd-expires") ?? "");
        assert.ok(Math.abs(expires - Date.now()) < hourMs, "expires by the time it is");
      }
      await until("the same on all", () => same([a, b, c], 2), patienceMs);
      for (const node of [a, b, c]) assert.equal((await node.end()).code, 0);
    }));

  it("one that starts so is not ready and says why, drops nothing early, and all counts when it is right again", () =>
    withFolder(async (root) => {
      const [a, b] = await startTwo(root);
      await put(a, "half-an-hour?ttl=30m");
      await until("two that hold the same", () => same([a, b], 1), patienceMs);
      const clock = new Clock(root, hourMs);
      const options = freePorts(join(root, "c"));
      const c = await start(["join", a.field("gossip"), ...options], clock.env);
      const reasons = async (): Promise<string> => {
        const readiness = (await (await get(c, "/health/ready")).json()) as Readiness;
        return (readiness.reasons ?? []).join();
      };
      // Rules 8 and 12: no answer that the value is not there, from the first one on.
      const answers = new Set<number>();
      await until(
        "it holds the value, and reads it by the others' clocks",
        async () => {
          const told = await status(c, "half-an-hour");
          answers.add(told);
          return told === 200;
        },
        patienceMs,
      );
      assert.deepEqual(
        [...answers].filter((told) => told !== 503),
        [200],
      );
      await until("it says so", async () => (await reasons()).includes("ahead"), patienceMs);
      await until(
        "the others know",
        async () => (await info(a)).members.some(({ skewed }) => skewed),
        patienceMs,
      );
      // A local write is always taken; the others wait until its stamp can be right.
      await put(c, "written-ahead");
      assert.equal(await status(a, "written-ahead"), 404);

      clock.set(0);
      await until("all is well", () => same([a, b, c], 2), patienceMs);
      for (const node of [a, b, c]) {
        assert.equal(await status(node, "half-an-hour"), 200);
        const answer = await get(node, "/kv/written-ahead");
        const modified = Date.parse(answer.headers.get("last-modified") ?? "");
        assert.ok(modified < Date.now() + hourMs / 2, "stamped anew");
      }
      // And its next write is no older than what it wrote before.
      await put(c, "written-ahead");
      await until("the same on all", () => same([a, b, c], 2), patienceMs);
      for (const node of [a, b, c]) assert.equal((await node.end()).code, 0);
    }));
});
