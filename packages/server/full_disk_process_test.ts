import assert from "node:assert/strict";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClusterInfo, Readiness } from "@dnd/client";
import { TestDisk } from "./_test_disk.ts";
import { NodeProcess, freePorts, fullRunOnly } from "./_test_process.ts";
import { until, withFolder } from "./_test_utils.ts";

interface Problem {
  readonly code?: string;
  readonly outcome?: string;
  readonly detail?: string;
}

async function send(
  node: NodeProcess,
  method: string,
  path: string,
  body?: string,
  type = "text/plain",
): Promise<{ status: number; text: string; problem: Problem; headers: Headers }> {
  const response = await fetch(`${node.url}${path}`, {
    method,
    ...(body === undefined ? {} : { body, headers: { "content-type": type } }),
  });
  const text = await response.text();
  const isProblem = response.headers.get("content-type") === "application/problem+json";
  return {
    status: response.status,
    text,
    problem: isProblem ? (JSON.parse(text) as Problem) : {},
    headers: response.headers,
  };
}

async function readiness(node: NodeProcess): Promise<Readiness> {
  return JSON.parse((await send(node, "GET", "/health/ready")).text) as Readiness;
}

async function info(node: NodeProcess): Promise<ClusterInfo> {
  return JSON.parse((await send(node, "GET", "/cluster")).text) as ClusterInfo;
}

const megabyte = 1024 * 1024;
/** Text of so many bytes, another one for each seed. */
const filler = (bytes: number, seed: number): string =>
  Array.from({ length: bytes / 8 }, (_, i) =>
    (Math.imul(i + 1, 2654435761 + seed) >>> 0).toString(16).padStart(8, "0"),
  ).join("");

describe("a process on a disk that is full (rule 17)", function () {
  this.timeout(120_000);

  it("reads go on, writes are refused `storage-full`, and are taken again when there is room", async function () {
    const disk = TestDisk.make(this, "small", 40);
    try {
      const folder = join(disk.folder, "data");
      const node = await NodeProcess.start(["start", ...freePorts(folder)]);
      try {
        await until("ready", async () => (await readiness(node)).ready);
        assert.equal((await send(node, "PUT", "/kv/a", "before")).status, 200);
        const blocker = join(disk.folder, "blocker");
        assert.throws(() => writeFileSync(blocker, Buffer.alloc(64 * megabyte)), /ENOSPC/);

        await until("a refused write", async () => {
          return (await send(node, "PUT", "/kv/a", "while full")).status === 507;
        });
        for (const [method, path, body] of [
          ["PUT", "/kv/b", "while full"],
          ["POST", "/kv/b", "while full"],
          ["DELETE", "/kv/a", undefined],
          ["PUT", "/kv/b?w=all", "while full"],
        ] as const) {
          const { status, problem } = await send(node, method, path, body);
          assert.deepEqual(
            [status, problem.code, problem.outcome],
            [507, "storage-full", "not-applied"],
            `${method} ${path}`,
          );
        }
        const ops = [
          { op: "get", key: "a" },
          { op: "put", key: "b", value: 1 },
        ];
        const batch = await send(node, "POST", "/batch", JSON.stringify({ ops }));
        assert.equal(batch.status, 200);
        const { results } = JSON.parse(batch.text) as { results: { status: number }[] };
        assert.deepEqual(
          results.map(({ status }) => status),
          [200, 507],
        );
        const read = await send(node, "GET", "/kv/a");
        assert.equal(read.status, 200);
        assert.equal((await send(node, "GET", "/kv/b")).status, 404);
        assert.equal((await send(node, "GET", "/kv")).status, 200);
        const { ready, reasons } = await readiness(node);
        assert.equal(ready, false);
        assert.match((reasons ?? []).join(), /room|full|space/);
        const { text: held } = read;

        rmSync(blocker);
        await until("a write that is taken", async () => {
          return (await send(node, "PUT", "/kv/b", "after")).status === 200;
        });
        assert.equal((await readiness(node)).ready, true);
        assert.equal((await node.end("SIGKILL")).signal, "SIGKILL");
        const again = await NodeProcess.start(["start", ...freePorts(folder)]);
        assert.equal((await send(again, "GET", "/kv/a")).text, held);
        assert.equal((await send(again, "GET", "/kv/b")).text, "after");
        assert.equal((await again.end()).code, 0);
      } finally {
        await node.end("SIGKILL");
      }
    } finally {
      disk.remove();
    }
  });

  it("what it has filled by itself is all there, also after kill -9", async function () {
    fullRunOnly(this, "a disk is filled");
    const disk = TestDisk.make(this, "small", 24);
    const folder = join(disk.folder, "data");
    let node = await NodeProcess.start(["start", ...freePorts(folder)]);
    try {
      const kept: number[] = [];
      let refused = 0;
      await until("20 refused writes", async () => {
        const n = kept.length + refused;
        const { status, problem } = await send(node, "PUT", `/kv/${n}`, filler(100_000, n));
        if (status === 200) kept.push(n);
        else {
          assert.deepEqual([status, problem.code], [507, "storage-full"]);
          refused += 1;
        }
        return refused >= 20;
      });
      assert.ok(kept.length > 20, `${kept.length} values`);
      await node.end("SIGKILL");
      node = await NodeProcess.start(["start", ...freePorts(folder)]);
      assert.equal((await info(node)).keys, kept.length);
      for (const n of kept) {
        assert.equal((await send(node, "GET", `/kv/${n}`)).text, filler(100_000, n));
      }
      disk.resize(48);
      await until("room", async () => (await send(node, "PUT", "/kv/more", "1")).status === 200);
      assert.equal((await node.end()).code, 0);
    } finally {
      await node.end("SIGKILL");
      disk.remove();
    }
  });

  it("outlives what the other members write, and catches up when there is room", function () {
    fullRunOnly(this, "60 MB are written");
    const disk = TestDisk.make(this, "small", 30);
    return withFolder(async (root) => {
      const large = await NodeProcess.start(["start", ...freePorts(join(root, "large"))]);
      const joining = ["join", large.field("gossip")];
      const small = await NodeProcess.start([...joining, ...freePorts(join(disk.folder, "data"))]);
      try {
        await until("ready", async () => (await readiness(small)).ready);
        assert.equal((await send(small, "PUT", "/kv/early", "1")).status, 200);
        for (let n = 0; n < 600; n += 1) {
          assert.equal((await send(large, "PUT", `/kv/${n}`, filler(100_000, n))).status, 200);
        }
        await until("the small one is full", async () => {
          return (await send(small, "PUT", "/kv/late", "1")).status === 507;
        });
        assert.equal((await readiness(small)).ready, false);
        assert.equal((await send(small, "GET", "/kv/early")).text, "1");
        assert.equal((await send(large, "PUT", "/kv/late", "1")).status, 200);
        disk.resize(200);
        await until(
          "the same on both",
          async () => (await info(small)).digest === (await info(large)).digest,
          90_000,
        );
        assert.equal((await info(small)).keys, 602);
        assert.equal((await readiness(small)).ready, true);
        assert.equal((await small.end()).code, 0);
        assert.equal((await large.end()).code, 0);
      } catch (error) {
        throw new Error(`${String(error)}; the small one said: ${small.stderr}`, { cause: error });
      } finally {
        await Promise.all([small.end("SIGKILL"), large.end("SIGKILL")]);
        disk.remove();
      }
    });
  });
});

