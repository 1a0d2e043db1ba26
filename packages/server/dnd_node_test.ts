import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { createClient, DndError, type Outcome } from "@dnd/client";
import { TestAuthority } from "./_test_certificates.ts";
import { startAlone, withFolder } from "./_test_utils.ts";
import { createNode } from "./create_node.ts";
import { createTestCluster } from "./create_test_cluster.ts";
import { Tokens } from "./token_file.ts";

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
      [node.cluster({ x: 1 } as never), "x", "1"],
      [node.readiness({ timeoutMs: 0 }), "timeoutMs", "0"],
      [node.metrics({ signal: 5 } as never), "signal", "5"],
      [node.join([], { x: 1 } as never), "x", "1"],
      [node.forget("a", { x: 1 } as never), "x", "1"],
      [node.backup("a", { x: 1 } as never), "x", "1"],
    ];
    for (const [call, ...named] of wrong) {
      const { message } = await rejects(call, "invalid-argument");
      for (const word of named) assert.ok(message.includes(word), `${message} lacks ${word}`);
    }
    await rejects(node.explain(""), "invalid-key");
    const reason = new Error("stop here");
    const signal = AbortSignal.abort(reason);
    for (const call of [
      () => node.cluster({ signal }),
      () => node.readiness({ signal }),
      () => node.metrics({ signal }),
      () => node.explain("k", { signal }),
      () => node.join(["127.0.0.1:9"], { signal }),
      () => node.forget("a", { signal }),
      () => node.backup("/nowhere", { signal }),
      () => node.leave({ signal }),
    ]) {
      await assert.rejects(call(), reason);
    }
    await node.put("k", "still open");
    await node.close();
  });

  it("refuses secrets that are none, and takes none of them", async () => {
    const { cert, key } = new TestAuthority("tests").issue();
    const tokens = new Tokens([["let-me-in", "admin"]]);
    const { node, url } = await startAlone({ http: { tokens } });
    const dnd = createClient({ urls: [url], token: "let-me-in" });
    for (const [secrets, message] of [
      [undefined, /the options are undefined/],
      ["x", /the options are x/],
      [{ token: tokens }, /no option token; did you mean tokens/],
      [{ tokens: [["let-me-in", "admin"]] }, /tokens is an array of 1, .* a Tokens/],
      [{ tokens: "let-me-in" }, /it must be a Tokens/],
      [{ keys: "x" }, /keys is x/],
      [{ keys: [new Uint8Array(31)], tokens: new Tokens([["other", "read"]]) }, /keys is an array/],
      [{ tls: {} }, /tls is an object, it must be a cert and a key/],
      [
        { tls: { cert: "x", key: "y" } },
        /tls is an object, .* as PEM text \(OpenSSL says: .*no start line/,
      ],
      [{ tls: { cert, key: "y" } }, /tls is an object/],
      [{ tls: { cert, key, passphrase: "x" } }, /no option tls.passphrase/],
    ] as const) {
      await assert.rejects(
        node.reload(secrets as never),
        (error: Error) => error instanceof TypeError && message.test(error.message),
        String(message),
      );
    }
    await dnd.put("k", "the old token still opens");
    await node.reload({ tokens: new Tokens([["another", "admin"]]) });
    await rejects(dnd.get("k"), "unauthorized");
    for (const roles of [[["x", "root"]], [["", "read"]], [["a b", "read"]], [[5, "read"]]]) {
      assert.throws(() => new Tokens(roles as never), TypeError);
    }
    await dnd.close();
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
      writeFileSync(`${folder}/file`, "");
      for (const [bad, why] of [
        [name, "it is not empty"],
        [`${folder}/data/copy`, "it lies in the data folder itself"],
        [`${folder}/file`, "EEXIST"],
        [`${folder}/file/x`, "ENOTDIR"],
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
