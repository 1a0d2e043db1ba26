import assert from "node:assert/strict";
import { Ajv2020 as Ajv, type ValidateFunction } from "ajv/dist/2020.js";
import { startAlone, type AloneNode } from "../_test_utils.ts";
import { parseTokenFile } from "../token_file.ts";

interface Media {
  readonly schema?: object;
}
interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<
    Record<string, { readonly headers: object; readonly content?: Readonly<Record<string, Media>> }>
  >;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: object;
}

const tokens = parseTokenFile("admin admintoken\nread readtoken", "tokens");

describe("the OpenAPI document", () => {
  let alone: AloneNode;
  let document: Document;
  /** Every documented answer, and whether a running node has given it here. */
  const seen = new Set<string>();
  const ajv = new Ajv({ strict: false });
  // Formats are for people: the tests of the routes look at times themselves.
  ajv.addFormat("date-time", true);
  const validators = new Map<object, ValidateFunction>();

  before(async () => {
    alone = await startAlone({ http: { tokens }, maxValueBytes: 1000 });
    const response = await fetch(`${alone.url}/openapi.json`, {
      headers: { authorization: "Bearer admintoken" },
    });
    document = (await response.json()) as Document;
  });
  after(() => alone.node.close());

  function validate(schema: object, value: unknown, where: string): void {
    let validator = validators.get(schema);
    if (validator === undefined) {
      validator = ajv.compile({ ...schema, components: document.components });
      validators.set(schema, validator);
    }
    assert.ok(validator(value), `${where}: ${JSON.stringify(validator.errors)}`);
  }

  /** Sends a request, and holds the answer against what is documented. */
  async function call(
    path: string,
    method: string,
    url: string,
    init: RequestInit = {},
    token = "admintoken",
  ): Promise<void> {
    const operation = document.paths[path]?.[method.toLowerCase()];
    assert.ok(operation !== undefined, `${method} ${path} is not documented`);
    const controller = new AbortController();
    const response = await fetch(alone.url + url, {
      method,
      ...init,
      signal: controller.signal,
      headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) },
    });
    const where = `${method} ${url} ${response.status}`;
    const answer = operation.responses[String(response.status)];
    assert.ok(answer !== undefined, `${where} is not documented`);
    for (const name of Object.keys(answer.headers)) {
      if (["Dnd-Expires", "Dnd-Superseded"].includes(name)) continue;
      assert.ok(response.headers.has(name), `${where} has no ${name}`);
    }
    seen.add(`${method.toLowerCase()} ${path} ${response.status}`);
    const type = response.headers.get("content-type") ?? "";
    const content = answer.content ?? {};
    const media = content[type] ?? content[type.split(";")[0] ?? ""] ?? content["*/*"];
    if (type === "text/event-stream; charset=utf-8" || method === "HEAD") {
      controller.abort();
      return;
    }
    const text = await response.text();
    if (response.status === 204 || response.status === 304) {
      assert.equal(text, "");
      return;
    }
    assert.ok(media !== undefined, `${where}: ${type} is not documented`);
    if (media.schema === undefined) return;
    if (type === "application/x-ndjson") {
      for (const line of text.split("\n").filter((one) => one !== "")) {
        validate(media.schema, JSON.parse(line), where);
      }
    } else validate(media.schema, JSON.parse(text), where);
  }

  it("is OpenAPI 3.1, with one operation for each route and method, and unique names", () => {
    assert.match(document.openapi, /^3\.1\./);
    const ids = Object.values(document.paths).flatMap((path) =>
      Object.values(path).map(({ operationId }) => operationId),
    );
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(Object.keys(document.paths).sort(), [
      ...["/", "/backup", "/batch", "/cluster", "/cluster/forget", "/cluster/join"],
      ...["/cluster/leave", "/explain/{key}", "/export", "/health", "/health/ready", "/import"],
      ...["/kv", "/kv/{key}", "/metrics", "/openapi.json", "/watch"],
    ]);
  });

  it("is true: every answer of the running node is documented and fits its schema", async () => {
    const json = (value: unknown): RequestInit => ({ body: JSON.stringify(value) });
    const kv = "/kv/{key}";
    for (const method of ["PUT", "POST"]) {
      await call(kv, method, "/kv/a?ttl=1h", json({ a: 1 }));
      await call(kv, method, "/kv/a", { body: "{bad", headers: { "content-type": "" } });
      await call(kv, method, "/kv/a?x=1", json(1));
      await call(kv, method, "/kv/..%2f", json(1));
      await call(kv, method, "/kv/a", { ...json(1), headers: { "if-none-match": "*" } });
      await call(kv, method, "/kv/a", json("x".repeat(2000)));
      await call(kv, method, "/kv/a", { ...json(1), headers: { "content-encoding": "gzip" } });
      await call(kv, method, "/kv/a", json(1), "nonsense");
      await call(kv, method, "/kv/a", json(1), "readtoken");
    }
    for (const method of ["GET", "HEAD"]) {
      await call(kv, method, "/kv/a");
      await call(kv, method, "/kv/none");
      await call(kv, method, "/kv/a", { headers: { "if-none-match": "*" } });
      await call(kv, method, "/kv/%ff");
      await call("/kv", method, "/kv?values=true&limit=1&delimiter=/");
      await call("/kv", method, "/kv?limit=0");
      await call("/explain/{key}", method, "/explain/a");
      await call("/export", method, "/export");
      await call("/watch", method, "/watch?prefix=a");
      await call("/watch", method, "/watch?prefix=a&key=b");
      for (const path of [
        "/",
        "/cluster",
        "/health",
        "/health/ready",
        "/metrics",
        "/openapi.json",
      ]) {
        await call(path, method, path);
        await call(path, method, `${path}?x=1`);
      }
    }
    await alone.node.put("b/1", "text");
    await alone.node.put("b/2", new Uint8Array([255]));
    await call("/kv", "GET", "/kv?values=true&limit=2");
    await call("/export", "GET", "/export?prefix=b");
    const ops = [
      { op: "put", key: "c", value: 1 },
      { op: "get", key: "c" },
      { op: "get", key: "b/2" },
      { op: "delete", key: "c" },
      { op: "get", key: "" },
    ];
    await call("/batch", "POST", "/batch", json({ ops }));
    await call("/batch", "POST", "/batch", json({}));
    await call("/import", "POST", "/import", { body: '{"key":"i","value":"1"}\nbad\n' });
    await call("/import", "POST", "/import?keep=x", { body: "" });
    await call("/import", "POST", "/import", { body: "" }, "readtoken");
    await call("/cluster/join", "POST", "/cluster/join", json({ peers: ["127.0.0.1:1"] }));
    await call("/cluster/join", "POST", "/cluster/join", json({ peers: [] }));
    await call("/cluster/leave", "POST", "/cluster/leave");
    await call("/cluster/forget", "POST", "/cluster/forget", json({ node: "abc" }));
    await call("/backup", "POST", "/backup", json({ folder: "x" }));
    await call("/backup", "POST", "/backup", json({ folder: "" }));
    alone.link.absent = 1;
    await call(kv, "PUT", "/kv/a?w=all&timeout=10ms", json(1));
    await call(kv, "DELETE", "/kv/a?w=all&timeout=10ms");
    alone.link.absent = 0;
    alone.link.ready = false;
    await call(kv, "GET", "/kv/none");
    await call(kv, "PUT", "/kv/none", { ...json(1), headers: { "if-match": "*" } });
    await call("/kv", "GET", "/kv");
    await call("/kv", "DELETE", "/kv?prefix=b");
    await call("/export", "GET", "/export");
    await call("/health/ready", "GET", "/health/ready");
    alone.link.ready = true;
    await call("/kv", "DELETE", "/kv?prefix=b");
    await call("/kv", "DELETE", "/kv?prefix=");
    await call(kv, "DELETE", "/kv/a");
    await call(kv, "DELETE", "/kv/a?ttl=1");
    await call(kv, "DELETE", "/kv/a", { headers: { "if-match": "*" } });
  });

  it("promises no success that was not seen", () => {
    // A node without others cannot leave, and one without a disk cannot back up: see the cluster tests.
    const elsewhere = new Set([
      "post /cluster/leave 200",
      "post /cluster/forget 200",
      "post /backup 200",
    ]);
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, { responses }] of Object.entries(operations)) {
        for (const status of Object.keys(responses).filter((code) => Number(code) < 400)) {
          const answer = `${method} ${path} ${status}`;
          assert.ok(seen.has(answer) || elsewhere.has(answer), answer);
        }
      }
    }
  });
});
