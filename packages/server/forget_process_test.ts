import assert from "node:assert/strict";
import { join } from "node:path";
import { NodeProcess, freePorts } from "./_test_process.ts";
import { until, withFolder } from "./_test_utils.ts";

interface Member {
  readonly id: string;
  readonly state: string;
  readonly generation: number;
}

describe("forgetting a process (rule 3)", function () {
  this.timeout(60_000);
  const running: NodeProcess[] = [];

  afterEach(() => Promise.all(running.splice(0).map((node) => node.end("SIGKILL"))));

  async function start(...args: string[]): Promise<NodeProcess> {
    const node = await NodeProcess.start([...args, "--profile", "local"]);
    running.push(node);
    return node;
  }

  async function member(of: NodeProcess, id: string): Promise<Member | undefined> {
    const { members } = (await (await fetch(`${of.url}/cluster`)).json()) as { members: Member[] };
    return members.find((other) => other.id === id);
  }

  const becomes = (of: NodeProcess, id: string, state: string): Promise<void> =>
    until(`${id} is ${state}`, async () => (await member(of, id))?.state === state, 30_000);

  it("is on disk before it is answered: kill -9 undoes no word of the operator", () =>
    withFolder(async (root) => {
      const onA = freePorts(join(root, "a"));
      const first = await start("start", ...onA);
      const dies = await start("join", first.field("gossip"), ...freePorts(join(root, "b")));
      const died = dies.field("node");
      await becomes(first, died, "alive");
      await dies.end("SIGKILL");
      await becomes(first, died, "dead");
      const answer = await fetch(`${first.url}/cluster/forget`, {
        method: "POST",
        body: JSON.stringify({ node: died }),
        headers: { "content-type": "application/json" },
      });
      await first.end("SIGKILL");
      assert.equal(answer.status, 200);
      const again = await start("start", ...onA);
      assert.equal((await member(again, died))?.state, "forgotten");
    }));

  it("by itself, with --forget-after: who died, not who stopped; and who comes back is taken in again, with a new generation", () =>
    withFolder(async (root) => {
      const first = await start("start", ...freePorts(join(root, "a")), "--forget-after", "2s");
      const gossip = first.field("gossip");
      const stays = await start("join", gossip, ...freePorts(join(root, "b")));
      const dies = await start("join", gossip, ...freePorts(join(root, "c")));
      const [stayed, died] = [stays.field("node"), dies.field("node")];
      for (const id of [stayed, died]) await becomes(first, id, "alive");
      const { generation } = (await member(first, died)) ?? { generation: NaN };
      assert.equal((await fetch(`${dies.url}/kv/kept`, { method: "PUT", body: "1" })).status, 200);

      await stays.end();
      await becomes(first, stayed, "stopped");
      await dies.end("SIGKILL");
      await becomes(first, died, "forgotten");
      assert.equal((await member(first, stayed))?.state, "stopped");
      assert.match(first.stderr, /forgotten|forgot/);

      const again = await start("join", gossip, ...freePorts(join(root, "c")));
      assert.equal(again.field("node"), died);
      await becomes(first, died, "alive");
      const back = await member(first, died);
      assert.ok(back !== undefined && back.generation > generation);
      await until("it is ready", async () => (await fetch(`${again.url}/health/ready`)).ok);
      for (const node of [first, again]) {
        assert.equal(await (await fetch(`${node.url}/kv/kept`)).text(), "1");
      }
    }));
});
