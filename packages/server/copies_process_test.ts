import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import type { ClusterInfo } from "@dnd/client";
import { NodeProcess, freePorts, fullRunOnly } from "./_test_process.ts";
import { until, withFolder } from "./_test_utils.ts";
import { AloneLink } from "./peer/_alone_link.ts";
import { startNode } from "./start_node.ts";

async function info(node: NodeProcess): Promise<ClusterInfo> {
  return (await (await fetch(`${node.url}/cluster`)).json()) as ClusterInfo;
}

async function put(node: NodeProcess, key: string, value: string): Promise<number> {
  const headers = { "content-type": "text/plain" };
  return (await fetch(`${node.url}/kv/${key}`, { method: "PUT", body: value, headers })).status;
}

/** The last ready line: a process that takes a new id says another one. */
function idOf(node: NodeProcess): string {
  return node.stdout.match(/(?<=node=)\S+/g)?.at(-1) ?? "";
}

describe("two processes on copies of one data folder (rule 19)", function () {
  this.timeout(120_000);

  it("end with two ids, hold the same, and lose nothing that either of them has answered", function () {
    fullRunOnly(this, "five processes");
    return withFolder(async (root) => {
      const folder = (name: string): string => join(root, name);
      const started: NodeProcess[] = [];
      const start = async (...args: string[]): Promise<NodeProcess> => {
        const node = await NodeProcess.start(args);
        started.push(node);
        return node;
      };
      try {
        const first = await start("start", ...freePorts(folder("a")));
        const other = await start("join", first.field("gossip"), ...freePorts(folder("b")));
        await until("two", async () => (await info(other)).members.length === 2);
        for (let n = 0; n < 50; n += 1) assert.equal(await put(first, `before/${n}`, "1"), 200);
        assert.equal((await first.end()).code, 0);
        cpSync(folder("a"), folder("copy"), { recursive: true });

        // Both start with the same id and the same generation, and both take writes at once.
        const nodes = await Promise.all([
          start("start", ...freePorts(folder("a"))),
          start("start", ...freePorts(folder("copy"))),
        ]);
        const [a, copy] = nodes;
        assert.ok(a && copy);
        for (let n = 0; n < 20; n += 1) {
          for (const [name, node] of [
            ["a", a],
            ["copy", copy],
          ] as const) {
            await until("a write that is taken", async () => {
              // Between two ids a process answers nothing, or that it stops.
              const url = /(?<=http=)\S+/g;
              const address = node.stdout.match(url)?.at(-1) ?? "";
              const headers = { "content-type": "text/plain" };
              const init = { method: "PUT", body: "1", headers };
              const target = `http://${address}/kv/${name}/${n}`;
              return (await fetch(target, init).catch(() => undefined))?.status === 200;
            });
          }
        }
        await until("two ids", () => idOf(a) !== idOf(copy), 60_000);
        const all = (): NodeProcess[] => [a, copy, other];
        const infoNow = async (node: NodeProcess): Promise<ClusterInfo> => {
          const address = node.stdout.match(/(?<=http=)\S+/g)?.at(-1) ?? "";
          return (await (await fetch(`http://${address}/cluster`)).json()) as ClusterInfo;
        };
        await until(
          "three that hold the same",
          async () => {
            const infos = await Promise.all(all().map(infoNow)).catch(() => []);
            return (
              infos.length === 3 &&
              infos.every(({ ready, keys, members }) => {
                const alive = members.filter(({ state }) => state === "alive");
                return ready && keys === 90 && alive.length === 3;
              }) &&
              new Set(infos.map(({ digest }) => digest)).size === 1 &&
              new Set(infos.map(({ node }) => node)).size === 3
            );
          },
          60_000,
        );
        // The new ids are kept.
        const ids = [idOf(a), idOf(copy)];
        for (const node of [a, copy]) {
          const { code, stderr } = await node.end();
          assert.equal(code, 0, stderr);
        }
        const again = [
          await start("start", ...freePorts(folder("a"))),
          await start("start", ...freePorts(folder("copy"))),
        ];
        assert.deepEqual(again.map(idOf), ids);
        for (const node of [...again, other]) assert.equal((await node.end()).code, 0);
      } finally {
        await Promise.all(started.map((node) => node.end("SIGKILL")));
      }
    });
  });

  it("leave no port open that was about to be opened when the copy was noticed", async () => {
    const node = await startNode(
      { http: {} },
      {
        link: async ({ map, onCopy }) => {
          onCopy();
          return new AloneLink(map);
        },
      },
    );
    assert.equal((await node.ended).reason, "copy");
    await assert.rejects(fetch(`http://127.0.0.1:${node.httpPort}/health`));
  });
});
