import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { deadPort, FakeNode } from "./_test_utils.ts";

const full = process.env["DND_FULL"] === "1";
const client = join(dirname(fileURLToPath(import.meta.url)), "mod.js");

/** What every runtime must be able to do, as a module that knows `url`, `dead` and `client`. */
const scenario = `
async function scenario({ createClient, DndError }, url, dead, inBrowser) {
  const must = (holds, what) => { if (!holds) throw new Error(what); };
  const codeOf = async (call) => {
    try { await call; return "ok"; } catch (error) {
      return error instanceof DndError ? [error.code, error.outcome].join(" ") : String(error);
    }
  };
  const dnd = createClient({ urls: [dead, url] });
  await dnd.ready();
  await dnd.put("r/json", { n: 1, s: "grüße 🔑" }, { ttlMs: 60000 });
  await dnd.put("r/text", "text");
  await dnd.put("r/../dots", new Uint8Array([0, 255, 128]));
  must((await dnd.get("r/json")).s === "grüße 🔑", "json");
  must((await dnd.get("r/text")) === "text", "text");
  must([...(await dnd.get("r/../dots"))].join() === "0,255,128", "bytes");
  must((await dnd.get("r/absent")) === undefined, "absent");
  must(await dnd.has("r/text"), "has");
  const { etag } = await dnd.put("r/cond", 1);
  must((await codeOf(dnd.put("r/cond", 2, { ifNoneMatch: "*" }))) === "precondition-failed not-applied", "412");
  await dnd.put("r/cond", 3, { ifMatch: etag });
  const keys = [];
  for await (const item of dnd.entries({ prefix: "r/", limit: 2, values: true })) keys.push(item.key);
  must(keys.join() === "r/../dots,r/cond,r/json,r/text", "list " + keys.join());
  const watch = dnd.watch({ prefix: "w/", values: true });
  await watch.opened;
  await dnd.put("w/1", { a: 1 });
  await dnd.delete("w/1");
  const types = [];
  for await (const change of watch) { types.push(change.type); if (types.length === 2) break; }
  must(types.join() === "put,delete", "watch " + types.join());
  const reason = await dnd.get("r/text", { signal: AbortSignal.abort(new Error("stop")) }).catch(String);
  must(reason === "Error: stop", "abort " + reason);
  const alone = createClient({ urls: [dead], rounds: 1 });
  const refused = await codeOf(alone.put("r/x", 1));
  must(refused === (inBrowser ? "unreachable unknown" : "unreachable not-applied"), "refused: " + refused);
  const one = createClient({ urls: [url] });
  must((await codeOf(one.get("hang", { timeoutMs: 200 }))) === "timeout ", "timeout");
  must((await dnd.deletePrefix("r/")) === 4, "deletePrefix");
  const waiting = dnd.watch().next();
  await dnd.close();
  must((await waiting).done, "close");
  return "all well";
}
`;

/** Runs a program; gives what it wrote. */
function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd, timeout: 120_000, encoding: "utf8" as const };
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program} ${args.join(" ")}: ${stdout}${stderr}`, { cause: error }));
    });
  });
}

describe("@dnd/client in other runtimes", function () {
  this.timeout(240_000);
  let node: FakeNode;
  let dead: string;
  let folder: string;

  beforeEach(async () => {
    node = new FakeNode();
    await node.start();
    node.intercept = (request) => request.url === "/kv/hang";
    dead = `http://127.0.0.1:${await deadPort()}`;
    folder = await mkdtemp(join(tmpdir(), "dnd-client-"));
    const text = `import * as client from ${JSON.stringify(client)};${scenario}
      console.log(await scenario(client, "${node.url}", "${dead}", false));`;
    await writeFile(join(folder, "scenario.mjs"), text);
    await writeFile(join(folder, "package.json"), '{"private":true}');
  });
  afterEach(async () => {
    await node.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("runs under this Node", async () => {
    assert.equal(await run(process.execPath, ["scenario.mjs"], folder), "all well\n");
  });

  for (const [runtime, args] of [
    ["deno", ["run", "--allow-net=127.0.0.1", "--allow-read", "--no-config", "scenario.mjs"]],
    ["bun", ["run", "scenario.mjs"]],
  ] as const) {
    it(`runs under ${runtime}`, async function () {
      if (!full) {
        console.log(`      skipped: ${runtime} is installed from npm, which the full run does`);
        return this.skip();
      }
      try {
        await run("npm", ["i", "--no-audit", "--no-fund", "--prefer-offline", runtime], folder);
      } catch (error) {
        console.log(`      skipped: npm could not install ${runtime}: ${String(error)}`);
        return this.skip();
      }
      const program = join(folder, "node_modules/.bin", runtime);
      assert.equal(await run(program, args, folder), "all well\n");
    });
  }

  it("runs in chromium, bundled", async function () {
    if (!full) {
      console.log("      skipped: a browser is started in the full run only");
      return this.skip();
    }
    try {
      await run("chromium", ["--version"], folder);
    } catch {
      console.log("      skipped: there is no chromium in the path");
      return this.skip();
    }
    const { outputFiles } = await build({
      entryPoints: [client],
      bundle: true,
      format: "esm",
      minify: true,
      write: false,
    });
    const page = `<!doctype html><script type="module">
      import * as client from "/client.js";${scenario}
      const result = await scenario(client, location.origin, "${dead}", true).catch((e) => e.stack);
      await fetch("/result", { method: "POST", body: result });
    </script>`;
    let settle: (text: string) => void = () => undefined;
    const result = new Promise<string>((resolve) => (settle = resolve));
    node.intercept = (request, response) => {
      if (request.url === "/") {
        response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page);
      } else if (request.url === "/client.js") {
        const type = { "content-type": "text/javascript" };
        response.writeHead(200, type).end(outputFiles[0]?.text);
      } else if (request.url === "/result") {
        let text = "";
        request.on("data", (chunk: Buffer) => (text += chunk.toString()));
        request.on("end", () => {
          response.end();
          settle(text);
        });
      } else return request.url === "/kv/hang";
      return true;
    };
    const flags = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      `--user-data-dir=${folder}/profile`,
    ];
    const browser = spawn("chromium", [...flags, node.url], { stdio: "ignore" });
    const ended = new Promise<string>((resolve) => {
      browser.on("close", (code) => resolve(`chromium ended with ${code}`));
    });
    try {
      assert.equal(await Promise.race([result, ended]), "all well");
    } finally {
      browser.kill("SIGKILL");
      await ended;
    }
  });
});
