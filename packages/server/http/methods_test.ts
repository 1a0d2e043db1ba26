import assert from "node:assert/strict";
import { sendRaw, startAlone, until, type AloneNode, type RawAnswer } from "../_test_utils.ts";

/** Every path of API.md, section 2, and what it takes. */
const paths: readonly (readonly [path: string, allow: string])[] = [
  ["/kv/a", "PUT, POST, GET, HEAD, DELETE, OPTIONS"],
  ["/kv/none", "PUT, POST, GET, HEAD, DELETE, OPTIONS"],
  ["/kv", "GET, HEAD, DELETE, OPTIONS"],
  ["/batch", "POST, OPTIONS"],
  ["/watch", "GET, HEAD, OPTIONS"],
  ["/export", "GET, HEAD, OPTIONS"],
  ["/import", "POST, OPTIONS"],
  ["/health", "GET, HEAD, OPTIONS"],
  ["/health/ready", "GET, HEAD, OPTIONS"],
  ["/cluster", "GET, HEAD, OPTIONS"],
  ["/cluster/join", "POST, OPTIONS"],
  ["/cluster/leave", "POST, OPTIONS"],
  ["/cluster/forget", "POST, OPTIONS"],
  ["/backup", "POST, OPTIONS"],
  ["/explain/a", "GET, HEAD, OPTIONS"],
  ["/metrics", "GET, HEAD, OPTIONS"],
  ["/openapi.json", "GET, HEAD, OPTIONS"],
  ["/", "GET, HEAD, OPTIONS"],
];

const methods = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "TRACE", "OPTIONS", "REPORT"];

describe("the methods of every route", () => {
  let alone: AloneNode;
  before(async () => {
    alone = await startAlone();
    await alone.node.put("a", { a: 1 });
  });
  after(() => alone.node.close());

  const ask = (method: string, path: string): Promise<RawAnswer> =>
    sendRaw(
      alone.port,
      `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      // A watch does not end.
      (raw) => path === "/watch" && method === "GET" && raw.includes("retry: 1000"),
    );

  it("are all that the OpenAPI document names, and no other path is", async () => {
    const { paths: documented } = JSON.parse((await ask("GET", "/openapi.json")).body) as {
      paths: Record<string, object>;
    };
    const named = Object.keys(documented).map((path) => path.replace("{key}", "a"));
    assert.deepEqual(
      named.sort(),
      paths
        .map(([path]) => path)
        .filter((path) => path !== "/kv/none")
        .sort(),
    );
  });

  it("are named by OPTIONS, and by Allow where another one is refused", async () => {
    for (const [path, allow] of paths) {
      const taken = allow.split(", ");
      const options = await ask("OPTIONS", path);
      assert.deepEqual([options.status, options.headers["allow"]], [204, allow], path);
      assert.equal(options.headers["content-length"], undefined);
      for (const method of methods.filter((each) => !taken.includes(each))) {
        const refused = await ask(method, path);
        assert.equal(refused.status, 405, `${method} ${path}`);
        assert.equal(refused.headers["allow"], allow, `${method} ${path}`);
        if (method === "HEAD") assert.equal(refused.body, "");
        else assert.match(refused.body, /"code":"method-not-allowed"/);
      }
    }
  });

  it("HEAD is GET without its body: the same status, the same headers", async () => {
    const head = ({ raw }: RawAnswer): string =>
      raw
        .slice(0, raw.indexOf("\r\n\r\n"))
        .replace(/^(Date|X-Request-Id): .*$/gm, "$1")
        // Every answer with a body that is written piece by piece says so; without a body there are no pieces.
        .replace(/\r\nTransfer-Encoding: chunked/, "")
        .replace(/^(Content-Length): \d+$/gm, "$1");
    for (const [path, allow] of paths.filter(([, each]) => each.includes("HEAD"))) {
      const [got, headed] = [await ask("GET", path), await ask("HEAD", path)];
      assert.equal(headed.body, "", path);
      assert.equal(head(headed), head(got), `${path} ${allow}`);
      // Metrics count this very request.
      if (path !== "/metrics") {
        assert.equal(headed.headers["content-length"], got.headers["content-length"], path);
      }
    }
    await until("the watch that was left is gone", async () =>
      /^dnd_watchers 0$/m.test((await ask("GET", "/metrics")).body),
    );
  });
});
