import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { join } from "node:path";
import type { PeerCertificate, TLSSocket } from "node:tls";
import { TestAuthority, type TestCertificate } from "./_test_certificates.ts";
import { NodeProcess, freePorts, hangUp, runDnd } from "./_test_process.ts";
import { until, withFolder } from "./_test_utils.ts";

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: NodeJS.Dict<string | string[]>;
  /** What the server has shown. */
  readonly shown: PeerCertificate;
}

interface Call {
  readonly ca: string;
  readonly client?: TestCertificate | undefined;
  readonly method?: string;
  readonly body?: string;
  readonly agent?: Agent;
  readonly headers?: Record<string, string>;
}

/** One request over TLS, on a connection of its own unless an agent is given. */
function call(address: string, path: string, options: Call): Promise<Answer> {
  const { ca, client, method = "GET", body = "", agent, headers = {} } = options;
  const { hostname, port } = new URL(`https://${address}`);
  return new Promise((resolve, reject) => {
    const sent = request({
      ...{ hostname, port, path, method, ca, headers },
      ...(client === undefined ? {} : { cert: client.cert, key: client.key }),
      agent: agent ?? false,
      timeout: 10_000,
    });
    sent.once("timeout", () => sent.destroy(new Error("no answer in 10 s")));
    sent.once("error", reject);
    sent.once("response", (answer) => {
      const shown = (answer.socket as TLSSocket).getPeerCertificate();
      let text = "";
      answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
      answer.once("end", () =>
        resolve({ status: answer.statusCode ?? 0, body: text, headers: answer.headers, shown }),
      );
      answer.once("error", reject);
    });
    sent.end(body);
  });
}

function write(folder: string, certificate: TestCertificate, authority?: TestAuthority): string[] {
  const [cert, key, ca] = ["cert", "key", "ca"].map((name) => join(folder, `${name}.pem`));
  writeFileSync(cert ?? "", certificate.cert);
  writeFileSync(key ?? "", certificate.key, { mode: 0o600 });
  if (authority !== undefined) writeFileSync(ca ?? "", authority.cert);
  return [
    ...["--tls-cert", cert ?? "", "--tls-key", key ?? ""],
    ...(authority === undefined ? [] : ["--tls-ca", ca ?? ""]),
  ];
}

const code = (answer: Answer): unknown => (JSON.parse(answer.body) as { code: unknown }).code;

