import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { NodeProcess, fullRunOnly } from "./_test_process.ts";
import { until } from "./_test_utils.ts";

const tool = fileURLToPath(new URL("../../../tools/chromium.mjs", import.meta.url));
const clientModule = fileURLToPath(new URL("../../client/dist/mod.js", import.meta.url));

/** What the page does; `url` is the node, behind a proxy that `/cut` makes cut every connection. */
const page = `<!doctype html><meta charset="utf-8"><script type="module">
import { createClient } from "/client.js";
const { url } = await (await fetch("/where")).json();
const must = (holds, what) => { if (!holds) throw new Error(what); };
const post = (path, body) => fetch(path, { method: "POST", body });

async function viaClient() {
  const dnd = createClient({ urls: [url] });
  await dnd.ready();
  const watch = dnd.watch({ prefix: "b/", values: true });
  await watch.opened;
  await dnd.put("b/grüße 🔑", { n: 1 }, { ttlMs: 60000 });
  must((await dnd.get("b/grüße 🔑")).n === 1, "json");
  await dnd.put("b/bytes", new Uint8Array([0, 255, 128]));
  must([...(await dnd.get("b/bytes"))].join() === "0,255,128", "bytes");
  must((await dnd.get("b/absent")) === undefined, "absent");
  await dnd.put("b/../dots", "by batch");
  must((await dnd.get("b/../dots")) === "by batch", "dots");
  const { etag } = await dnd.put("b/cond", 1);
  const code = await dnd.put("b/cond", 2, { ifNoneMatch: "*" }).catch((error) => error.code);
  must(code === "precondition-failed", "conditions " + code);
  await dnd.put("b/cond", 3, { ifMatch: etag });
  const page = await dnd.list({ prefix: "b/" });
  must(page.items.length === 4, "list");
  const seen = [];
  for await (const change of watch) {
    seen.push(change.type);
    if (seen.length === 5) break;
  }
  must(seen.join() === "put,put,put,put,put", "watch " + seen);
  must((await dnd.cluster()).members.length === 1, "cluster");
  must((await dnd.deletePrefix("b/")) === 4, "deletePrefix");
  await dnd.close();
}

async function viaEventSource() {
  const seen = [];
  let wake = () => {};
  const source = new EventSource(url + "/watch?prefix=es/&values=true");
  let opened = 0;
  source.onopen = () => { opened += 1; wake(); };
  for (const type of ["put", "delete", "reset"]) {
    source.addEventListener(type, (event) => {
      const { key, value } = JSON.parse(event.data);
      seen.push(type + " " + key + (value === undefined ? "" : "=" + value));
      wake();
    });
  }
  const reach = async (holds) => { while (!holds()) await new Promise((done) => (wake = done)); };
  await reach(() => opened === 1);
  await post("/write", "es/1");
  await reach(() => seen.length === 1);
  // While it is cut off: another key, a key twice, and a delete.
  await post("/cut", "es/2");
  await reach(() => seen.length === 4);
  must(opened === 2, "opened again");
  await post("/write", "es/5");
  await reach(() => seen.length === 5);
  source.close();
  const wanted = "put es/1=1|put es/2=2|put es/3=4|delete es/1|put es/5=5";
  must(seen.join("|") === wanted, "EventSource " + seen.join("|"));
}

await viaClient()
  .then(viaEventSource)
  .then(() => "all well", (error) => String(error.stack))
  .then((text) => post("/result", text));
</script>`;

/** Passes bytes on to a port, until it is told to cut. */
class CuttableProxy {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #closed = false;

  constructor(target: number) {
    this.#server = createServer((client) => {
      const upstream = connect(target, "127.0.0.1");
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(from);
        from.pipe(to);
        from.on("error", () => to.destroy());
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
      if (this.#closed) client.destroy();
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  /** Nothing passes while `run` runs. */
  async cut(run: () => Promise<void>): Promise<void> {
    this.#closed = true;
    for (const socket of this.#sockets) socket.destroy();
    await run();
    this.#closed = false;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

describe("a page in a real browser, and a node", function () {
  this.timeout(240_000);

  before(function () {
    fullRunOnly(this, "a browser is started");
  });

  it("puts, gets and watches by @dnd/client, and follows by EventSource across a cut", async function () {
    const { outputFiles } = await build({
      entryPoints: [clientModule],
      ...{ bundle: true, format: "esm", minify: true, write: false },
    });
    let settle: (text: string) => void = () => undefined;
    const result = new Promise<string>((resolve) => (settle = resolve));
    const running: { node?: NodeProcess; proxy?: CuttableProxy; url?: string } = {};
    const write = async (key: string, value: string): Promise<void> => {
      const headers = { "content-type": "text/plain" };
      const put = await fetch(`${running.node?.url}/kv/${key}`, {
        method: "PUT",
        body: value,
        headers,
      });
      assert.equal(put.status, 200);
    };
    const actions: Readonly<Record<string, (body: string) => Promise<void>>> = {
      "/write": (key) => write(key, key.slice(-1)),
      "/cut": (key) =>
        (running.proxy as CuttableProxy).cut(async () => {
          await write(key, key.slice(-1));
          await write("es/3", "3");
          await write("es/3", "4");
          await fetch(`${running.node?.url}/kv/es/1`, { method: "DELETE" });
        }),
      "/result": async (text) => settle(text),
    };
    const pages = createHttpServer((request, response) => {
      const answer = (type: string, text: string): void => {
        response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(text);
      };
      const path = request.url ?? "";
      if (path === "/") return answer("text/html", page);
      if (path === "/client.js") return answer("text/javascript", outputFiles[0]?.text ?? "");
      if (path === "/where")
        return answer("application/json", JSON.stringify({ url: running.url }));
      const action = actions[path];
      if (action === undefined) return void response.writeHead(404).end();
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        action(body).then(
          () => answer("text/plain", "OK"),
          (error: unknown) => settle(String(error)),
        );
      });
    });
    pages.listen(0, "127.0.0.1");
    await once(pages, "listening");
    const origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
    const ports = ["--port", "0", "--server-port", "0", "--web-port", "0", "--memory"];
    const node = await NodeProcess.start(["start", ...ports, "--allow-origin", origin]);
    const proxy = new CuttableProxy(Number(new URL(`http://${node.field("web")}`).port));
    Object.assign(running, { node, proxy, url: `http://127.0.0.1:${await proxy.listen()}` });
    const browser = spawn(process.execPath, [tool, origin], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    let said = "";
    browser.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const ended = once(browser, "close").then(
      ([code]) => `the browser ended with ${code}: ${said}`,
    );
    try {
      await until("ready", async () => (await fetch(`${node.url}/health/ready`)).ok);
      const outcome = await Promise.race([result, ended]);
      if (said.startsWith("skipped:")) {
        console.log(`      ${said.trim()}`);
        return this.skip();
      }
      assert.equal(outcome, "all well");
    } finally {
      browser.kill();
      await ended;
      proxy.close();
      pages.closeAllConnections();
      pages.close();
      await node.end();
    }
  });
});
