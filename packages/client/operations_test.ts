import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { FakeNode, sendJson, sendProblem } from "./_test_utils.ts";
import { rejectsWith } from "./_rejects_with.ts";
import { type Client, createClient } from "./create_client.ts";
import type { ExportLine } from "./operations.ts";

const line = (n: number, value: string = `v${n}`): ExportLine => ({
  key: `k${n}`,
  encoding: "utf8",
  value,
  contentType: "text/plain",
  etag: `"${n}-a"`,
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

describe("Client operations", function () {
  this.timeout(60_000);
  let node: FakeNode;
  let dnd: Client;
  beforeEach(async () => {
    node = new FakeNode();
    dnd = createClient({ urls: [await node.start()] });
  });
  afterEach(async () => {
    await dnd.close();
    await node.stop();
  });

  it("asks for health, cluster, metrics and the API's description", async () => {
    await dnd.health();
    assert.equal((await dnd.cluster()).node, "a");
    node.intercept = (request, response) => {
      if (request.url === "/metrics") response.end("dnd_keys 1\n");
      else sendJson(response, 200, { openapi: "3.1.0" });
      return true;
    };
    assert.equal(await dnd.metrics(), "dnd_keys 1\n");
    assert.equal((await dnd.openapi())["openapi"], "3.1.0");
  });

  it("sends the operator's acts as they are documented", async () => {
    const sent: string[] = [];
    node.intercept = (request, response) => {
      void bodyOf(request).then((body) => {
        sent.push(`${request.method} ${request.url} ${body}`);
        if (request.url === "/backup") sendJson(response, 200, { folder: "/b", keys: 3 });
        else response.end("OK");
      });
      return true;
    };
    await dnd.join(["10.0.0.7:5000"]);
    await dnd.forget("abc");
    await dnd.leave();
    assert.equal((await dnd.backup("/b")).folder, "/b");
    assert.deepEqual(sent, [
      'POST /cluster/join {"peers":["10.0.0.7:5000"]}',
      'POST /cluster/forget {"node":"abc"}',
      "POST /cluster/leave {}",
      'POST /backup {"folder":"/b"}',
    ]);
    node.intercept = (_, response) => sendProblem(response, 409, "conflict") === undefined;
    await rejectsWith(dnd.forget("abc"), "conflict", "not-applied");
  });

  it("hands out an export line by line, whatever the pieces", async () => {
    const text = [line(1), line(2, "ü🔑\n"), line(3)].map((l) => JSON.stringify(l)).join("\n");
    const bytes = Buffer.from(text);
    node.intercept = (request, response) => {
      assert.equal(request.url, "/export?prefix=k%2F%3F");
      for (let at = 0; at < bytes.length; at += 7) response.write(bytes.subarray(at, at + 7));
      response.end("\n\n");
      return true;
    };
    const lines: ExportLine[] = [];
    for await (const item of dnd.export({ prefix: "k/?" })) lines.push(item);
    assert.deepEqual(lines, [line(1), line(2, "ü🔑\n"), line(3)]);
  });

  it("does not take a broken export for a whole one", async () => {
    node.intercept = (_, response) => {
      response.write(`${JSON.stringify(line(1))}\n`, () => response.destroy());
      return true;
    };
    const lines = dnd.export();
    assert.deepEqual((await lines.next()).value, line(1));
    await rejectsWith(lines.next(), "unreachable");
    node.intercept = (_, response) => response.end("<h1>hello</h1>\n") !== undefined;
    await rejectsWith(dnd.export().next(), "invalid-response");
    node.intercept = (_, response) => response.write(`${JSON.stringify(line(1))}\n`) !== undefined;
    const stuck = dnd.export({ timeoutMs: 100 });
    await stuck.next();
    await rejectsWith(stuck.next(), "unreachable");
  });

  it("takes the largest value that there is, in the longest way to write it", async () => {
    const value = "\u0001".repeat(16 * 1024 * 1024);
    const text = `${JSON.stringify({ ...line(1), value })}\n`;
    node.intercept = (_, response) => response.end(text) !== undefined;
    for await (const read of dnd.export()) assert.ok(read.value === value);
  });

  it("says what is wrong with lines that no node sends", async () => {
    node.intercept = (_, response) => response.end(Buffer.from([0xff, 0x0a])) !== undefined;
    await rejectsWith(dnd.export().next(), "invalid-response");
  });

  it("lets an export go when its reader leaves", async () => {
    let closed: (() => void) | undefined;
    const gone = new Promise<void>((resolve) => (closed = resolve));
    node.intercept = (_, response) => {
      response.on("close", () => closed?.());
      response.write(`${JSON.stringify(line(1))}\n`);
      return true;
    };
    for await (const item of dnd.export()) {
      assert.equal(item.key, "k1");
      break;
    }
    await gone;
  });

  it("imports in pieces, adds up, and numbers the failures over all of them", async () => {
    const sizes: number[] = [];
    node.intercept = (request, response) => {
      void bodyOf(request).then((body) => {
        const lines = body.trimEnd().split("\n");
        sizes.push(lines.length);
        const failed = [{ line: lines.length, code: "invalid-key", detail: "bad" }];
        sendJson(response, 200, { imported: lines.length - 1, failed });
      });
      return true;
    };
    const large = "x".repeat(400_000);
    async function* source(): AsyncGenerator<ExportLine, undefined> {
      for (let n = 1; n <= 7; n += 1) yield line(n, large);
    }
    const result = await dnd.import(source(), { keep: "versions" });
    assert.deepEqual(sizes, [3, 3, 1]);
    assert.equal(result.imported, 4);
    assert.deepEqual(
      result.failed.map((failure) => failure.line),
      [3, 6, 7],
    );
    assert.deepEqual(
      node.requests,
      Array.from({ length: 3 }, () => "POST /import?keep=versions"),
    );
    assert.equal(result.failedCount, 3);
    assert.deepEqual(await dnd.import([]), { imported: 0, failed: [], failedCount: 0 });
  });

  it("lists the first 1,000 failures of an import and counts the others", async () => {
    node.intercept = (request, response) => {
      void bodyOf(request).then((body) => {
        const count = body.trimEnd().split("\n").length;
        const failed = Array.from({ length: Math.min(count, 1000) }, (_, n) => {
          return { line: n + 1, code: "invalid-key", detail: "bad" };
        });
        sendJson(response, 200, { imported: 0, failed, failedCount: count });
      });
      return true;
    };
    const value = "x".repeat(700);
    const result = await dnd.import(Array.from({ length: 5000 }, (_, n) => line(n, value)));
    assert.equal(result.failedCount, 5000);
    assert.equal(result.failed.length, 1000);
    assert.equal(result.failed[999]?.line, 1000);
    assert.ok(node.requests.length > 1);
  });

  it("says how much of an import is stored when a piece fails", async () => {
    node.intercept = (request, response) => {
      void bodyOf(request).then(() => {
        if (node.requests.length === 1) sendJson(response, 200, { imported: 3, failed: [] });
        else response.destroy();
      });
      return true;
    };
    const large = "x".repeat(400_000);
    const call = dnd.import([1, 2, 3, 4].map((n) => line(n, large)));
    const error = await rejectsWith(call, "unreachable", "unknown");
    assert.match(error.message, /3 stored so far/);
  });
});
