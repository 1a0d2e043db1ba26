import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import express from "express";
import fastify from "fastify";
import { sendRaw, startAlone, type AloneNode } from "../_test_utils.ts";
import { Tokens } from "../token_file.ts";

const run = promisify(execFile);

async function exercise(url: string): Promise<void> {
  const put = await fetch(`${url}/kv/mounted/%C3%A9`, { method: "PUT", body: '{"a":1}' });
  assert.equal(put.status, 200);
  const get = await fetch(`${url}/kv/mounted/%C3%A9`);
  assert.equal(await get.text(), '{"a":1}');
  const large = JSON.stringify("x".repeat(300_000));
  assert.equal((await fetch(`${url}/kv/large`, { method: "POST", body: large })).status, 200);
  assert.equal(await (await fetch(`${url}/kv/large`)).text(), large);
  assert.equal((await fetch(`${url}/kv/..%2f`)).status, 400);
  assert.equal((await fetch(`${url}/nothing`)).status, 404);
  const controller = new AbortController();
  const watch = await fetch(`${url}/watch`, { signal: controller.signal });
  assert.equal(watch.headers.get("content-type"), "text/event-stream; charset=utf-8");
  controller.abort();
}

describe("node.handler", () => {
  let alone: AloneNode;
  before(async () => {
    alone = await startAlone({ http: {} });
  });
  after(() => alone.node.close());

  it("mounts in a plain http server", async () => {
    const server = createServer(alone.node.handler);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await exercise(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.closeAllConnections();
    server.close();
  });

  it("mounts in Express, under a path", async () => {
    const app = express();
    app.get("/own", (_request, response) => void response.send("own"));
    app.use("/dnd", alone.node.handler);
    const server = app.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await exercise(`${base}/dnd`);
    assert.equal(await (await fetch(`${base}/own`)).text(), "own");
    server.closeAllConnections();
    server.close();
  });

  it("mounts in Fastify, before its body parsers", async () => {
    const app = fastify();
    app.get("/own", () => "own");
    app.addHook("onRequest", (request, reply, done) => {
      if (request.url === "/own") {
        done();
        return;
      }
      reply.hijack();
      alone.node.handler(request.raw, reply.raw);
    });
    const base = await app.listen({ port: 0, host: "127.0.0.1" });
    await exercise(base);
    assert.equal(await (await fetch(`${base}/own`)).text(), "own");
    app.server.closeAllConnections();
    await app.close();
  });

  it("has the tokens and hosts of a node that opens no port of its own", async () => {
    const tokens = new Tokens([["let-me-in", "write"]]);
    const { node } = await startAlone({
      http: { port: "off", tokens, allowHosts: ["db.example"] },
    });
    assert.deepEqual([node.httpPort, node.webPort], [undefined, undefined]);
    const server = createServer(node.handler);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const ask = async (host: string, token?: string): Promise<string> => {
      const authorization = token === undefined ? "" : `Authorization: Bearer ${token}\r\n`;
      const head = `GET /kv/none HTTP/1.1\r\nHost: ${host}\r\n${authorization}Connection: close\r\n\r\n`;
      return (await sendRaw(port, head)).raw;
    };
    assert.match(await ask("db.example", "let-me-in"), /^HTTP\/1.1 404 /);
    assert.match(await ask("db.example"), /^HTTP\/1.1 401 /);
    assert.match(await ask("evil.example", "let-me-in"), /^HTTP\/1.1 421 /);
    server.close();
    await node.close();
  });

  it("says what is wrong when a body parser came first", async () => {
    const app = express();
    app.use(express.text({ type: "*/*" }));
    app.use(alone.node.handler);
    const server = app.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const [method, path] of [
      ["PUT", "/kv/parsed"],
      ["POST", "/kv/parsed"],
      ["POST", "/batch"],
      ["POST", "/import"],
    ] as const) {
      const answer = await fetch(`${url}${path}`, { method, body: '{"ops":[]}' });
      const problem = (await answer.json()) as Record<string, unknown>;
      assert.equal(answer.status, 500, path);
      assert.match(String(problem["detail"]), /mount it before any body parser/);
      assert.deepEqual([problem["code"], problem["outcome"]], ["internal", "not-applied"]);
    }
    // What has no body loses nothing to a parser.
    assert.equal((await fetch(`${url}/kv/parsed`)).status, 404);
    assert.equal((await fetch(`${url}/kv/parsed`, { method: "DELETE" })).status, 204);
    server.closeAllConnections();
    server.close();
  });

  for (const used of [true, false]) {
    it(`says that the node is closed, ${used ? "" : "not "}having been asked before`, async () => {
      const { node } = await startAlone();
      const server = createServer(node.handler);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      if (used) assert.equal((await fetch(`${url}/health`)).status, 200);
      await node.close();
      for (const [method, path] of [
        ["GET", "/health"],
        ["GET", "/health/ready"],
        ["GET", "/kv/a"],
        ["PUT", "/kv/a"],
        ["POST", "/batch"],
        ["GET", "/watch"],
        ["GET", "/"],
      ] as const) {
        const answer = await fetch(`${url}${path}`, {
          method,
          ...(method === "GET" ? {} : { body: "1" }),
        });
        const problem = (await answer.json()) as Record<string, unknown>;
        assert.equal(answer.status, 503, path);
        assert.equal(problem["code"], "not-ready");
        assert.match(String(problem["detail"]), /the node is closed/);
        assert.equal(answer.headers.get("dnd-node"), node.id);
      }
      server.closeAllConnections();
      server.close();
    });
  }
});

describe("curl, a client that was not written here", () => {
  let alone: AloneNode;
  before(async () => {
    alone = await startAlone();
  });
  after(() => alone.node.close());

  const curl = async (...args: readonly string[]): Promise<string> =>
    (await run("curl", ["-sS", "--max-time", "20", ...args])).stdout;

  it("runs the lines of the manual", async function () {
    try {
      await run("curl", ["--version"]);
    } catch {
      console.log("skipped: there is no curl on this machine");
      this.skip();
    }
    const { url } = alone;
    assert.equal(await curl("-X", "POST", `${url}/kv/user1`, "-d", '{"name": "Jack"}'), "OK");
    assert.equal(await curl(`${url}/kv/user1`), '{"name": "Jack"}');
    assert.equal(await curl("-o", "/dev/null", "-w", "%{http_code}", `${url}/kv/none`), "404");
    const bad = await curl("-w", " %{http_code}", `${url}/kv/bad`, "-d", "{bad");
    assert.match(bad, /invalid-json.* 400$/);
    assert.match(await curl("-I", `${url}/kv/user1`), /^HTTP\/1.1 200 OK/);
    assert.match(await curl("-X", "DELETE", "-i", `${url}/kv/user1`), /204 No Content/);
    const large = "x".repeat(1_100_000);
    const refused = run("curl", ["-sS", "-w", " %{http_code}", `${url}/kv/l`, "-d", "@-"]);
    refused.child.stdin?.end(large);
    assert.match((await refused).stdout, /value-too-large.* 413$/);
    assert.match(await curl(`${url}/kv?values=true`), /"items":\[/);
  });
});
