import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, connect, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { NodeProcess, freePorts, fullRunOnly, runDnd } from "./_test_process.ts";
import { until, withFolder } from "./_test_utils.ts";

/** A request whose body never ends: the node waits for it when it stops. */
async function hangingRequest(node: NodeProcess): Promise<Socket> {
  const { hostname, port } = new URL(node.url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const head = `PUT /kv/hanging HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 10\r\n`;
  // 100 Continue says that the request has arrived.
  socket.write(`${head}Content-Type: text/plain\r\nExpect: 100-continue\r\n\r\n`);
  await once(socket, "data");
  socket.write("1");
  return socket;
}

describe("exit codes of start", function () {
  this.timeout(60_000);

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`0 after ${signal}`, () =>
      withFolder(async (root) => {
        const node = await NodeProcess.start(["start", ...freePorts(root)]);
        const { code, signal: by } = await node.end(signal);
        assert.deepEqual([code, by], [0, null]);
      }));
  }

  it("0 when the terminal sends the same Ctrl-C several times, also with a request under way", function () {
    return withFolder(async (root) => {
      const node = await NodeProcess.start(["start", ...freePorts(root)]);
      const socket = await hangingRequest(node);
      for (let n = 0; n < 5; n += 1) node.child.kill("SIGINT");
      const { code } = await node.ended;
      // A stop that takes nearly 5 s is ended by the process itself, with 1.
      assert.equal(code, 0);
      socket.destroy();
      assert.equal((await runDnd(["get", "hanging"], { env: { DND_URL: node.url } })).code, 3);
    });
  });

  it("1 after a second Ctrl-C, later than a second: at once, whatever is under way", () =>
    withFolder(async (root) => {
      const node = await NodeProcess.start(["start", ...freePorts(root)]);
      const put = await fetch(`${node.url}/kv/a`, { method: "PUT", body: "1" });
      assert.equal(put.status, 200);
      const socket = await hangingRequest(node);
      let ended = false;
      void node.ended.then(() => (ended = true));
      const startedAt = performance.now();
      await until("the end", () => {
        node.child.kill("SIGINT");
        return ended;
      });
      const tookMs = performance.now() - startedAt;
      const { code } = await node.ended;
      assert.equal(code, 1);
      assert.ok(tookMs >= 1_000, `${tookMs} ms`);
      socket.destroy();
      // Nothing that was answered is lost by it.
      const again = await NodeProcess.start(["start", ...freePorts(root)]);
      assert.equal((await fetch(`${again.url}/kv/a`)).status, 200);
      assert.equal((await fetch(`${again.url}/kv/hanging`)).status, 404);
      assert.equal((await again.end()).code, 0);
    }));

  it("SIGHUP without any file to read changes nothing", () =>
    withFolder(async (root) => {
      const node = await NodeProcess.start(["start", ...freePorts(root)]);
      node.child.kill("SIGHUP");
      await until("a line that says so", () => node.stderr.includes("were read again"));
      assert.equal((await fetch(`${node.url}/health`)).status, 200);
      assert.equal((await node.end()).code, 0);
    }));

  it("2 with one line for a key file that cannot be used, and nothing is touched", function () {
    return withFolder(async (root) => {
      const key = `${"A".repeat(42)}A=`;
      for (const text of ["", "# none\n", "short\n", `${key}\n${key}\n`, `${key.slice(0, -1)}\n`]) {
        const file = join(root, "keys");
        writeFileSync(file, text);
        const folder = join(root, "data");
        const result = await runDnd(["start", ...freePorts(folder), "--key-file", file]);
        assert.deepEqual([result.code, result.stdout], [2, ""], result.stderr);
        assert.match(result.stderr, /^dnd: Cannot [^\n]*keys[^\n]*\n$/);
        assert.equal(result.stderr.includes("AAAA"), false, "no key is shown");
      }
    });
  });
});

describe("exit codes of the client commands", function () {
  this.timeout(60_000);

  it("0 done, 1 not found or refused, 2 usage, 3 not reached, 4 timed out or unknown", function () {
    fullRunOnly(this, "seventeen processes");
    return withFolder(async (root) => {
      const node = await NodeProcess.start(["start", ...freePorts(root)]);
      // Takes connections and requests, and never says a word; or hangs up after the request.
      const deaf = createServer((socket) => void socket.on("error", () => undefined).resume());
      const rude = createServer((socket) => {
        socket.on("error", () => undefined).once("data", () => socket.destroy());
      });
      const free = createServer();
      const urls: string[] = [];
      for (const server of [deaf, rude, free]) {
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        urls.push(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      }
      free.close();
      const [deafUrl = "", rudeUrl = "", closedUrl = ""] = urls;
      const at = (url: string, ...args: string[]): ReturnType<typeof runDnd> =>
        runDnd([...args, "--url", url]);
      try {
        await until("ready", async () => (await at(node.url, "status", "--ready")).code === 0);
        const rows: readonly [wanted: number, url: string, ...args: string[]][] = [
          [0, node.url, "put", "a", "1"],
          [1, node.url, "get", "absent"],
          [1, node.url, "forget", node.field("node")],
          [1, node.url, "put", "a", "1", "--w", "5"],
          [2, node.url, "get"],
          [2, node.url, "get", "a", "b"],
          [2, node.url, "get", "a", "--timeout", "soon"],
          [2, "nowhere", "get", "a"],
          [3, closedUrl, "get", "a"],
          [3, closedUrl, "put", "a", "1"],
          [3, closedUrl, "status", "--ready"],
          [3, "http://127.0.0.1:1", "ls"],
          [4, deafUrl, "get", "a", "--timeout", "1s"],
          [4, deafUrl, "put", "a", "1", "--timeout", "1s"],
          [4, rudeUrl, "put", "a", "1"],
          [4, rudeUrl, "del", "a"],
        ];
        for (const [wanted, url, ...args] of rows) {
          const { code, stderr } = await at(url, ...args);
          assert.equal(code, wanted, `dnd ${args.join(" ")}: ${stderr}`);
          if (wanted === 0) assert.equal(stderr, "");
          else assert.match(stderr, /^dnd: [^\n]+\n$/);
        }
      } finally {
        deaf.close();
        rude.close();
        await node.end();
      }
    });
  });
});
