import assert from "node:assert/strict";
import { DndError } from "@dnd/client";
import { StorageError, type StorageErrorCode } from "@dnd/store";
import { startAlone, until, withFolder, type AloneNode } from "../_test_utils.ts";
import { createTestCluster } from "../create_test_cluster.ts";
import type { DndNode } from "../dnd_node.ts";
import { toNodeError } from "../node_error.ts";
import { parseTokenFile } from "../token_file.ts";
import { ApiChecker, type ApiDocument, type Ask } from "./_test_utils.ts";

const tokens = parseTokenFile("admin admintoken\nread readtoken", "tokens");
const kv = "/kv/{key}";
const json = (value: unknown): Ask => ({ body: JSON.stringify(value) });

/** A good request to each operation. */
const good: readonly (readonly [method: string, path: string, url: string, ask: Ask])[] = [
  ["PUT", kv, "/kv/a", json(1)],
  ["POST", kv, "/kv/a", json({ a: 1 })],
  ["GET", kv, "/kv/a", {}],
  ["HEAD", kv, "/kv/a", {}],
  ["DELETE", kv, "/kv/gone", {}],
  ["DELETE", "/kv", "/kv?prefix=gone", {}],
  ["POST", "/batch", "/batch", json({ ops: [{ op: "put", key: "c", value: 1 }] })],
  ["POST", "/import", "/import", { body: '{"key":"i","value":"1"}\nbad\n' }],
  ["POST", "/cluster/join", "/cluster/join", json({ peers: ["127.0.0.1:1"] })],
  ["POST", "/cluster/forget", "/cluster/forget", json({ node: "abc" })],
  ["POST", "/cluster/leave", "/cluster/leave", {}],
  ["POST", "/backup", "/backup", json({ folder: "x" })],
  ...["GET", "HEAD"].flatMap((method) =>
    (
      [
        ["/kv", "/kv"],
        ["/watch", "/watch"],
        ["/export", "/export"],
        ["/explain/{key}", "/explain/a"],
        ...["/", "/cluster", "/health", "/health/ready", "/metrics", "/openapi.json"].map(
          (path) => [path, path] as const,
        ),
      ] as const
    ).map(([path, url]) => [method, path, url, {}] as const),
  ),
];

type Broken = Readonly<Record<string, () => unknown>>;

/** Calls of an object fail, while something runs. */
async function broken(what: object, calls: Broken, run: () => Promise<unknown>): Promise<void> {
  Object.assign(what, calls);
  await run();
  for (const name of Object.keys(calls)) Reflect.deleteProperty(what, name);
}

const fail = (error: Error) => (): never => {
  throw error;
};
const failing = (names: readonly string[], error: Error): Broken =>
  Object.fromEntries(names.map((name) => [name, fail(error)]));
const storage = (code: StorageErrorCode): Error => new StorageError(code, "a disk of this test");
const mapCalls = ["get", "put", "delete", "has", "entries", "merge"];
const coreOf = (node: DndNode): object => Reflect.get(node, "core") as object;

