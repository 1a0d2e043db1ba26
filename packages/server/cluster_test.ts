import assert from "node:assert/strict";
import { join } from "node:path";
import type { ClusterInfo } from "@dnd/client";
import { NodeProcess, freePorts } from "./_test_process.ts";
import { until, withFolder } from "./_test_utils.ts";

async function body(url: string): Promise<string | undefined> {
  const response = await fetch(url);
  const text = await response.text();
  return response.status === 200 ? text : undefined;
}

async function cluster(node: NodeProcess): Promise<ClusterInfo> {
  return (await (await fetch(`${node.url}/cluster`)).json()) as ClusterInfo;
}

/** Whether all nodes hold the same, by their digests. */
async function equalDigests(nodes: readonly NodeProcess[]): Promise<boolean> {
  const digests = await Promise.all(nodes.map(async (node) => (await cluster(node)).digest));
  return new Set(digests).size === 1;
}

async function stateOf(node: NodeProcess, of: NodeProcess): Promise<string | undefined> {
  const { members } = await cluster(node);
  return members.find(({ id }) => id === of.field("node"))?.state;
}

const curl = (value: string): RequestInit => ({
  method: "POST",
  body: value,
  headers: { "content-type": "application/x-www-form-urlencoded" },
});

describe("three nodes as processes", function () {
  this.timeout(120_000);

  it("do the main job: replicate, survive kill -9, heal, and take a late node in", () =>
    withFolder(async (root) => {
      const folder = (name: string): string => join(root, name);
      const started: NodeProcess[] = [];
      const start = async (args: readonly string[]): Promise<NodeProcess> => {
        const node = await NodeProcess.start(args);
        started.push(node);
        return node;
      };
      try {
        const a = await start(["start", ...freePorts(folder("a"))]);
        const seed = a.field("gossip");
        const b = await start(["join", seed, ...freePorts(folder("b"))]);
        const c = await start([...freePorts(folder("c")), "join", seed]);
        for (const node of [a, b, c]) {
          await until(
            "ready",
            async () => (await fetch(`${node.url}/health/ready`)).status === 200,
          );
        }

        // The line of the manual, on one node; the value from the other two.
        const answer = await fetch(`${a.url}/kv/user1`, curl('{"name": "Jack"}'));
        assert.equal(await answer.text(), "OK");
        for (const node of [b, c]) {
          await until(
            "the value",
            async () => (await body(`${node.url}/kv/user1`)) === '{"name": "Jack"}',
            5_000,
          );
        }

        // Larger than any packet.
        const large = JSON.stringify("x".repeat(300_000));
        assert.equal((await fetch(`${b.url}/kv/large`, curl(large))).status, 200);
        for (const node of [a, c]) {
          await until("300 KB", async () => (await body(`${node.url}/kv/large`)) === large);
        }

        // Many, in batches.
        for (let n = 0; n < 10; n += 1) {
          const ops = Array.from({ length: 1000 }, (_, i) => ({
            op: "put",
            key: `many/${n}/${i}`,
            value: i,
          }));
          const batch = await fetch(`${c.url}/batch`, {
            method: "POST",
            body: JSON.stringify({ ops }),
          });
          assert.equal(batch.status, 200);
        }
        await until("10,002 keys on all", async () =>
          (await Promise.all([a, b, c].map(cluster))).every(({ keys }) => keys === 10_002),
        );
        await until("equal digests", () => equalDigests([a, b, c]));

        // kill -9: noticed by both, and everything is there after a restart with plain `start`.
        await b.end("SIGKILL");
        await until(
          "b is dead for both",
          async () => (await stateOf(a, b)) === "dead" && (await stateOf(c, b)) === "dead",
          15_000,
        );
        assert.equal((await fetch(`${a.url}/kv/missed`, curl("1"))).status, 200);
        await fetch(`${c.url}/kv/user1`, { method: "DELETE" });
        const again = await start(["start", ...freePorts(folder("b"))]);
        assert.equal(again.field("node"), b.field("node"));
        assert.equal(await body(`${again.url}/kv/large`), large);
        await until(
          "the missed write",
          async () => (await body(`${again.url}/kv/missed`)) === "1",
          10_000,
        );
        await until("the missed delete", async () => {
          return (await fetch(`${again.url}/kv/user1`)).status === 404;
        });

        // Stopped is not dead, and both sides' writes survive.
        assert.equal((await c.end("SIGTERM")).code, 0);
        await until("c is stopped", async () => (await stateOf(a, c)) === "stopped", 5_000);
        await fetch(`${a.url}/kv/while-c-was-away`, curl("1"));
        const late = await start(["join", a.field("gossip"), ...freePorts(folder("d"))]);
        const back = await start(["start", ...freePorts(folder("c"))]);
        await fetch(`${back.url}/kv/from-c`, curl("2"));
        for (const node of [a, again, back, late]) {
          await until("both writes", async () => {
            return (
              (await body(`${node.url}/kv/while-c-was-away`)) === "1" &&
              (await body(`${node.url}/kv/from-c`)) === "2"
            );
          });
        }
        await until("equal digests of four", () => equalDigests([a, again, back, late]));
        assert.equal((await cluster(late)).keys, 10_004);
      } finally {
        await Promise.all(started.map((node) => node.end("SIGKILL")));
      }
    }));

  it("keeps every write that was answered through kill -9", () =>
    withFolder(async (root) => {
      const node = await NodeProcess.start(["start", ...freePorts(root)]);
      const acknowledged: string[] = [];
      let writing = true;
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        for (let n = 0; writing; n += 1) {
          const key = `${writer}/${n}`;
          try {
            const response = await fetch(`${node.url}/kv/${key}`, curl(String(n)));
            if (response.status === 200) acknowledged.push(key);
          } catch {
            return;
          }
        }
      });
      await until("500 writes", () => acknowledged.length >= 500);
      await node.end("SIGKILL");
      writing = false;
      await Promise.all(writers);
      const again = await NodeProcess.start(["start", ...freePorts(root)]);
      try {
        for (const key of acknowledged) {
          assert.equal(await body(`${again.url}/kv/${key}`), key.split("/")[1]);
        }
        assert.equal(again.field("node"), node.field("node"));
      } finally {
        assert.equal((await again.end()).code, 0);
      }
    }));
});