describe("HTTPS of a process", function () {
  this.timeout(60_000);

  it("wants a client certificate of its authority for every route but health, on both ports", () =>
    withFolder(async (root) => {
      const authority = new TestAuthority("ours");
      const { cert: ca } = authority;
      const client = authority.issue({ name: "client" });
      const stranger = new TestAuthority("theirs").issue({ name: "client" });
      const tls = write(root, authority.issue(), authority);
      const ports = ["--port", "0", "--server-port", "0", "--web-port", "0", "--memory"];
      const node = await NodeProcess.start(["start", ...ports, ...tls]);
      try {
        for (const address of [node.field("http"), node.field("web")]) {
          for (const nobody of [undefined, stranger]) {
            const open = { ca, client: nobody };
            assert.equal((await call(address, "/health", open)).status, 200);
            await until("ready", async () => {
              return (await call(address, "/health/ready", open)).status === 200;
            });
            for (const [method, path] of [
              ["GET", "/kv/a"],
              ["PUT", "/kv/a"],
              ["GET", "/cluster"],
              ["GET", "/metrics"],
              ["GET", "/no-such-route"],
            ] as const) {
              const refused = await call(address, path, { ...open, method });
              assert.equal(refused.status, 401, `${method} ${path}`);
              assert.equal(code(refused), "unauthorized");
            }
          }
          const known = { ca, client };
          const put = await call(address, "/kv/a", { ...known, method: "PUT", body: "1" });
          assert.deepEqual([put.status, put.body], [200, "OK"]);
          assert.equal((await call(address, "/kv/a", known)).body, "1");
        }
        // Nothing is served in the clear, and nobody who does not know the authority is served.
        await assert.rejects(fetch(`${node.url}/health`));
        const { cert: other } = new TestAuthority("theirs");
        await assert.rejects(call(node.field("http"), "/health", { ca: other }), /certificate/);
      } finally {
        assert.equal((await node.end()).code, 0);
      }
    }));

  it("takes new certificates and another authority at SIGHUP, and keeps the old ones if they are bad", () =>
    withFolder(async (root) => {
      const [first, second] = [new TestAuthority("first"), new TestAuthority("second")];
      const [ofFirst, ofSecond] = [first.issue({ name: "c1" }), second.issue({ name: "c2" })];
      const tls = write(root, first.issue({ name: "server 1" }), first);
      const node = await NodeProcess.start(["start", ...freePorts(join(root, "data")), ...tls]);
      const address = node.field("http");
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      try {
        const before = await call(address, "/cluster", { ca: first.cert, client: ofFirst, agent });
        assert.deepEqual([before.status, before.shown.subject.CN], [200, "server 1"]);

        write(root, second.issue({ name: "server 2" }), second);
        await hangUp(node);
        const after = await call(address, "/cluster", { ca: second.cert, client: ofSecond });
        assert.deepEqual([after.status, after.shown.subject.CN], [200, "server 2"]);
        const old = await call(address, "/cluster", { ca: second.cert, client: ofFirst });
        assert.equal(old.status, 401);
        // A connection that is open goes on.
        const kept = await call(address, "/cluster", { ca: first.cert, client: ofFirst, agent });
        assert.deepEqual([kept.status, kept.shown.subject.CN], [200, "server 1"]);

        for (const [file, text] of [
          ["key.pem", second.issue().key],
          ["cert.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
        ] as const) {
          write(root, second.issue({ name: "server 3" }), second);
          writeFileSync(join(root, file), text);
          await hangUp(node, "refused");
          const still = await call(address, "/cluster", { ca: second.cert, client: ofSecond });
          assert.deepEqual([still.status, still.shown.subject.CN], [200, "server 2"], file);
        }
      } finally {
        agent.destroy();
        assert.equal((await node.end()).code, 0);
      }
    }));

  it("says in one line that certificate and key do not belong together, exits 2", () =>
    withFolder(async (root) => {
      const authority = new TestAuthority("ours");
      const tls = write(root, { cert: authority.issue().cert, key: authority.issue().key });
      const folder = join(root, "data");
      const { code: exit, stderr, stdout } = await runDnd([...freePorts(folder), ...tls]);
      assert.equal(exit, 2, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, /^dnd: Cannot use the certificate [^\n]*mismatch\n$/);
      assert.equal(existsSync(folder), false);
    }));

  it("wants a certificate of client commands too, which show one and name its authority", () =>
    withFolder(async (root) => {
      const authority = new TestAuthority("ours");
      const server = write(root, authority.issue(), authority);
      const [certFile, keyFile] = [join(root, "c.pem"), join(root, "c.key")];
      const client = authority.issue({ name: "client" });
      writeFileSync(certFile, client.cert);
      writeFileSync(keyFile, client.key, { mode: 0o600 });
      const node = await NodeProcess.start(["start", ...freePorts(join(root, "data")), ...server]);
      const url = `https://${node.field("http")}`;
      const ca = ["--tls-ca", join(root, "ca.pem")];
      const shown = [...ca, "--tls-cert", certFile, "--tls-key", keyFile];
      const dnd = (...args: string[]): ReturnType<typeof runDnd> => runDnd([...args, "--url", url]);
      try {
        await until("ready", async () => (await dnd("status", "--ready", ...ca)).code === 0);
        assert.equal((await dnd("put", "a", "1", ...shown)).stdout, "OK\n");
        const byVariable = {
          DND_TLS_CA: join(root, "ca.pem"),
          DND_TLS_CERT: certFile,
          DND_TLS_KEY: keyFile,
        };
        assert.equal((await runDnd(["get", "a", "--url", url], { env: byVariable })).stdout, "1");
        const bare = await dnd("get", "a", ...ca);
        assert.equal(bare.code, 1, bare.stderr);
        assert.match(bare.stderr, /^dnd: Cannot get "a": [^\n]*certificate[^\n]*\n$/i);
        assert.equal((await dnd("get", "a")).code, 3, "an authority that nobody named");
        const half = await dnd("get", "a", "--tls-cert", certFile);
        assert.equal(half.code, 2);
        assert.match(half.stderr, /^dnd: [^\n]*--tls-cert and --tls-key belong together\n$/);
        const absent = await dnd("get", "a", "--tls-ca", join(root, "absent"));
        assert.equal(absent.code, 2);
        assert.match(absent.stderr, /^dnd: Cannot read the authority [^\n]*no such file\n$/);
      } finally {
        assert.equal((await node.end()).code, 0);
      }
    }));

  it("is spoken by the client commands", function () {
    return withFolder(async (root) => {
      const authority = new TestAuthority("ours");
      const tls = write(root, authority.issue());
      writeFileSync(join(root, "ca.pem"), authority.cert);
      const node = await NodeProcess.start(["start", ...freePorts(join(root, "data")), ...tls]);
      const env = { DND_URL: `https://${node.field("http")}` };
      try {
        const trusting = { env: { ...env, NODE_EXTRA_CA_CERTS: join(root, "ca.pem") } };
        await until("ready", async () => {
          return (await runDnd(["status", "--ready"], trusting)).code === 0;
        });
        assert.equal((await runDnd(["put", "a", "1"], trusting)).stdout, "OK\n");
        assert.equal((await runDnd(["get", "a"], trusting)).stdout, "1");
        const doubting = await runDnd(["get", "a"], { env });
        assert.equal(doubting.code, 3);
        assert.match(doubting.stderr, /certificate/);
      } finally {
        await node.end();
      }
    });
  });
});

describe("tokens of a process", function () {
  this.timeout(60_000);

  it("allow by role, and are read again at SIGHUP", () =>
    withFolder(async (root) => {
      const file = join(root, "tokens");
      const [reader, writer, admin] = ["reader-token", "writer-token", "admin-token"];
      writeFileSync(file, `# by role\nread ${reader}\nwrite ${writer}\n\nadmin ${admin}\n`);
      const options = [...freePorts(join(root, "data")), "--token-file", file];
      const node = await NodeProcess.start(["start", ...options]);
      const status = async (
        method: string,
        path: string,
        token?: string,
        body?: string,
      ): Promise<number> => {
        const response = await fetch(`${node.url}${path}`, {
          method,
          ...(body === undefined ? {} : { body }),
          headers: {
            "content-type": "application/json",
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          },
        });
        if (response.status === 401) {
          assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/);
        }
        await response.arrayBuffer();
        return response.status;
      };
      try {
        await until("ready", async () => (await status("GET", "/health/ready")) === 200);
        assert.equal(await status("GET", "/health"), 200);
        for (const token of [undefined, "unknown-token"]) {
          for (const path of ["/kv/a", "/cluster", "/metrics", "/kv"]) {
            assert.equal(await status("GET", path, token), 401, path);
          }
        }
        // What each role may: read, write, administer.
        for (const [token, ...wanted] of [
          [reader, 404, 403, 403],
          [writer, 404, 200, 403],
          [admin, 200, 200, 200],
        ] as const) {
          assert.equal(await status("GET", "/kv/a", token), wanted[0]);
          assert.equal(await status("PUT", "/kv/a", token, "1"), wanted[1]);
          const peers = JSON.stringify({ peers: [node.field("gossip")] });
          assert.equal(await status("POST", "/cluster/join", token, peers), wanted[2]);
          if (token === writer) assert.equal(await status("GET", "/kv/a", reader), 200);
        }
        // The commands: DND_TOKEN; refused is exit code 1.
        const env = { DND_URL: node.url };
        assert.equal((await runDnd(["get", "a"], { env })).code, 1);
        const known = await runDnd(["get", "a"], { env: { ...env, DND_TOKEN: reader } });
        assert.deepEqual([known.code, known.stdout], [0, "1"]);

        writeFileSync(file, `write new-writer-token\nread ${admin}\n`);
        await hangUp(node);
        assert.equal(await status("GET", "/kv/a", reader), 401);
        assert.equal(await status("PUT", "/kv/a", admin, "2"), 403);
        assert.equal(await status("PUT", "/kv/a", "new-writer-token", "2"), 200);

        for (const bad of ["", "root some-token\n", "read short\n"]) {
          writeFileSync(file, bad);
          await hangUp(node, "refused");
          assert.equal(await status("PUT", "/kv/a", "new-writer-token", "3"), 200);
        }
      } finally {
        assert.equal((await node.end()).code, 0);
      }
    }));

  it("that cannot be read are one line and exit code 2, and the line shows no token", () =>
    withFolder(async (root) => {
      const file = join(root, "tokens");
      writeFileSync(file, "write a-good-token\nread very!secret\n");
      const result = await runDnd([...freePorts(join(root, "data")), "--token-file", file]);
      assert.equal(result.code, 2);
      assert.match(result.stderr, /^dnd: Cannot read line 2 of [^\n]*\n$/);
      assert.doesNotMatch(result.stderr, /secret|a-good-token/);
    }));
});