describe("the OpenAPI document", () => {
  let alone: AloneNode;
  let api: ApiChecker;

  before(async () => {
    alone = await startAlone({ http: { tokens }, maxValueBytes: 1000 });
    const headers = { authorization: "Bearer admintoken" };
    const response = await fetch(`${alone.url}/openapi.json`, { headers });
    api = new ApiChecker((await response.json()) as ApiDocument, alone.port);
    await alone.node.put("a", 1);
  });
  after(() => alone.node.close());

  it("is OpenAPI 3.1, with one operation for each route and method, and unique names", () => {
    assert.match(api.document.openapi, /^3\.1\./);
    const ids = Object.values(api.document.paths).flatMap((path) =>
      Object.values(path).map(({ operationId }) => operationId),
    );
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(Object.keys(api.document.paths).sort(), [
      ...["/", "/backup", "/batch", "/cluster", "/cluster/forget", "/cluster/join"],
      ...["/cluster/leave", "/explain/{key}", "/export", "/health", "/health/ready", "/import"],
      ...["/kv", "/kv/{key}", "/metrics", "/openapi.json", "/watch"],
    ]);
    const operations = good.map(([method, path]) => `${method.toLowerCase()} ${path}`);
    const documented = Object.entries(api.document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    assert.deepEqual(operations.sort(), documented.sort());
  });

  it("is true of who may not, and of what no route takes", async () => {
    for (const [method, path, url, ask] of good) {
      const call = (more: Ask, query = ""): Promise<string> =>
        api.call(method, path, url + query, { ...ask, ...more });
      await call({});
      await call({}, `${url.includes("?") ? "&" : "?"}x=1`);
      await call({ token: "nonsense" });
      await call({ token: "readtoken" });
      await call({ headers: { host: "evil.example" } });
      await call({ headers: { origin: "https://evil.example" } });
      await call({ headers: { "x-large": "x".repeat(17_000) } });
    }
  });

  it("is true of bodies, keys and conditions that cannot be used", async () => {
    for (const method of ["PUT", "POST"]) {
      await api.call(method, kv, "/kv/a?ttl=1h", json("x"));
      await api.call(method, kv, "/kv/a", { body: "{bad" });
      await api.call(method, kv, "/kv/a", json("x".repeat(2000)));
      await api.call(method, kv, "/kv/a", { ...json(1), headers: { "content-encoding": "gzip" } });
    }
    for (const method of ["PUT", "POST", "GET", "HEAD", "DELETE"]) {
      const body = method.startsWith("P") ? json(1) : {};
      await api.call(method, kv, "/kv/..%2f", body);
      await api.call(method, kv, `/kv/${"x".repeat(1025)}`, body);
      await api.call(method, kv, "/kv/a", { ...body, headers: { "if-match": '"1-a"' } });
    }
    for (const method of ["GET", "HEAD"]) {
      await api.call(method, kv, "/kv/none");
      await api.call(method, kv, "/kv/a", { headers: { "if-none-match": "*" } });
      await api.call(method, "/explain/{key}", "/explain/%ff");
      await api.call(method, "/explain/{key}", `/explain/${"x".repeat(1025)}`);
      await api.call(method, "/kv", "/kv?limit=0");
      await api.call(method, "/watch", `/watch?key=${"x".repeat(1025)}`);
    }
    for (const path of ["/batch", "/cluster/join", "/cluster/forget", "/backup"]) {
      await api.call("POST", path, path, { body: "{bad" });
      await api.call("POST", path, path, json({}));
      await api.call("POST", path, path, { body: "1", headers: { "content-type": "image/png" } });
      const headers = { "content-length": String(17 * 1024 * 1024) };
      await api.call("POST", path, path, { unfinished: true, headers });
    }
    const leave = (ask: Ask): Promise<string> =>
      api.call("POST", "/cluster/leave", "/cluster/leave", ask);
    assert.equal(await leave(json({ node: "abc" })), "400 invalid-argument");
    assert.equal(await leave({ body: "{bad" }), "400 invalid-json");
    await leave({ body: "1", headers: { "content-type": "image/png" } });
    await leave({ unfinished: true, headers: { "content-length": String(17 * 1024 * 1024) } });
    await api.call("POST", "/import", "/import?keep=versions", { body: "", token: "readtoken" });
    await api.call("POST", "/import", "/import", {
      body: "",
      headers: { "content-encoding": "gzip" },
    });
  });

  it("is true of all values and of every operation of a batch", async () => {
    await alone.node.put("b/1", "text", { ttlMs: 60_000 });
    await alone.node.put("b/2", new Uint8Array([255]));
    await api.call("GET", kv, "/kv/b%2F1");
    await api.call("GET", "/kv", "/kv?values=true&limit=2");
    await api.call("GET", "/kv", "/kv?values=true&delimiter=/&limit=1");
    await api.call("GET", "/export", "/export?prefix=b");
    const ops = [
      { op: "put", key: "c", value: 1 },
      { op: "get", key: "c" },
      { op: "get", key: "b/2" },
      { op: "touch", key: "b/1", ttl: "1h" },
      { op: "delete", key: "c" },
      { op: "get", key: "none" },
      { op: "get", key: "" },
    ];
    await api.call("POST", "/batch", "/batch", json({ ops }));
  });

  it("is true of members that do not confirm, and of a copy that still runs", async () => {
    const { link } = alone;
    const waits = "?w=all&timeout=10ms";
    const writes = ["PUT", "POST", "DELETE"] as const;
    const bodyOf = (method: string): Ask => (method === "DELETE" ? {} : json(1));
    link.absent = 1;
    for (const method of writes) {
      await api.call(method, kv, `/kv/a${waits}`, bodyOf(method));
      await broken(link, { liveTargets: () => 2 }, () =>
        api.call(method, kv, `/kv/a${waits}`, bodyOf(method)),
      );
    }
    link.absent = 0;
    link.ready = false;
    for (const method of writes) {
      const headers = { "if-match": "*" };
      await api.call(method, kv, "/kv/a", { ...bodyOf(method), headers });
    }
    for (const method of ["GET", "HEAD"]) {
      await api.call(method, kv, "/kv/none");
      for (const path of ["/kv", "/export", "/health/ready"]) await api.call(method, path, path);
    }
    await api.call("DELETE", "/kv", "/kv?prefix=b");
    link.ready = true;
  });

  it("is true of a storage that fails, is full or busy, and of what nobody has thought of", async () => {
    const { link } = alone;
    const codes = ["storage-failed", "storage-full", "overloaded"] as const;
    const errors = [...codes.map(storage), new Error("of this test")];
    for (const error of errors) {
      // What only reads can fail, but cannot be full or busy.
      const both = error === errors[0] || error === errors[3];
      const calls = both ? mapCalls : ["put", "delete"];
      await broken(link.map, failing(calls, error), async () => {
        for (const method of ["PUT", "POST"]) await api.call(method, kv, "/kv/a", json(1));
        await api.call("DELETE", kv, "/kv/a");
        await api.call("DELETE", "/kv", "/kv?prefix=b/");
        await api.call("POST", "/import", "/import", { body: '{"key":"i","value":"1"}' });
        await api.call(
          "POST",
          "/batch",
          "/batch",
          json({ ops: [{ op: "put", key: "c", value: 1 }] }),
        );
        if (!both) return;
        for (const method of ["GET", "HEAD"]) {
          await api.call(method, kv, "/kv/a");
          for (const path of ["/kv", "/export"]) await api.call(method, path, path);
        }
      });
      if (error === errors[2]) continue;
      const backup = (): never => fail(toNodeError(error) as Error)();
      await broken(coreOf(alone.node), { backup }, () =>
        api.call("POST", "/backup", "/backup", json({ folder: "x" })),
      );
    }
    await broken(coreOf(alone.node), failing(["checkOpen"], toNodeError(errors[0]) as Error), () =>
      api.call("POST", "/cluster/leave", "/cluster/leave"),
    );
    const linkCalls = ["members", "explain", "join", "leave", "forget"];
    await broken(link, failing(linkCalls, new Error("of this test")), async () => {
      for (const [method, path, url, ask] of good) {
        if (/^\/(cluster|explain|metrics|openapi)/.test(path)) {
          assert.match(await api.call(method, path, url, ask), /^500/);
        }
      }
    });
  });

  it("is true of a node that is leaving already", async () => {
    let refuse: (error: Error) => void = () => undefined;
    let begun = false;
    const leave = (): Promise<never> => {
      begun = true;
      return new Promise((_, reject) => (refuse = reject));
    };
    await broken(alone.link, { leave }, async () => {
      const first = api.call("POST", "/cluster/leave", "/cluster/leave");
      await until("the first call", () => begun);
      const second = await api.call("POST", "/cluster/leave", "/cluster/leave");
      assert.equal(second, "503 not-ready");
      refuse(new DndError("conflict", "of this test", { status: 409 }));
      assert.equal(await first, "409 conflict");
    });
  });

  it("is true of bodies that do not come", async () => {
    const impatient = await startAlone({ http: { tokens } }, { bodyMs: 50 });
    try {
      const { port } = impatient;
      const slow = { port, unfinished: true };
      await Promise.all([
        ...["PUT", "POST"].map((method) => api.call(method, kv, "/kv/a", slow)),
        ...["/batch", "/cluster/join", "/cluster/forget", "/cluster/leave", "/backup"].map((path) =>
          api.call("POST", path, path, slow),
        ),
      ]);
    } finally {
      await impatient.node.close();
    }
  });

  it("is true of a cluster: what is forgotten, copied and left", async () => {
    await withFolder(async (folder) => {
      const options = { nodes: 3, http: { tokens }, dataDirs: [`${folder}/a`] };
      await using cluster = await createTestCluster(options);
      const [a, b, c] = cluster.nodes;
      assert.ok(a !== undefined && b !== undefined && c !== undefined);
      const port = a.httpPort ?? 0;
      await b.close();
      const stateOf = (id: string): string | undefined =>
        a.members().find((member) => member.id === id)?.state;
      await until("b has stopped", () => stateOf(b.id) === "stopped");
      const call = (path: string, value: unknown): Promise<string> =>
        api.call("POST", path, path, { ...json(value), port });
      assert.equal(await call("/cluster/forget", { node: b.id }), "200");
      assert.equal(await call("/backup", { folder: `${folder}/copy` }), "200");
      const leave = (port = 0): Promise<string> =>
        api.call("POST", "/cluster/leave", "/cluster/leave", { port });
      assert.equal(await leave(c.httpPort), "200");
      await until("the other has left", () => stateOf(c.id) === "left");
      assert.equal(await leave(port), "409 conflict"); // rule 2: nobody is there to take over what it holds
      await a.put("still", "here");
    });
  });

  it("promises nothing that no running node has answered", () => {
    assert.deepEqual(
      api.promised().filter((answer) => !api.seen.has(answer)),
      [],
    );
    assert.ok(api.promised().length > 250, String(api.promised().length));
  });
});
