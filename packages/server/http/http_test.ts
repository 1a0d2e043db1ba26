import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { TestAuthority } from "../_test_certificates.ts";
import { until, sendRaw, startAlone, type AloneNode, type RawAnswer } from "../_test_utils.ts";
import { parseTokenFile } from "../token_file.ts";
import { problemKinds } from "./problem.ts";

const tokens = parseTokenFile(
  "read readtoken\nwrite writetoken\n# nobody\n\nadmin admintoken\n",
  "tokens",
);

interface Call {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One request on a connection of its own, exactly as written. */
function send(port: number, call: Call): Promise<RawAnswer> {
  const { method = "GET", path, headers = {}, body } = call;
  const all = {
    Host: "localhost",
    Connection: "close",
    ...(body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) }),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body ?? ""}`;
  return sendRaw(port, Buffer.from(text).toString("latin1"));
}

function codeOf(answer: RawAnswer): string | undefined {
  if (!answer.headers["content-type"]?.includes("problem+json")) return undefined;
  const problem = JSON.parse(answer.body) as Record<string, unknown>;
  const { code, status } = problem as { code: string; status: number };
  assert.equal(status, answer.status);
  assert.equal(problem["type"], `urn:dnd:error:${code}`);
  assert.ok(typeof problem["title"] === "string" && typeof problem["detail"] === "string");
  assert.equal(problemKinds[code as keyof typeof problemKinds].status, status);
  return code;
}

/** What differs from run to run, and nothing else. */
function stable(answer: RawAnswer): string {
  return answer.raw
    .replace(/^Date: .*$/gm, "Date")
    .replace(/^X-Request-Id: .*$/gm, "X-Request-Id")
    .replace(/[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/g, "time")
    .replace(/[0-9]{15,16}-[0-9a-f]{32}/g, "version")
    .replace(/[0-9a-f]{32}\.[0-9]+\.[0-9]+/g, "event")
    .replace(/[0-9a-f]{32}/g, "node");
}

describe("the two ways to a value", () => {
  it("answer the same bytes to everything, with the same checks", async () => {
    const options = { http: { tokens, allowOrigins: ["https://good.example"] }, maxValueBytes: 50 };
    const fast = await startAlone(options, { fastPath: true });
    const slow = await startAlone(options, { fastPath: false });
    const write = { Authorization: "Bearer writetoken" };
    const calls: Call[] = [
      { path: "/kv/a", headers: write },
      { method: "PUT", path: "/kv/a", headers: write, body: '{"a": 1}' },
      { method: "POST", path: "/kv/a", headers: write, body: "2" },
      { path: "/kv/a", headers: write },
      { path: "/kv/a" },
      { path: "/kv/a", headers: { Authorization: "Bearer nonsense" } },
      { path: "/kv/a", headers: { Authorization: "Basic writetoken" } },
      { method: "PUT", path: "/kv/a", headers: { Authorization: "Bearer readtoken" }, body: "3" },
      { method: "HEAD", path: "/kv/a", headers: write },
      { method: "HEAD", path: "/kv/none", headers: write },
      { method: "OPTIONS", path: "/kv/a", headers: write },
      { method: "OPTIONS", path: "/kv/a" },
      { method: "PATCH", path: "/kv/a", headers: write },
      { method: "TRACE", path: "/kv/a", headers: write },
      { path: "/kv/", headers: write },
      { path: "/kv/..", headers: write },
      { path: "/kv/a?x=1", headers: write },
      { path: "/kv/a?", headers: write },
      { method: "PUT", path: "/kv/a?tll=90", headers: write, body: "1" },
      { method: "PUT", path: "/kv/a?ttl=90&ttl=80", headers: write, body: "1" },
      { method: "PUT", path: "/kv/a?ttl=", headers: write, body: "1" },
      { method: "PUT", path: "/kv/a?ttl=-1", headers: write, body: "1" },
      { method: "PUT", path: "/kv/a?w=2", headers: write, body: "1" },
      { method: "PUT", path: "/kv/a?w=0", headers: write, body: "1" },
      { method: "PUT", path: "/kv/a?ttl=%ff", headers: write, body: "1" },
      { method: "PUT", path: "/kv/a", headers: write, body: "{bad" },
      { method: "PUT", path: "/kv/a", headers: write, body: "" },
      { method: "PUT", path: "/kv/a", headers: write, body: `"${"x".repeat(60)}"` },
      {
        method: "PUT",
        path: "/kv/b",
        headers: { ...write, "Content-Type": "text/plain" },
        body: "",
      },
      {
        method: "PUT",
        path: "/kv/b",
        headers: { ...write, "Content-Type": "nonsense" },
        body: "x",
      },
      {
        method: "PUT",
        path: "/kv/b",
        headers: { ...write, "Content-Encoding": "gzip" },
        body: "x",
      },
      {
        method: "PUT",
        path: "/kv/b",
        headers: { ...write, "Content-Type": "application/json; charset=latin1" },
        body: "1",
      },
      { method: "PUT", path: "/kv/a", headers: { ...write, "If-None-Match": "*" }, body: "1" },
      { method: "PUT", path: "/kv/a", headers: { ...write, "If-Match": '"1-a"' }, body: "1" },
      { method: "PUT", path: "/kv/a", headers: { ...write, "If-Match": "nonsense" }, body: "1" },
      { path: "/kv/a", headers: { ...write, "If-None-Match": "*" } },
      { path: "/kv/a", headers: { ...write, Host: "evil.example" } },
      { path: "/kv/a", headers: { ...write, Origin: "https://evil.example" } },
      { path: "/kv/a", headers: { ...write, Origin: "https://good.example" } },
      { path: "/kv/a", headers: { ...write, "Sec-Fetch-Site": "cross-site" } },
      { path: "http://localhost/kv/a", headers: write },
      { path: "/kv/a", headers: { ...write, "X-Request-Id": "mine-1" } },
      { method: "DELETE", path: "/kv/a", headers: write },
      { method: "DELETE", path: "/kv/a", headers: write },
      { path: "/kv/a", headers: write },
    ];
    // Whole connections, as they are written.
    const auth = "Host: localhost\r\nAuthorization: Bearer writetoken\r\n";
    const last = "Connection: close\r\n";
    const connections = [
      `PUT /kv/p HTTP/1.1\r\n${auth}Content-Length: 1\r\n\r\n1GET /kv/p HTTP/1.1\r\n${auth}\r\nDELETE /kv/p HTTP/1.1\r\n${auth}${last}\r\n`,
      `PUT /kv/p HTTP/1.1\r\n${auth}${last}Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n2\r\n1]\r\n0\r\n\r\n`,
      `PUT /kv/p HTTP/1.1\r\n${auth}${last}Transfer-Encoding: chunked\r\n\r\n40\r\n${"1".repeat(64)}\r\n0\r\n\r\n`,
      `PUT /kv/p HTTP/1.1\r\n${auth}${last}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `PUT /kv/p HTTP/1.1\r\n${auth}${last}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n2`,
      `PUT /kv/p HTTP/1.1\r\n${auth}Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n`,
      `PUT /kv/p HTTP/1.1\r\n${auth}${last}Expect: tea\r\nContent-Length: 1\r\n\r\n2`,
      `GET /kv/p HTTP/1.0\r\n${auth}\r\n`,
      `GET /kv/p HTTP/1.1\r\n${auth}${last}Upgrade: websocket\r\n\r\n`,
      `PUT /kv/p HTTP/1.1\r\n${auth}${last}Content-Range: bytes 0-0/2\r\nContent-Length: 1\r\n\r\n2`,
      `PUT /kv/p HTTP/1.1\r\n${auth}${last}If-Unmodified-Since: Mon, 23 Nov 2026 00:00:00 GMT\r\nContent-Length: 1\r\n\r\n2`,
    ];
    try {
      for (const text of connections) {
        const [one, two] = [await sendRaw(fast.port, text), await sendRaw(slow.port, text)];
        assert.equal(stable(one), stable(two), text);
        assert.ok(one.status >= 100, text);
      }
      for (const call of calls) {
        const [one, two] = [await send(fast.port, call), await send(slow.port, call)];
        assert.equal(stable(one), stable(two), JSON.stringify(call));
        assert.ok(one.status >= 200, JSON.stringify(call));
        assert.match(one.headers["dnd-node"] ?? "", /^[0-9a-f]{32}$/);
        assert.ok(one.headers["x-request-id"] !== undefined);
      }
    } finally {
      await fast.node.close();
      await slow.node.close();
    }
  });
});

