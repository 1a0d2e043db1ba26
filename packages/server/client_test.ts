import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient, DndError, type ExportLine } from "@dnd/client";
import { expect } from "chai";
import { type AloneNode, startAlone } from "./_test_utils.ts";
import { createTestCluster } from "./create_test_cluster.ts";

/** The code that a call rejects with. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "no error";
  } catch (error) {
    if (error instanceof DndError) return error.code;
    throw error;
  }
}

// The contract of keys and values is in create_node_contract_test.ts; this is the rest of the client.
describe("@dnd/client and a real node", function () {
  this.timeout(60_000);
  let alone: AloneNode;
  let dnd: Client;
  before(async () => {
    alone = await startAlone();
    dnd = createClient({ urls: [alone.url] });
    await dnd.ready();
  });
  after(async () => {
    await dnd.close();
    await alone.node.close();
  });

  it("asks for health, readiness, the cluster, metrics and the API's description", async () => {
    await dnd.health();
    expect((await dnd.readiness()).ready).to.equal(true);
    const cluster = await dnd.cluster();
    expect(cluster).to.deep.equal(JSON.parse(JSON.stringify(await alone.node.cluster())));
    expect(cluster.members.map((member) => member.self)).to.deep.equal([true]);
    expect(await dnd.metrics()).to.match(/^# HELP /m);
    expect((await dnd.openapi())["openapi"]).to.match(/^3\.1/);
  });

  it("explains a key, and follows a write by it", async () => {
    const receipt = await dnd.put("explain/é x", 1);
    const explanation = await dnd.explain("explain/é x");
    expect(explanation.key).to.equal("explain/é x");
    expect(explanation.etag).to.equal(receipt.etag);
    expect(explanation.members[0]).to.include({
      answer: "holds",
      etag: receipt.etag,
      counts: true,
    });
    expect(await receipt.replicated("all")).to.deep.equal({ acked: 1, needed: 1, members: 1 });
    await dnd.put("explain/é x", 2);
    expect((await receipt.replicated("one")).acked).to.equal(1);
    expect(await codeOf(receipt.replicated(2))).to.equal("invalid-argument");
    expect(await codeOf(dnd.explain("a/../b"))).to.equal("invalid-key");
  });

  it("carries everything from one node to another by export and import", async () => {
    const other = await startAlone();
    const target = createClient({ urls: [other.url] });
    try {
      await dnd.put("move/json", { a: "é" });
      await dnd.put("move/text", "line\n\u2028", { ttlMs: 600_000 });
      await dnd.put("move/bytes", Uint8Array.from([0, 255]), { contentType: "image/png" });
      await dnd.put("move/../dots", "here too");
      const large = new Uint8Array(700_000).fill(200);
      await dnd.put("move/large", large);
      const result = await target.import(dnd.export({ prefix: "move/" }));
      expect(result).to.deep.equal({ imported: 5, failed: [], failedCount: 0 });
      expect(await target.get("move/json")).to.deep.equal({ a: "é" });
      expect(await target.get("move/large")).to.deep.equal(large);
      expect(await target.get("move/../dots")).to.equal("here too");
      const [was, is] = [await dnd.entry("move/text"), await target.entry("move/text")];
      expect(is?.value).to.equal("line\n\u2028");
      expect(is?.expiresAt).to.equal(was?.expiresAt);
      expect((await target.entry("move/bytes"))?.contentType).to.equal("image/png");
      expect(is?.etag).not.to.equal(was?.etag);
    } finally {
      await target.close();
      await other.node.close();
    }
  });

  it("keeps the versions of an import when asked", async () => {
    const other = await startAlone();
    const target = createClient({ urls: [other.url] });
    try {
      const { etag } = await dnd.put("kept", 1);
      const lines: ExportLine[] = [];
      for await (const line of dnd.export({ prefix: "kept" })) lines.push(line);
      await target.import(lines, { keep: "versions" });
      expect((await target.entry("kept"))?.etag).to.equal(etag);
    } finally {
      await target.close();
      await other.node.close();
    }
  });

  it("says which lines of an import were bad", async () => {
    const good = { key: "good", encoding: "utf8", value: "x", contentType: "text/plain" } as const;
    const result = await dnd.import([good, { ...good, key: "" }, good]);
    expect(result.imported).to.equal(2);
    expect(result.failed.map(({ line, code }) => [line, code])).to.deep.equal([[2, "invalid-key"]]);
  });

  it("gets the node's own refusals as errors", async () => {
    expect(await codeOf(dnd.backup("/nowhere"))).to.equal("conflict");
    expect(await codeOf(dnd.join([]))).to.equal("invalid-argument");
    expect(await codeOf(dnd.forget("NOT AN ID"))).to.equal("invalid-argument");
    expect(await codeOf(dnd.list({ cursor: "?" }))).to.equal("invalid-argument");
  });

  it("misses nothing when a watch is cut before its first event", async () => {
    const cuts: AbortController[] = [];
    let headRead: () => void = () => undefined;
    const head = new Promise<void>((resolve) => (headRead = resolve));
    const client = createClient({
      urls: [alone.url],
      // The connection of the first watch can be cut by the test.
      fetch: async (url, init) => {
        const response = await fetch(url, init);
        if (!url.includes("/watch") || response.body === null) return response;
        const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>({
          transform: (chunk, controller) => {
            controller.enqueue(chunk);
            headRead();
          },
        });
        const cut = new AbortController();
        cuts.push(cut);
        void response.body.pipeTo(writable, { signal: cut.signal }).catch(() => undefined);
        return new Response(readable, { headers: response.headers });
      },
    });
    const watch = client.watch({ prefix: "cut/" });
    await watch.opened;
    const next = watch.next();
    await head;
    await client.put("elsewhere", 1);
    cuts[0]?.abort();
    await client.put("cut/1", 1);
    const change = (await next).value;
    expect(change?.type === "put" && change.key).to.equal("cut/1");
    expect(cuts.length).to.equal(2);
    await client.close();
  });

  it("backs up a node with a disk", async () => {
    const folder = await mkdtemp(join(tmpdir(), "dnd-client-"));
    const durable = await startAlone({ dataDir: join(folder, "data") });
    const client = createClient({ urls: [durable.url] });
    try {
      await client.put("k", 1);
      const target = join(folder, "backup");
      expect(await client.backup(target)).to.deep.equal({ folder: target });
      expect(await codeOf(client.backup(target))).to.equal("conflict");
    } finally {
      await client.close();
      await durable.node.close();
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("goes to the next node when one ends, also in a watch", async () => {
    const [a, b] = [await startAlone(), await startAlone()];
    const client = createClient({ urls: [a.url, b.url] });
    try {
      await client.put("k", "on a");
      const watch = client.watch({ prefix: "k", values: true });
      await watch.opened;
      await a.node.close();
      expect(await client.get("k")).to.equal(undefined); // two nodes that know nothing of each other
      expect((await watch.next()).value?.type).to.equal("reset");
      await client.put("k", "on b");
      const change = (await watch.next()).value;
      expect(change?.type === "put" && change.value).to.equal("on b");
      await watch.close();
    } finally {
      await client.close();
      await b.node.close();
    }
  });
});

describe("@dnd/client and a cluster of three", function () {
  this.timeout(120_000);

  it("writes to all, follows a write, and outlives the node that it used", async () => {
    const cluster = await createTestCluster({ nodes: 3, http: {} });
    const urls = cluster.nodes.map((node) => `http://127.0.0.1:${node.httpPort}`);
    const dnd = createClient({ urls });
    const last = createClient({ urls: urls.slice(2) });
    try {
      const all = await dnd.put("all", 1, { w: "all", timeoutMs: 60_000 });
      expect([all.acked, all.needed, all.members]).to.deep.equal([3, 3, 3]);
      expect(await last.get("all")).to.equal(1);
      const one = await dnd.put("one", 2);
      const followed = await one.replicated("all", { timeoutMs: 60_000 });
      expect(followed).to.deep.equal({ acked: 3, needed: 3, members: 3 });
      expect(await last.get("one")).to.equal(2);
      expect(await codeOf(dnd.put("four", 1, { w: 4 }))).to.equal("invalid-argument");
      expect(await last.has("four")).to.equal(false);

      const [first] = cluster.nodes;
      if (first !== undefined) await cluster.stop(first);
      expect(await dnd.get("one")).to.equal(2);
      await dnd.put("two", 3, { w: "quorum", timeoutMs: 60_000 });
      // A stopped member counts for w (rule 18): the write stays, and the answer says how far it came.
      const partial = await dnd
        .put("three", 4, { w: "all", timeoutMs: 1_500 })
        .catch((error: unknown) => error);
      expect(partial).to.be.instanceOf(DndError);
      expect(partial).to.include({ outcome: "partial", needed: 3 });
      expect(await dnd.get("three")).to.equal(4);
    } finally {
      await Promise.all([dnd.close(), last.close()]);
      await cluster[Symbol.asyncDispose]();
    }
  });
});
