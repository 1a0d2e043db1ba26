import assert from "node:assert/strict";
import { deadPort, FakeNode, sendJson, sendProblem } from "./_test_utils.ts";
import { rejectsWith } from "./_rejects_with.ts";
import type { ClientOptions } from "./client_options.ts";
import { type Client, createClient } from "./create_client.ts";
import { DndError } from "./dnd_error.ts";

describe("createClient()", function () {
  this.timeout(60_000);
  let a: FakeNode;
  let b: FakeNode;
  const clients: Client[] = [];
  const client = (options: Partial<ClientOptions> = {}): Client => {
    const dnd = createClient({ urls: [a.url, b.url], ...options });
    clients.push(dnd);
    return dnd;
  };

  beforeEach(async () => {
    [a, b] = [new FakeNode(), new FakeNode()];
    await Promise.all([a.start(), b.start()]);
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((dnd) => dnd.close()));
    await Promise.all([a.stop(), b.stop()]);
  });

  it("refuses URLs and options that cannot work", () => {
    const create = (options: ClientOptions) => () => createClient(options);
    assert.throws(create({ urls: [] }), TypeError);
    assert.throws(create({ urls: ["nonsense"] }), /^TypeError: .*"nonsense" is no URL; write http/);
    assert.throws(create({ urls: [""] }), /^TypeError: .*"" is no URL/);
    assert.throws(create({ urls: ["ftp://x"] }), TypeError);
    assert.throws(
      create({ urls: ["http://user:secret@x"] }),
      (error) => error instanceof TypeError && !error.message.includes("secret"),
    );
    assert.throws(create({ urls: ["http://x"], rounds: 0 }), RangeError);
    for (const [wrong, name] of [
      [{ url: "http://x" }, "url"],
      [{ urls: "http://x" }, "urls"],
      [{}, "urls"],
      [{ urls: undefined }, "urls"],
      [{ urls: ["http://x"], token: "" }, "token"],
      [{ urls: ["http://x"], timeout: 5 }, "timeout"],
      [{ urls: ["http://x"], timeoutMs: NaN }, "timeoutMs"],
      [{ urls: ["http://x"], token: 5 }, "token"],
      [{ urls: ["http://x"], fetch: true }, "fetch"],
    ] as const) {
      assert.throws(
        create(wrong as never),
        (error) =>
          error instanceof DndError &&
          error.code === "invalid-argument" &&
          new RegExp(`\\b${name}\\b`).test(error.message),
      );
    }
    assert.throws(create({ urls: ["http://x"], timeoutMs: -1 }), DndError);
    assert.throws(create({ urls: ["http://x:0"] }), /^TypeError: .*no port to call/);
    for (const token of ["Bearer secret", "secret\n", "sécret", "secret🔑"]) {
      assert.throws(
        create({ urls: ["http://x"], token }),
        (error) =>
          error instanceof DndError && /token/.test(error.message) && !/s.cret/.test(error.message),
      );
    }
  });

  it("keeps a path in front of the API, and sends the token", async () => {
    a.intercept = (request, response) => {
      assert.equal(request.url, "/dnd/v1/kv/k");
      assert.equal(request.headers.authorization, "Bearer s3cret");
      sendProblem(response, 404, "not-found");
      return true;
    };
    const dnd = client({ urls: [`${a.url}/dnd/v1/`], token: "s3cret" });
    assert.equal(await dnd.get("k"), undefined);
  });

  it("stays with the node that answers", async () => {
    const dnd = client();
    for (let i = 0; i < 5; i += 1) await dnd.put("k", i);
    assert.equal(await dnd.get("k"), 4);
    assert.equal(b.requests.length, 0);
  });

  it("fails over when a connection is refused, reads and writes, and remembers", async () => {
    const dead = `http://127.0.0.1:${await deadPort()}`;
    const dnd = client({ urls: [dead, b.url] });
    await dnd.put("k", 1);
    assert.equal(await dnd.get("k"), 1);
    assert.deepEqual(b.requests, ["PUT /kv/k", "GET /kv/k"]);
  });

  it("sends a write once when the connection breaks after it was sent: outcome unknown", async () => {
    a.intercept = (request) => void request.socket.destroy() === undefined;
    const error = await rejectsWith(client().put("k", 1), "unreachable", "unknown");
    assert.equal(error.status, 0);
    assert.deepEqual([a.requests, b.requests], [["PUT /kv/k"], []]);
    await rejectsWith(client().batch([{ op: "delete", key: "k" }]), "unreachable", "unknown");
    assert.equal(b.requests.length, 0);
  });

  it("sends a read again when the connection breaks, a batch of gets too", async () => {
    a.intercept = (request) => void request.socket.destroy() === undefined;
    assert.equal(await client().get("k"), undefined);
    assert.equal((await client().batch([{ op: "get", key: "k" }]))[0]?.status, 404);
    assert.deepEqual(b.requests, ["GET /kv/k", "POST /batch"]);
  });

  it("sends a write again only if the node says that it was not applied", async () => {
    const cases: readonly (readonly [number, string, string | undefined, boolean])[] = [
      [503, "not-ready", "not-applied", true],
      [503, "storage-failed", "not-applied", true],
      [429, "too-many-requests", undefined, true],
      [507, "storage-full", "not-applied", true],
      [503, "quorum-unavailable", "partial", false],
      [503, "storage-failed", "unknown", false],
      [503, "storage-failed", undefined, false],
      [504, "timeout", "partial", false],
      [500, "internal", "unknown", false],
      [412, "precondition-failed", undefined, false],
      [401, "unauthorized", undefined, false],
    ];
    for (const [status, code, outcome, again] of cases) {
      a.intercept = (_, response) => {
        sendProblem(response, status, code, outcome === undefined ? {} : { outcome });
        return true;
      };
      b.requests.length = 0;
      const put = client().put("k", 1);
      if (again) assert.equal((await put).acked, 1, code);
      else await rejectsWith(put, code);
      assert.equal(b.requests.length, again ? 1 : 0, code);
    }
  });

  it("does not send a read again that was refused for good", async () => {
    for (const [status, code] of [
      [401, "unauthorized"],
      [400, "invalid-argument"],
      [421, "host-not-allowed"],
    ] as const) {
      a.intercept = (_, response) => sendProblem(response, status, code) === undefined;
      await rejectsWith(client().get("k"), code);
      assert.equal(b.requests.length, 0);
    }
    a.intercept = (_, response) => sendProblem(response, 503, "not-ready") === undefined;
    assert.equal(await client().get("k"), undefined);
    assert.equal(b.requests.length, 1);
  });

  it("tries so many rounds, honours Retry-After, and gives up with the last reason", async () => {
    a.intercept = (_, response) => {
      if (a.requests.length === 2) return false;
      sendProblem(response, 503, "not-ready", { outcome: "not-applied" }, { "retry-after": "0" });
      return true;
    };
    await client({ urls: [a.url], rounds: 2 }).put("k", 1);
    assert.equal(a.requests.length, 2);
    a.intercept = (_, response) => sendProblem(response, 503, "not-ready") === undefined;
    a.requests.length = 0;
    await rejectsWith(client({ urls: [a.url], rounds: 2 }).get("k"), "not-ready");
    assert.equal(a.requests.length, 2);
    a.intercept = (_, response) =>
      sendProblem(response, 503, "not-ready", {}, { "retry-after": "3600" }) === undefined;
    a.requests.length = 0;
    const error = await rejectsWith(client({ urls: [a.url] }).get("k"), "not-ready");
    assert.equal(error.retryAfterMs, 3_600_000);
    assert.equal(a.requests.length, 1, "an hour is beyond the call's time");
  });

  it("does not spend a read's whole time on a node that hangs", async () => {
    a.intercept = () => true;
    const dnd = client({ timeoutMs: 4000 });
    const before = Date.now();
    assert.equal(await dnd.get("k"), undefined);
    assert.ok(Date.now() - before < 4000);
    assert.equal(await dnd.get("k"), undefined);
    assert.equal(a.requests.length, 1, "the second read went to the node that answers");
  });

  it("does not leave a node because a call had little time", async () => {
    a.intercept = (request) => request.url === "/kv/slow";
    const dnd = client();
    await rejectsWith(dnd.put("slow", 1, { timeoutMs: 50 }), "timeout", "unknown");
    await dnd.put("k", 1);
    assert.equal(b.requests.length, 0);
  });

  it("times out: a write with outcome unknown, a read without", async () => {
    a.intercept = () => true;
    const dnd = client({ urls: [a.url] });
    await rejectsWith(dnd.put("k", 1, { timeoutMs: 50 }), "timeout", "unknown");
    const error = await rejectsWith(dnd.get("k", { timeoutMs: 50 }), "timeout");
    assert.equal(error.outcome, undefined);
    // Where the machine is busy the time can be over before a request has gone out.
    assert.ok(a.requests.length <= 2, "each was sent once");
  });

  it("gives the reason that says most when every node failed", async () => {
    const dead = `http://127.0.0.1:${await deadPort()}`;
    a.intercept = () => true;
    const dnd = client({ urls: [a.url, dead] });
    await rejectsWith(dnd.get("k", { timeoutMs: 100 }), "timeout");
    a.intercept = (_, response) => sendProblem(response, 503, "not-ready") === undefined;
    await rejectsWith(client({ urls: [a.url, dead], rounds: 1 }).get("k"), "not-ready");
  });

  it("tells the node its timeout when it waits for other members, and waits for the verdict", async () => {
    a.intercept = (request, response) => {
      assert.equal(request.url, "/kv/k?w=quorum&timeout=200ms");
      const more = { outcome: "partial", acked: 1, needed: 2 };
      setImmediate(() => sendProblem(response, 504, "timeout", more));
      return true;
    };
    const put = client().put("k", 1, { w: "quorum", timeoutMs: 200 });
    const error = await rejectsWith(put, "timeout", "partial");
    assert.deepEqual([error.acked, error.needed, error.status], [1, 2, 504]);
    assert.equal(error.requestId, "r-1");
  });

  it("rejects with the signal's reason while it waits", async () => {
    const controller = new AbortController();
    a.intercept = () => {
      controller.abort(new Error("enough"));
      return true;
    };
    const dnd = client();
    await assert.rejects(dnd.put("k", 1, { signal: controller.signal }), /enough/);
    await assert.rejects(dnd.ready({ signal: controller.signal }), /enough/);
    assert.equal(b.requests.length, 0);
  });

  it("ends what is waiting when it closes, and refuses what comes later", async () => {
    const dnd = client();
    a.intercept = () => {
      void dnd.close();
      return true;
    };
    await rejectsWith(dnd.put("k", 1), "closed", "unknown");
    await rejectsWith(dnd.put("k", 1), "closed", "not-applied");
    await rejectsWith(dnd.get("k"), "closed");
    await rejectsWith(dnd.watch().opened, "closed");
    assert.equal(a.requests.length, 1);
  });

  it("says so when something else than a dnd node answers", async () => {
    const answers: readonly (readonly [number, string, string])[] = [
      [404, "text/html", "<h1>Not here</h1>"],
      [404, "application/json", "{}"],
      [200, "text/html", "<h1>Welcome</h1>"],
      [502, "text/html", "<h1>Bad gateway</h1>"],
      [400, "application/problem+json", "{not json"],
    ];
    for (const [status, type, body] of answers) {
      a.intercept = (_, response) => {
        response.writeHead(status, { "content-type": type }).end(body);
        return true;
      };
      const dnd = client({ urls: [a.url], rounds: 1 });
      for (const read of [
        () => dnd.get("k"),
        () => dnd.entry("../k"),
        () => dnd.list(),
        () => dnd.has("k"),
        () => dnd.batch([{ op: "get", key: "k" }]),
        () => dnd.watch().opened,
        () => dnd.ready({ timeoutMs: 2_000 }),
        () => dnd.readiness(),
        () => dnd.health(),
        () => dnd.metrics(),
        () => dnd.cluster(),
        () => dnd.export().next(),
      ]) {
        await rejectsWith(read(), "invalid-response");
      }
      for (const write of [
        () => dnd.put("k", 1),
        () => dnd.put("../k", 1),
        () => dnd.delete("k"),
        () => dnd.touch("k"),
        () => dnd.deletePrefix("k"),
        () => dnd.batch([{ op: "delete", key: "k" }]),
      ]) {
        await rejectsWith(write(), "invalid-response", "unknown");
      }
    }
    a.intercept = (_, response) => sendProblem(response, 404, "no-such-route") === undefined;
    await rejectsWith(client().get("k"), "no-such-route");
  });

  it("does not follow a redirect, which could take the token elsewhere", async () => {
    a.intercept = (_, response) => {
      response.writeHead(307, { location: `${b.url}/kv/k` }).end();
      return true;
    };
    await rejectsWith(client({ urls: [a.url], rounds: 1 }).put("k", 1), "unreachable", "unknown");
    assert.equal(b.requests.length, 0);
  });

  it("sends keys with dot segments, and types that mean none in a header, by batch", async () => {
    const dnd = client();
    await dnd.put("a/../b", 1, { ttlMs: 1500 });
    assert.equal(await dnd.get("a/../b"), 1);
    await dnd.delete("a/../b");
    await dnd.put("form", "a=b", { contentType: "application/x-www-form-urlencoded" });
    assert.deepEqual(new Set(a.requests), new Set(["POST /batch"]));
    await rejectsWith(dnd.put("..", 1, { w: "all" }), "invalid-argument", "not-applied");
    await rejectsWith(dnd.put("..", 1, { ifMatch: "*" }), "invalid-argument", "not-applied");
    await rejectsWith(dnd.explain(".."), "invalid-key");
    assert.equal((await dnd.entry("form"))?.contentType, "application/x-www-form-urlencoded");
  });

  it("follows a write to the members that count, until they hold it or a newer one", async () => {
    const dnd = client();
    const receipt = await dnd.put("k", 1);
    const { time } = receipt.version;
    let asked = 0;
    a.intercept = (_, response) => {
      asked += 1;
      const etag = (n: number): object => ({ answer: "holds", etag: `"${time + n}-a"` });
      sendJson(response, 200, {
        key: "k",
        reason: "",
        members: [
          { node: "a", counts: true, ...etag(0) },
          { node: "b", counts: true, ...(asked > 2 ? etag(5) : etag(-5)) },
          { node: "c", counts: true, answer: "unreachable" },
          { node: "d", counts: false, ...etag(0) },
        ],
      });
      return true;
    };
    assert.deepEqual(await receipt.replicated("quorum"), { acked: 2, needed: 2, members: 3 });
    assert.equal(asked, 3);
    const error = await rejectsWith(
      receipt.replicated("all", { timeoutMs: 300 }),
      "timeout",
      "partial",
    );
    assert.deepEqual([error.acked, error.needed], [2, 3]);
    await rejectsWith(receipt.replicated(4), "invalid-argument");
    await rejectsWith(receipt.replicated(0), "invalid-argument");
  });

  it("waits until the node is ready, and says why it is not", async () => {
    a.intercept = (_, response) => {
      if (a.requests.length < 3) sendJson(response, 503, { ready: false, reasons: ["copying"] });
      else sendJson(response, 200, { ready: true, alone: true });
      return true;
    };
    const dnd = client({ urls: [a.url] });
    assert.deepEqual(await dnd.readiness(), { ready: false, reasons: ["copying"] });
    await dnd.ready();
    assert.deepEqual(await dnd.readiness(), { ready: true, alone: true });
    const both = client();
    await both.ready();
    assert.equal(b.requests.length, 0);
    a.intercept = (_, response) =>
      sendJson(response, 503, { ready: false, reasons: ["copying"] }) === undefined;
    const error = await rejectsWith(dnd.ready({ timeoutMs: 300 }), "not-ready");
    assert.match(error.message, /copying/);
    await both.ready();
    assert.equal(b.requests.length, 1, "one node that is ready will do");
  });
});
