import assert from "node:assert/strict";
import { createTestCluster } from "./create_test_cluster.ts";
import { until, withFolder } from "./_test_utils.ts";

describe("createTestCluster()", function () {
  this.timeout(90_000);

  it("runs three nodes in one process: receipts, watches, explain, stop and late joiner", async () => {
    await using cluster = await createTestCluster({ nodes: 3 });
    const [a, b, c] = cluster.nodes;
    assert.ok(a !== undefined && b !== undefined && c !== undefined);

    await using watch = b.watch<{ name: string }>({ prefix: "user", values: true });
    await watch.opened;
    const receipt = await a.put("user1", { name: "Jack" }, { w: "all", timeoutMs: 20_000 });
    assert.deepEqual([receipt.acked, receipt.needed, receipt.members], [3, 3, 3]);
    assert.deepEqual(await c.get("user1"), { name: "Jack" });
    const { value: change } = (await watch.next()) as { value: { type: string; value: unknown } };
    assert.equal(change.type, "put");
    assert.deepEqual(change.value, { name: "Jack" });

    const one = await b.put("user2", 2);
    const followed = await one.replicated("all", { timeoutMs: 20_000 });
    assert.equal(followed.acked, 3);

    const explanation = await c.explain("user1");
    assert.equal(explanation.etag, receipt.etag);
    assert.deepEqual(
      explanation.members.map(({ answer, winner }) => [answer, winner]),
      [
        ["holds", true],
        ["holds", true],
        ["holds", true],
      ],
    );

    await cluster.stop(c);
    await until("c is stopped for a", () =>
      a.members().some(({ id, state }) => id === c.id && state === "stopped"),
    );
    const partial = await a.put("user3", 3, { w: "all", timeoutMs: 300 }).catch((e: unknown) => e);
    assert.ok(partial instanceof Error && "outcome" in partial);
    assert.equal(partial.outcome, "partial");
    assert.equal(await a.get("user3"), 3);

    const late = await cluster.add();
    assert.equal(await late.get("user3"), 3);
    await cluster.settled();
    await a.delete("user1");
    await until("the delete is everywhere", async () => !(await late.has("user1")));
  });

  it("leaves, and forgets a stopped member; refuses to forget one that is alive", async () => {
    await using cluster = await createTestCluster({ nodes: 3 });
    const [a, b, c] = cluster.nodes;
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    await b.put("from-b", 1);
    await assert.rejects(a.forget(b.id), { code: "conflict", status: 409 });
    await b.leave();
    assert.deepEqual(await b.ended, { reason: "left" });
    await until("b has left for a", () =>
      a.members().some(({ id, state }) => id === b.id && state === "left"),
    );
    assert.equal(await a.get("from-b"), 1);
    await until("b counts no more", () => a.writeTargets === 2);
    await cluster.stop(c);
    await until("c is stopped for a", () =>
      a.members().some(({ id, state }) => id === c.id && state === "stopped"),
    );
    assert.equal(a.writeTargets, 2);
    await a.forget(c.id);
    await until("c counts no more", () => a.writeTargets === 1);
  });

  it("outlives a logger that throws", async () => {
    let calls = 0;
    const boom = (): never => {
      calls += 1;
      throw new Error("the disk of the log is full");
    };
    const logger = { trace: boom, debug: boom, info: boom, warn: boom, error: boom };
    await using cluster = await createTestCluster({ nodes: 2, logger, http: { accessLog: true } });
    const [a, b] = cluster.nodes;
    await a?.put("logged", 1, { w: "all" });
    const answer = await fetch(`http://127.0.0.1:${b?.httpPort}/kv/logged`);
    assert.equal(await answer.text(), "1");
    assert.ok(calls > 0);
  });

  it("refuses options that do not exist, and closes what it has started", async () => {
    await assert.rejects(createTestCluster({ node: 3 } as object), /no option node/);
    for (const nodes of [0, -1, 1.5, NaN, 101]) {
      await assert.rejects(createTestCluster({ nodes }), RangeError);
    }
    for (const [options, message] of [
      [null, /no object/],
      [3, /no object/],
      ["x", /no object/],
      [[], /no object/],
      [{ nodes: "3" }, /nodes is no number/],
      [{ nodes: null }, /nodes is no number/],
      [{ seeds: ["127.0.0.1:9"] }, /a seeds of its own/],
      [{ port: 5000 }, /a port of its own/],
      [{ name: "x" }, /a name of its own/],
      [{ dataDir: "x" }, /give dataDirs/],
      [{ dataDirs: "x" }, /no array of folders/],
    ] as const) {
      await assert.rejects(
        createTestCluster(options as object),
        (error: Error) => error instanceof TypeError && message.test(error.message),
        JSON.stringify(options),
      );
    }
    await assert.rejects(createTestCluster({ nodes: 1, dataDirs: ["x", "y"] }), RangeError);
    await assert.rejects(createTestCluster({ nodes: 1, timeoutMs: NaN }), /timeoutMs is NaN/);
    await using cluster = await createTestCluster({ nodes: 1 });
    await assert.rejects(cluster.add({ folder: "x" } as object), /no option folder/);
    await assert.rejects(cluster.settled({ timeout: 5 } as object), /no option timeout/);
    await assert.rejects(cluster.stop(undefined as never), /that is no node/);
    assert.equal(cluster.nodes.length, 1);
    await cluster.close();
    await cluster.close();
    await assert.rejects(cluster.add(), /the cluster is closed/);
  });

  it("ten nodes in one process are independent of each other", async () => {
    const clusters = await Promise.all(
      ["one", "two"].map((name) => createTestCluster({ nodes: 5, cluster: name, http: {} })),
    );
    try {
      const [one, two] = clusters;
      await one?.nodes[0]?.put("key", "one", { w: "all", timeoutMs: 30_000 });
      assert.equal(await one?.nodes[4]?.get("key"), "one");
      assert.equal(await two?.nodes[4]?.has("key"), false);
      const ports = clusters.flatMap(({ nodes }) => nodes.map(({ httpPort }) => httpPort));
      assert.equal(new Set(ports).size, 10);
      const text = await one?.nodes[0]?.metrics();
      assert.match(text ?? "", /dnd_members\{state="alive"\} 5/);
    } finally {
      await Promise.all(clusters.map((cluster) => cluster.close()));
    }
  });

  it("keeps data in folders", () =>
    withFolder(async (root) => {
      const dataDirs = [`${root}/a`, `${root}/b`];
      {
        await using cluster = await createTestCluster({ nodes: 2, dataDirs });
        await cluster.nodes[0]?.put("kept", true, { w: "all", timeoutMs: 20_000 });
      }
      await using again = await createTestCluster({ nodes: 2, dataDirs });
      assert.equal(await again.nodes[1]?.get("kept"), true);
      assert.equal(again.nodes[1]?.generation, 2);
      await again.close();
      // Fewer than before: those that the folder remembers are not waited for.
      await using fewer = await createTestCluster({ nodes: 1, dataDirs: dataDirs.slice(0, 1) });
      assert.equal(await fewer.nodes[0]?.get("kept"), true);
    }));
});