describe("a backup for which there is no room (rule 17)", function () {
  this.timeout(60_000);

  it("is 507 `storage-full`, leaves nothing behind, and can be made again when there is room", async function () {
    const disk = TestDisk.make(this, "small", 2);
    try {
      await withFolder(async (root) => {
        const node = await NodeProcess.start(["start", ...freePorts(join(root, "data"))]);
        try {
          for (let n = 0; n < 40; n += 1) {
            assert.equal((await send(node, "PUT", `/kv/${n}`, filler(100_000, n))).status, 200);
          }
          const folder = join(disk.folder, "copies", "today");
          const body = JSON.stringify({ folder });
          const backUp = (): ReturnType<typeof send> =>
            send(node, "POST", "/backup", body, "application/json");
          const { status, problem } = await backUp();
          assert.deepEqual(
            [status, problem.code, problem.outcome],
            [507, "storage-full", "not-applied"],
          );
          const start = `Cannot back up into ${folder}: there is no room on its disk`;
          assert.ok(problem.detail?.startsWith(start), problem.detail);
          assert.deepEqual(readdirSync(disk.folder), []);

          // Its own disk has room: the node goes on as before.
          assert.equal((await readiness(node)).ready, true);
          assert.equal((await send(node, "PUT", "/kv/40", "after")).status, 200);
          disk.resize(20);
          assert.deepEqual(JSON.parse((await backUp()).text), { folder });
          const again = await backUp();
          assert.deepEqual([again.status, again.problem.code], [409, "conflict"]);
          assert.match(again.problem.detail ?? "", /it is not empty/);
          const copy = await NodeProcess.start(["start", ...freePorts(folder)]);
          try {
            assert.equal((await info(copy)).keys, 41);
            assert.notEqual((await info(copy)).node, (await info(node)).node); // rule 19
          } finally {
            await copy.end();
          }
        } finally {
          await node.end();
        }
      });
    } finally {
      disk.remove();
    }
  });
});

describe("a process whose disk dies (rule 17)", function () {
  this.timeout(120_000);

  it("promises nothing any more, says so, and ends with exit code 3", async function () {
    const disk = TestDisk.make(this, "failing", 64);
    const node = await NodeProcess.start(["start", ...freePorts(join(disk.folder, "data"))]);
    try {
      assert.equal((await send(node, "PUT", "/kv/a", "1")).status, 200);
      disk.fail();
      const { status, problem, headers } = await send(node, "PUT", "/kv/b", "2");
      assert.deepEqual([status, problem.code], [503, "storage-failed"]);
      assert.equal(problem.outcome, "unknown");
      assert.match(headers.get("retry-after") ?? "", /^\d+$/);
      const { code, stderr } = await node.ended;
      assert.equal(code, 3, stderr);
      assert.match(stderr, /storage has failed/);
    } finally {
      await node.end("SIGKILL");
      disk.remove();
    }
  });
});
