import assert from "node:assert/strict";
import { resolve } from "node:path";
import { DndError, type Outcome } from "@dnd/client";
import { startAlone, withFolder } from "./_test_utils.ts";
import { createNode } from "./create_node.ts";
import { createTestCluster } from "./create_test_cluster.ts";

async function rejects(call: Promise<unknown>, code: string, outcome?: Outcome): Promise<DndError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof DndError, `expected ${code}, got ${String(error)}`);
  assert.equal(error.code, code, error.message);
  if (outcome !== undefined) assert.equal(error.outcome, outcome);
  return error;
}

describe("DndNode", function () {
  this.timeout(60_000);

  it("checks the arguments of what an operator does", async () => {
    const { node } = await startAlone();
    const wrong: readonly (readonly [Promise<unknown>, string, string])[] = [
      [node.explain("k", { timeout: 5 } as never), "timeout", "5"],
      [node.explain("k", { timeoutMs: NaN }), "timeoutMs", "NaN"],
      [node.leave({ force: true } as never), "force", "true"],
      [node.close({ graceMs: -1 }), "graceMs", "-1"],
      [node.close({ graceMs: "1" as never }), "graceMs", '"1"'],
      [node.close({ grace: 1 } as never), "grace", "1"],
      [node.join("127.0.0.1:5000" as never), "peers", '"127.0.0.1:5000"'],
      [node.join([5] as never), "Cannot join", "5"],
      [node.forget(5 as never), "node", "5"],
      [node.forget(""), "node", '""'],
      [node.backup(5 as never), "folder", "5"],
      [node.backup(""), "folder", '""'],
    ];
    for (const [call, ...named] of wrong) {
      const { message } = await rejects(call, "invalid-argument");
      for (const word of named) assert.ok(message.includes(word), `${message} lacks ${word}`);
    }
    await rejects(node.explain(""), "invalid-key");
    await node.put("k", "still open");
    await node.close();
  });

  it("says closed to everything after close()", async () => {
    const node = await createNode();
    await node.ready();
    await node.close();
    for (const call of [
      () => node.cluster(),
      () => node.readiness(),
      () => node.explain("k"),
      () => node.metrics(),
      () => node.join(["127.0.0.1:5000"]),
      () => node.forget("a"),
      () => node.backup("/nowhere"),
      () => node.leave(),
      () => node.reload({}),
    ]) {
      await rejects(call(), "closed");
    }
    assert.deepEqual(await node.ended, { reason: "closed" });
  });

  it("ends what waits when it closes: nothing resolves that is not so, nothing hangs", async () => {
    // The seed is a port on which nobody answers: the node is not ready for ten seconds.
    const node = await createNode({ seeds: ["127.0.0.1:9"] });
    const waiting = rejects(node.ready(), "closed");
    const watch = node.watch();
    const change = watch.next();
    await node.close();
    await waiting;
    assert.equal((await change).done, true);

    const cluster = await createTestCluster({ nodes: 2 });
    const [a, b] = cluster.nodes;
    assert.ok(a !== undefined && b !== undefined);
    const receipt = await a.put("k", 1, { w: "all" });
    await b.close();
    const write = rejects(a.put("k", 2, { w: "all", timeoutMs: 50_000 }), "closed", "unknown");
    assert.equal(await a.get("k"), 2);
    await a.close();
    await write;
    await rejects(receipt.replicated("all"), "closed");
    await cluster.close();
  });

  it("says where a backup is, whatever folder the process runs in", () =>
    withFolder(async (folder) => {
      const { node } = await startAlone({ dataDir: `${folder}/data` });
      await node.put("k", 1);
      const name = `${folder}/../${folder.split("/").at(-1) ?? ""}/./copy`;
      assert.deepEqual(await node.backup(name), { folder: resolve(name) });
      // What cannot be is refused with the folder and the reason, which the system names in its own words.
      for (const [bad, why] of [
        [name, "it is not empty"],
        [`${folder}/data/data.mdb`, "EEXIST"],
        [`${folder}/data/data.mdb/x`, "ENOTDIR"],
      ] as const) {
        await assert.rejects(node.backup(bad), (error) => {
          assert.ok(error instanceof DndError && error.code === "conflict");
          const start = `Cannot back up into ${resolve(bad)}: `;
          assert.ok(error.message.startsWith(start + why), error.message);
          return true;
        });
      }
      await node.close();
    }));
});