describe("the conditions of a read, in the order of RFC 9110, 13.2.2", () => {
  /** What is sent (`{etag}` is the value's own), and the status. */
  const past = "Sun, 22 Nov 2026 00:00:00 GMT";
  const rfc850 = "Sunday, 22-Nov-26 00:00:00 GMT";
  const asctime = "Sun Nov 22 00:00:00 2026";
  const future = "Fri, 01 Jan 2100 00:00:00 GMT";
  const other = '"1-a"';
  const cases: readonly (readonly [status: number, headers: Readonly<Record<string, string>>])[] = [
    [200, { "If-Match": "{etag}" }],
    [200, { "if-match": `${other}, {etag}` }],
    [200, { "If-Match": "*" }],
    [412, { "If-Match": other }],
    [412, { "IF-MATCH": other }],
    [412, { "If-Match": "W/{etag}" }], // 13.1.1: compared strongly
    [400, { "If-Match": "nonsense" }],
    [400, { "If-Match": "" }],
    [304, { "If-None-Match": "{etag}" }],
    [304, { "If-None-Match": "W/{etag}" }],
    [304, { "If-None-Match": "*" }],
    [200, { "If-None-Match": other }],
    [400, { "If-None-Match": "nonsense" }],
    [412, { "If-Unmodified-Since": past }],
    [412, { "If-Unmodified-Since": rfc850 }],
    [412, { "If-Unmodified-Since": asctime }],
    [200, { "If-Unmodified-Since": "{modified}" }],
    [200, { "If-Unmodified-Since": future }],
    [200, { "If-Unmodified-Since": "nonsense" }],
    [200, { "If-Unmodified-Since": "2026-11-22" }],
    [200, { "If-Modified-Since": past }],
    [304, { "If-Modified-Since": "{modified}" }],
    [304, { "If-Modified-Since": future }],
    [304, { "if-modified-since": "Friday, 01-Jan-40 00:00:00 GMT" }],
    [304, { "If-Modified-Since": "Fri Jan  1 00:00:00 2100" }],
    [200, { "If-Modified-Since": "nonsense" }],
    // With If-Match the date is not looked at, with If-None-Match neither.
    [200, { "If-Match": "{etag}", "If-Unmodified-Since": past }],
    [412, { "If-Match": other, "If-Unmodified-Since": future }],
    [200, { "If-None-Match": other, "If-Modified-Since": future }],
    [304, { "If-None-Match": "{etag}", "If-Modified-Since": past }],
    // What holds goes on to the next; what does not is the answer.
    [304, { "If-Match": "{etag}", "If-None-Match": "{etag}" }],
    [412, { "If-Match": other, "If-None-Match": "{etag}" }],
    [304, { "If-Unmodified-Since": future, "If-Modified-Since": future }],
    [412, { "If-Unmodified-Since": past, "If-Modified-Since": future }],
  ];

  it("both ways answer the same bytes, to GET and HEAD", async () => {
    const fast = await startAlone({}, { fastPath: true });
    const slow = await startAlone({}, { fastPath: false });
    try {
      for (const { port } of [fast, slow]) {
        await send(port, { method: "PUT", path: "/kv/a", body: '{"a": 1}' });
      }
      const ask = async (port: number, method: string, path: string, headers: Call["headers"]) => {
        const { etag = "", "last-modified": modified = "" } = (await send(port, { path: "/kv/a" }))
          .headers;
        const own = Object.entries(headers ?? {}).map(([name, value]) => [
          name,
          value.replace("{etag}", etag).replace("{modified}", modified),
        ]);
        return send(port, {
          method,
          path,
          headers: Object.fromEntries(own) as Call["headers"] & {},
        });
      };
      for (const [status, headers] of cases) {
        const text = JSON.stringify(headers);
        for (const method of ["GET", "HEAD"]) {
          const one = await ask(fast.port, method, "/kv/a", headers);
          const two = await ask(slow.port, method, "/kv/a", headers);
          assert.equal(stable(one), stable(two), text);
          assert.equal(one.status, status, `${method} ${text}`);
          if (status === 304) assert.match(one.headers["etag"] ?? "", /^"\d+-[0-9a-f]{32}"$/, text);
          if (status === 304 || method === "HEAD") assert.equal(one.body, "", text);
          else if (status === 412) {
            assert.equal(codeOf(one), "precondition-failed", text);
            assert.match(one.body, /"detail":"Cannot read: If-(Match|Unmodified-Since) is /);
            assert.doesNotMatch(one.body, /outcome/, text); // it would have written nothing
          }
          // 13.2.1: of what is not there no condition is looked at.
          const absent = await ask(fast.port, method, "/kv/none", headers);
          assert.equal(absent.status, 404, `${method} ${text}`);
          assert.equal(stable(absent), stable(await ask(slow.port, method, "/kv/none", headers)));
        }
      }
    } finally {
      await fast.node.close();
      await slow.node.close();
    }
  });
});

describe("the HTTP interface", () => {
  let alone: AloneNode;
  before(async () => {
    alone = await startAlone();
  });
  after(() => alone.node.close());
  const call = (options: Call): Promise<RawAnswer> => send(alone.port, options);

  it("stores, reads, replaces and deletes, with the headers of the manual", async () => {
    const put = await call({ method: "POST", path: "/kv/user1", body: '{"name": "Jack"}' });
    assert.equal(put.status, 200);
    assert.equal(put.body, "OK");
    assert.match(put.headers["etag"] ?? "", /^"[0-9]+-[0-9a-f]{32}"$/);
    assert.equal(put.headers["dnd-replicas"], "acked=1, needed=1, members=1");
    assert.match(put.headers["dnd-event"] ?? "", /^[0-9a-f]{32}\.[0-9]+\.[0-9]+$/);
    const get = await call({ path: "/kv/user1" });
    assert.equal(get.body, '{"name": "Jack"}');
    assert.equal(get.headers["etag"], put.headers["etag"]);
    assert.equal(get.headers["content-type"], "application/json");
    assert.equal(get.headers["x-content-type-options"], "nosniff");
    assert.equal(get.headers["content-security-policy"], "sandbox; default-src 'none'");
    assert.ok(Math.abs(Date.parse(get.headers["last-modified"] ?? "") - Date.now()) < 60_000);
    assert.equal(get.headers["dnd-expires"], undefined);
    const head = await call({ method: "HEAD", path: "/kv/user1" });
    assert.equal(head.body, "");
    assert.equal(head.headers["content-length"], "16");
    const etag = get.headers["etag"] ?? "";
    const same = await call({
      path: "/kv/user1",
      headers: { "If-None-Match": `"x-y", W/${etag}` },
    });
    assert.equal(same.status, 304);
    assert.equal(same.body, "");
    const deleted = await call({ method: "DELETE", path: "/kv/user1" });
    assert.equal(deleted.status, 204);
    assert.equal(deleted.headers["dnd-existed"], "true");
    assert.notEqual(deleted.headers["etag"], etag);
    assert.equal(codeOf(await call({ path: "/kv/user1" })), "not-found");
    const again = await call({ method: "DELETE", path: "/kv/user1" });
    assert.equal(again.headers["dnd-existed"], "false");
  });

  it("takes what curl -d sends as JSON and everything else as bytes with their type", async () => {
    const form = { "Content-Type": "application/x-www-form-urlencoded" };
    await call({ method: "PUT", path: "/kv/t", headers: form, body: "[1 ]" });
    assert.equal((await call({ path: "/kv/t" })).headers["content-type"], "application/json");
    assert.equal(
      codeOf(await call({ method: "PUT", path: "/kv/t", headers: form, body: "a=b" })),
      "invalid-json",
    );
    assert.equal((await call({ path: "/kv/t" })).body, "[1 ]");
    const type = { "Content-Type": 'text/csv; charset="utf-8"; header=present' };
    await call({ method: "PUT", path: "/kv/t", headers: type, body: "a,b" });
    const got = await call({ path: "/kv/t" });
    assert.equal(got.headers["content-type"], type["Content-Type"]);
    assert.equal(got.body, "a,b");
    await call({
      method: "PUT",
      path: "/kv/bytes",
      headers: { "Content-Type": "image/png" },
      body: "\u0000\u00ff",
    });
    assert.equal(
      (await call({ path: "/kv/bytes" })).body,
      Buffer.from("\u0000\u00ff").toString("latin1"),
    );
  });

  it("keeps a time to live, and lets it run out", async () => {
    await call({ method: "PUT", path: "/kv/ttl?ttl=15m", body: "1" });
    const { headers } = await call({ path: "/kv/ttl" });
    const expires = headers["dnd-expires"] ?? "";
    assert.match(expires, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Math.abs(Date.parse(expires) - Date.now() - 900_000) < 10_000);
    await call({ method: "PUT", path: "/kv/short?ttl=1", body: "1" });
    await until("it expires", async () => (await call({ path: "/kv/short" })).status === 404);
  });

  it("serves health without a host, and nothing else", async () => {
    const evil = { Host: "evil.example" };
    assert.equal((await call({ path: "/health", headers: evil })).body, "OK");
    assert.equal((await call({ path: "/health/ready", headers: evil })).status, 200);
    assert.equal(codeOf(await call({ path: "/cluster", headers: evil })), "host-not-allowed");
    for (const Host of ["127.0.0.1:6000", "[::1]:6000", "localhost", "a.localhost:1", "10.0.0.7"]) {
      assert.equal((await call({ path: "/cluster", headers: { Host } })).status, 200, Host);
    }
    for (const Host of ["localhost.evil.example", "evil", "", "127.0.0.1.evil.example", "a@b"]) {
      assert.equal((await call({ path: "/cluster", headers: { Host } })).status, 421, Host);
    }
  });

  it("refuses two Host headers, none, and an absolute target", async () => {
    const two = "GET /health HTTP/1.1\r\nHost: a\r\nHOST: a\r\nConnection: close\r\n\r\n";
    assert.equal(codeOf(await sendRaw(alone.port, two)), "invalid-argument");
    const none = "GET /kv/a HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert.equal(codeOf(await sendRaw(alone.port, none)), "invalid-argument");
    for (const path of ["http://localhost/kv/a", "HTTP://localhost/", "*"]) {
      assert.equal((await call({ path })).status, 400, path);
    }
  });

  it("says 404 for what is no route and 405 with Allow for a method that is none", async () => {
    for (const path of ["/nothing", "/kv2", "/KV/a", "/health/", "/watch/", "//kv/a", "/kv%2Fa"]) {
      assert.equal(codeOf(await call({ path })), "no-such-route", path);
    }
    for (const [path, allow] of [
      ["/kv/a", "PUT, POST, GET, HEAD, DELETE, OPTIONS"],
      ["/kv", "GET, HEAD, DELETE, OPTIONS"],
      ["/batch", "POST, OPTIONS"],
      ["/health", "GET, HEAD, OPTIONS"],
      ["/cluster/leave", "POST, OPTIONS"],
    ] as const) {
      const patch = await call({ method: "PATCH", path });
      assert.equal(codeOf(patch), "method-not-allowed", path);
      assert.equal(patch.headers["allow"], allow);
      const options = await call({ method: "OPTIONS", path });
      assert.equal(options.status, 204);
      assert.equal(options.headers["allow"], allow);
    }
  });

  it("bounds values and headers, and says so before the body comes", async () => {
    const large = await call({ method: "PUT", path: "/kv/l", body: `"${"x".repeat(1048576)}"` });
    assert.equal(codeOf(large), "value-too-large");
    const expect =
      "PUT /kv/l HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n";
    const refused = await sendRaw(alone.port, expect);
    assert.equal(codeOf(refused), "value-too-large");
    assert.equal(refused.raw.includes("100 Continue"), false);
    const invited = await sendRaw(
      alone.port,
      "PUT /kv/l HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\n7",
    );
    assert.match(invited.raw, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
    const chunked =
      "PUT /kv/l HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    const piece = `10000\r\n${"x".repeat(65536)}\r\n`;
    assert.equal(
      codeOf(await sendRaw(alone.port, `${chunked}${piece.repeat(17)}0\r\n\r\n`)),
      "value-too-large",
    );
    const headers = { "X-Large": "x".repeat(17_000) };
    assert.equal(codeOf(await call({ path: "/kv/l", headers })), "headers-too-large");
    assert.equal((await call({ path: "/kv/l" })).body, "7");
    assert.equal((await sendRaw(alone.port, "nonsense\r\n\r\n")).status, 400);
  });

  it("lists in byte order, by page, prefix and delimiter, and deletes by prefix", async () => {
    for (const key of ["p/a", "p/b/1", "p/b/2", "p/%C3%A9", "q"]) {
      await call({ method: "PUT", path: `/kv/${key}`, body: `"${key}"` });
    }
    type Page = { items: Record<string, unknown>[]; prefixes?: string[]; cursor?: string };
    const page = async (query: string): Promise<Page> =>
      JSON.parse(
        Buffer.from((await call({ path: `/kv?${query}` })).body, "latin1").toString(),
      ) as Page;
    const all = await page("prefix=p/");
    assert.deepEqual(
      all.items.map(({ key }) => key),
      ["p/a", "p/b/1", "p/b/2", "p/é"],
    );
    assert.deepEqual(Object.keys(all.items[0] ?? {}), [
      "key",
      "etag",
      "contentType",
      "size",
      "modified",
    ]);
    const grouped = await page("prefix=p/&delimiter=/&values=true");
    assert.deepEqual(grouped.prefixes, ["p/b/"]);
    assert.deepEqual(
      grouped.items.map(({ key, value, encoding }) => [key, value, encoding]),
      [
        ["p/a", "p/a", "json"],
        ["p/é", "p/%C3%A9", "json"],
      ],
    );
    const first = await page("prefix=p/&limit=2");
    assert.equal(first.items.length, 2);
    const second = await page(`prefix=p/&limit=2&cursor=${first.cursor}`);
    assert.deepEqual(
      second.items.map(({ key }) => key),
      ["p/b/2", "p/é"],
    );
    assert.equal(second.cursor, undefined);
    for (const query of [
      "limit=0",
      "limit=1001",
      "limit=",
      "limit=1e2",
      "cursor=!",
      "values=1",
      "x=1",
    ]) {
      assert.equal(codeOf(await call({ path: `/kv?${query}` })), "invalid-argument", query);
    }
    assert.equal(codeOf(await call({ method: "DELETE", path: "/kv" })), "invalid-argument");
    assert.equal(codeOf(await call({ method: "DELETE", path: "/kv?prefix=" })), "invalid-argument");
    const deleted = await call({ method: "DELETE", path: "/kv?prefix=p/" });
    assert.deepEqual(JSON.parse(deleted.body), { deleted: 4 });
  });

  it("runs a batch, each operation with its own status", async () => {
    const ops = [
      { op: "put", key: "..", value: { a: 1 } },
      { op: "put", key: "b", value: "AP8=", encoding: "base64", contentType: "image/png" },
      { op: "put", key: "c", value: "text", encoding: "utf8", ttl: 90 },
      { op: "get", key: ".." },
      { op: "get", key: "b" },
      { op: "get", key: "c" },
      { op: "get", key: "none" },
      { op: "touch", key: "c", ttl: "1h" },
      { op: "delete", key: ".." },
      { op: "put", key: "d", value: "x", encoding: "base64" },
      { op: "put", key: "e" },
      { op: "nonsense", key: "f" },
      { op: "get", key: "b", extra: 1 },
    ];
    const answer = await call({ method: "POST", path: "/batch", body: JSON.stringify({ ops }) });
    const { results } = JSON.parse(answer.body) as { results: Record<string, unknown>[] };
    assert.deepEqual(
      results.map(({ status }) => status),
      [200, 200, 200, 200, 200, 200, 404, 200, 204, 400, 400, 400, 400],
    );
    assert.deepEqual([results[3]?.["value"], results[3]?.["encoding"]], [{ a: 1 }, "json"]);
    assert.deepEqual([results[4]?.["value"], results[4]?.["encoding"]], ["AP8=", "base64"]);
    assert.deepEqual([results[5]?.["value"], results[5]?.["encoding"]], ["text", "utf8"]);
    assert.deepEqual([results[6]?.["code"], results[6]?.["outcome"]], ["not-found", undefined]);
    assert.equal(results[9]?.["code"], "invalid-argument");
    for (const body of ["", "[]", "{}", '{"ops":1}', '{"ops":[],"x":1}']) {
      const { status } = await call({ method: "POST", path: "/batch", body });
      assert.equal(status, 400, body);
    }
    const many = JSON.stringify({ ops: Array(1001).fill({ op: "get", key: "a" }) });
    assert.equal(
      codeOf(await call({ method: "POST", path: "/batch", body: many })),
      "invalid-argument",
    );
  });

  it("is not ready while the first copy runs: never a false 404", async () => {
    await call({ method: "PUT", path: "/kv/here", body: "1" });
    alone.link.ready = false;
    try {
      const missing = await call({ path: "/kv/not-here" });
      assert.equal(codeOf(missing), "not-ready");
      assert.equal(missing.headers["retry-after"], "1");
      assert.equal((await call({ path: "/kv/here" })).status, 200);
      assert.equal((await call({ method: "PUT", path: "/kv/plain", body: "1" })).status, 200);
      const conditional = { "If-None-Match": "*" };
      for (const refused of [
        await call({ method: "PUT", path: "/kv/x", headers: conditional, body: "1" }),
        await call({ path: "/kv" }),
        await call({ path: "/export" }),
        await call({ method: "DELETE", path: "/kv?prefix=h" }),
      ]) {
        assert.equal(codeOf(refused), "not-ready");
      }
      const ready = await call({ path: "/health/ready" });
      assert.equal(ready.status, 503);
      assert.equal((JSON.parse(ready.body) as { ready: boolean }).ready, false);
    } finally {
      alone.link.ready = true;
    }
  });

  it("waits for members, and says how far a write came", async () => {
    alone.link.absent = 2;
    try {
      const answer = await call({ method: "PUT", path: "/kv/w?w=quorum&timeout=50ms", body: "1" });
      assert.equal(codeOf(answer), "quorum-unavailable");
      const problem = JSON.parse(answer.body) as Record<string, unknown>;
      assert.deepEqual(
        [problem["outcome"], problem["acked"], problem["needed"]],
        ["partial", 1, 2],
      );
      assert.equal((await call({ path: "/kv/w" })).body, "1");
      const many = await call({ method: "PUT", path: "/kv/none?w=4", body: "1" });
      assert.equal(codeOf(many), "invalid-argument");
      assert.equal((await call({ path: "/kv/none" })).status, 404);
    } finally {
      alone.link.absent = 0;
    }
  });

  it("says when members hold a newer version than the one that was written (rule 18)", async () => {
    alone.link.absent = 2;
    alone.link.confirming = 1;
    try {
      const put = { method: "PUT", path: "/kv/s?w=2", body: "1" };
      const ours = await call(put);
      assert.equal(ours.status, 200);
      assert.equal(ours.headers["dnd-replicas"], "acked=2, needed=2, members=3");
      assert.equal(ours.headers["dnd-superseded"], undefined);
      alone.link.superseded = true;
      for (const request of [put, { method: "DELETE", path: "/kv/s?w=2" }]) {
        const { status, headers } = await call(request);
        assert.ok(status < 300);
        assert.equal(headers["dnd-superseded"], "true", request.method);
      }
    } finally {
      Object.assign(alone.link, { absent: 0, confirming: 0, superseded: false });
    }
  });

  it("exports every byte and imports it again, bad lines left out", async () => {
    const awkward = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
    await alone.node.put("x/bytes", new Uint8Array(awkward), { contentType: "image/png" });
    await alone.node.put("x/\n", "line\nend", { ttlMs: 600_000 });
    await alone.node.put("x/json", { a: [1, "é"] });
    const exported = await call({ path: "/export?prefix=x/" });
    assert.equal(exported.headers["content-type"], "application/x-ndjson");
    const text = exported.raw.slice(exported.raw.indexOf("{"));
    const lines = text.split("\n").filter((line) => line.startsWith("{"));
    assert.equal(lines.length, 3);
    const other = await startAlone();
    try {
      const body = `${Buffer.from(lines.join("\n"), "latin1").toString()}\n\nnonsense\n{"key":"","value":""}\n`;
      const imported = await send(other.port, { method: "POST", path: "/import", body });
      const result = JSON.parse(imported.body) as {
        imported: number;
        failed: { line: number; code: string }[];
      };
      assert.equal(result.imported, 3);
      assert.deepEqual(
        result.failed.map(({ line, code }) => [line, code]),
        [
          [5, "invalid-json"],
          [6, "invalid-key"],
        ],
      );
      assert.deepEqual(await other.node.get("x/bytes"), new Uint8Array(awkward));
      assert.equal(await other.node.get("x/\n"), "line\nend");
      assert.ok((await other.node.entry("x/\n"))?.expiresAt !== undefined);
      const kept = await send(other.port, { method: "POST", path: "/import?keep=versions", body });
      assert.equal((JSON.parse(kept.body) as { imported: number }).imported, 3);
    } finally {
      await other.node.close();
    }
  });

  it("serves metrics, a page, and refuses a backup of what is not on disk", async () => {
    const metrics = await call({ path: "/metrics" });
    assert.match(metrics.body, /^# HELP dnd_http_requests_total/);
    assert.match(metrics.body, /dnd_ready 1/);
    assert.match((await call({ path: "/" })).body, /<a href="\/cluster">/);
    const backup = await call({ method: "POST", path: "/backup", body: '{"folder":"/x"}' });
    assert.equal(codeOf(backup), "conflict");
  });

  it("names in the metrics who keeps deletes from being forgotten, as long as somebody does (rule 10)", async () => {
    const shown = async (): Promise<string[]> =>
      (await call({ path: "/metrics" })).body.match(/^dnd_horizon_held_back_seconds.*$/gm) ?? [];
    assert.deepEqual(await shown(), []);
    const since = Date.now() - 90_000;
    alone.link.heldBack = { member: "ab".repeat(16), reason: "behind", since };
    const [line, ...more] = await shown();
    assert.deepEqual(more, []);
    assert.match(line ?? "", /\{member="(ab){16}",reason="behind"\} 9[0-9](\.|$)/);
    alone.link.heldBack = { member: alone.node.id, reason: "no-contact", since };
    assert.deepEqual(
      (await shown()).map((each) => each.split(" ")[0]),
      [`dnd_horizon_held_back_seconds{member="${alone.node.id}",reason="no-contact"}`],
    );
    alone.link.heldBack = undefined;
    assert.deepEqual(await shown(), []);
  });

  it("joins nothing that is no peer, and says which", async () => {
    const join = (peers: unknown): Promise<RawAnswer> =>
      call({ method: "POST", path: "/cluster/join", body: JSON.stringify({ peers }) });
    for (const peers of [["127.0.0.1:5000"], ["[::1]:5000", "db-1.internal:1"], ["_dnd._udp.a"]]) {
      assert.equal((await join(peers)).status, 200, peers.join());
    }
    for (const peer of ["nonsense", "a:0", "a:65536", "http://a:1", "::1:5000", "", "a:5000/x"]) {
      const refused = await join(["127.0.0.1:5000", peer]);
      assert.equal(codeOf(refused), "invalid-argument", peer);
      assert.ok(
        String((JSON.parse(refused.body) as { detail: unknown }).detail).includes(
          JSON.stringify(peer),
        ),
        refused.body,
      );
    }
    for (const peers of [[], [1], "127.0.0.1:5000", undefined]) {
      assert.equal(codeOf(await join(peers)), "invalid-argument");
    }
  });

  it("leaves by itself only: a body that says more is refused", async () => {
    let left = 0;
    Object.assign(alone.link, { leave: () => Promise.resolve(void (left += 1)) });
    const leave = (body?: string): Promise<RawAnswer> =>
      call({ method: "POST", path: "/cluster/leave", ...(body === undefined ? {} : { body }) });
    for (const [body, code] of [
      ['{"node":"abc"}', "invalid-argument"],
      ["[]", "invalid-argument"],
      ["null", "invalid-argument"],
      ["{bad", "invalid-json"],
      [`"${"x".repeat(65_536)}"`, "body-too-large"],
    ] as const) {
      assert.equal(codeOf(await leave(body)), code, body.slice(0, 20));
    }
    assert.equal(left, 0);
    Reflect.deleteProperty(alone.link, "leave");
  });

  it("refuses a condition on many keys, which it could not keep", async () => {
    await alone.node.put("many/1", 1);
    for (const [method, path, body] of [
      ["DELETE", "/kv?prefix=many/", undefined],
      ["POST", "/batch", '{"ops":[{"op":"delete","key":"many/1"}]}'],
      ["POST", "/import", '{"key":"many/1","value":"2"}'],
    ] as const) {
      for (const name of ["If-Match", "If-None-Match", "If-Unmodified-Since"]) {
        const headers = { [name]: '"1-a"' };
        const refused = await call({
          method,
          path,
          headers,
          ...(body === undefined ? {} : { body }),
        });
        assert.equal(codeOf(refused), "invalid-argument", `${method} ${path} ${name}`);
        assert.match(refused.body, new RegExp(name, "i"));
      }
    }
    assert.equal(await alone.node.get("many/1"), 1);
  });

  it("keeps a connection open, and answers pipelined requests in order", async () => {
    const one = "GET /kv/none HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const two = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const { raw } = await sendRaw(alone.port, one + two);
    assert.match(raw, /Keep-Alive: timeout=75/);
    assert.match(raw, /404 Not Found[^]*200 OK/);
  });

  it("takes the list of the manual with empty parameters", async () => {
    await call({ method: "PUT", path: "/kv/listed", body: "1" });
    const path = "/kv?prefix=&limit=100&cursor=&values=false&delimiter=";
    const { status, body } = await call({ path });
    assert.equal(status, 200, body);
    assert.match(body, /"key":"listed"/);
    assert.doesNotMatch(body, /"prefixes"|"value"/);
  });

  it("refuses an empty parameter that means nothing, and names it", async () => {
    const cases: readonly (readonly [method: string, path: string, name: string])[] = [
      ["PUT", "/kv/empty?ttl=", "ttl"],
      ["PUT", "/kv/empty?ttl", "ttl"],
      ["PUT", "/kv/empty?w=", "w"],
      ["PUT", "/kv/empty?timeout=", "timeout"],
      ["DELETE", "/kv/empty?w=", "w"],
      ["DELETE", "/kv?prefix=", "prefix"],
      ["GET", "/kv?limit=", "limit"],
      ["GET", "/kv?values=", "values"],
      ["GET", "/watch?after=", "after"],
      ["GET", "/watch?key=", "key"],
      ["GET", "/watch?values=", "values"],
      ["POST", "/import?keep=", "keep"],
      ["GET", "/kv?=", '""'],
    ];
    for (const [method, path, name] of cases) {
      const answer = await call({ method, path, ...(method === "PUT" ? { body: "1" } : {}) });
      assert.equal(answer.status, 400, path);
      assert.equal(codeOf(answer), "invalid-argument", path);
      const { detail } = JSON.parse(answer.body) as { readonly detail: string };
      assert.ok(new RegExp(`(^|[^a-z])${name}([^a-z]|$)`).test(detail), `${path}: ${detail}`);
    }
    assert.equal((await call({ path: "/kv/empty" })).status, 404);
  });

  it("puts Dnd-Node and X-Request-Id on every answer, to what is no request too", async () => {
    const { id } = alone.node;
    const requests: readonly [string, number][] = [
      ["nonsense\r\n\r\n", 400],
      ["GET /kv/a b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400],
      ["PUT /kv/a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n11", 400],
      [`GET /kv/a HTTP/1.1\r\nX-Large: ${"x".repeat(17_000)}\r\n\r\n`, 431],
      [`PUT /kv/a HTTP/1.1\r\nX-Large: ${"x".repeat(17_000)}\r\n\r\n`, 431],
      ["PUT /kv/a HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n1", 400],
      ["PATCH /kv/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405],
      ["GET /none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404],
      ["GET /kv/a HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421],
    ];
    for (const [text, status] of requests) {
      const answer = await sendRaw(alone.port, text);
      assert.equal(answer.status, status, text.slice(0, 60));
      assert.equal(answer.headers["dnd-node"], id, text.slice(0, 60));
      assert.match(answer.headers["x-request-id"] ?? "", /^[0-9a-f]{12}-[0-9a-z]+$/);
      assert.ok(codeOf(answer) !== undefined, text.slice(0, 60));
      assert.ok(!Number.isNaN(Date.parse(answer.headers["date"] ?? "")), text.slice(0, 60));
      // A failed write says what became of it, and what only reads does not.
      const { outcome } = JSON.parse(answer.body) as { readonly outcome?: string };
      const reads = text.startsWith("GET ");
      assert.equal(outcome, reads ? undefined : "not-applied", text.slice(0, 60));
    }
    assert.equal((await call({ path: "/kv/a" })).status, 404);
  });

  it("answers OPTIONS for the server itself", async () => {
    const answer = await call({ method: "OPTIONS", path: "*" });
    assert.equal(answer.status, 204);
    assert.equal(answer.headers["allow"], "GET, HEAD, PUT, POST, DELETE, OPTIONS");
  });

  it("gives up a head after 10 s and a body after 30 s, and the connection with them", async function () {
    if (process.env["DND_FULL"] !== "1") {
      console.log("skipped: takes 30 s; set DND_FULL=1");
      this.skip();
    }
    // Both end because the node closes: nothing is sent any more.
    const begun = "PUT /kv/slow HTTP/1.1\r\nHost: localhost\r\n";
    const [head, body] = await Promise.all([
      sendRaw(alone.port, begun, undefined, 60_000),
      sendRaw(alone.port, `${begun}Content-Length: 5\r\n\r\n1`, undefined, 60_000),
    ]);
    for (const answer of [head, body]) assert.equal(codeOf(answer), "timeout");
    assert.match(body.body, /"outcome":"not-applied"/);
    assert.equal((await call({ path: "/kv/slow" })).status, 404);
  }).timeout(90_000);

  it("gives up a connection that never ends its TLS handshake after 10 s", async function () {
    if (process.env["DND_FULL"] !== "1") {
      console.log("skipped: takes 10 s; set DND_FULL=1");
      this.skip();
    }
    const authority = new TestAuthority("ours");
    const { cert, key } = authority.issue();
    const secure = await startAlone({ http: { tls: { cert, key } } });
    const startedAt = performance.now();
    const silent = ["", "\x16\x03\x01\x02\x00"].map(async (bytes) => {
      const socket = connect(secure.port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write(bytes);
      socket.resume();
      await once(socket, "close");
    });
    await Promise.all(silent);
    // Node itself gives it two minutes.
    assert.ok(performance.now() - startedAt < 60_000);
    await secure.node.close();
  }).timeout(90_000);

  it("survives clients that go away in the middle", async () => {
    for (let n = 0; n < 20; n += 1) {
      const socket = connect(alone.port, "127.0.0.1");
      socket.on("error", () => undefined);
      await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
      socket.write("PUT /kv/cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc");
      socket.destroy();
    }
    assert.equal((await call({ path: "/kv/cut" })).status, 404);
  });
});

describe("tokens and web pages", () => {
  let alone: AloneNode;
  before(async () => {
    alone = await startAlone({ http: { tokens, allowOrigins: ["https://good.example"] } });
  });
  after(() => alone.node.close());
  const call = (options: Call): Promise<RawAnswer> => send(alone.port, options);
  const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });

  it("roles add up", async () => {
    const attempts: readonly [Call, number, number, number][] = [
      [{ path: "/kv" }, 200, 200, 200],
      [{ method: "PUT", path: "/kv/a", body: "1" }, 403, 200, 200],
      [{ method: "POST", path: "/cluster/forget", body: '{"node":"a"}' }, 403, 403, 409],
      [{ method: "POST", path: "/import?keep=versions", body: "" }, 403, 403, 200],
      [{ method: "POST", path: "/batch", body: '{"ops":[{"op":"get","key":"a"}]}' }, 200, 200, 200],
      [
        { method: "POST", path: "/batch", body: '{"ops":[{"op":"delete","key":"a"}]}' },
        403,
        200,
        200,
      ],
    ];
    for (const [attempt, ...statuses] of attempts) {
      const none = await call(attempt);
      assert.equal(codeOf(none), "unauthorized");
      assert.match(none.headers["www-authenticate"] ?? "", /^Bearer/);
      for (const [index, token] of ["readtoken", "writetoken", "admintoken"].entries()) {
        const { status } = await call({ ...attempt, headers: bearer(token) });
        assert.equal(status, statuses[index], `${attempt.path} ${token}`);
      }
    }
    assert.equal((await call({ path: "/health" })).status, 200);
    assert.equal((await call({ path: "/health/ready" })).status, 200);
  });

  it("web pages: their own origin and allowed ones may, others may not", async () => {
    const page = async (headers: Record<string, string>): Promise<RawAnswer> =>
      call({ path: "/kv", headers: { ...bearer("readtoken"), ...headers } });
    const allowed = await page({ Origin: "https://good.example", "Sec-Fetch-Site": "cross-site" });
    assert.equal(allowed.status, 200);
    assert.equal(allowed.headers["access-control-allow-origin"], "https://good.example");
    assert.equal((await page({ Origin: "http://localhost" })).status, 200);
    for (const Origin of [
      "https://evil.example",
      "null",
      "https://localhost",
      "http://localhost:1",
    ]) {
      assert.equal(codeOf(await page({ Origin })), "origin-not-allowed", Origin);
    }
    assert.equal(codeOf(await page({ "Sec-Fetch-Site": "cross-site" })), "origin-not-allowed");
    assert.equal((await page({ "Sec-Fetch-Site": "same-origin" })).status, 200);
    const preflight = await call({
      method: "OPTIONS",
      path: "/kv/a",
      headers: {
        Origin: "https://good.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Private-Network": "true",
      },
    });
    assert.equal(preflight.status, 204);
    assert.match(preflight.headers["access-control-allow-methods"] ?? "", /PUT/);
    assert.match(preflight.headers["access-control-allow-headers"] ?? "", /Authorization/);
    assert.equal(preflight.headers["access-control-allow-private-network"], "true");
  });

  it("reads token files line by line, and never repeats a token in an error", () => {
    assert.equal(tokens.size, 3);
    assert.equal(tokens.roleOf("writetoken"), "write");
    assert.equal(tokens.roleOf("nobody"), undefined);
    for (const bad of ["", "# nothing", "root secrettoken", "read", "read short", "read a b"]) {
      assert.throws(
        () => parseTokenFile(bad, "file"),
        (error) => error instanceof TypeError && !error.message.includes("secrettoken"),
      );
    }
  });
});
