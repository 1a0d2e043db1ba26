// The contract suite of the client, against a real node, under every runtime that the client's README speaks of.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { createNode } from "./create_node.ts";
import { fullRunOnly } from "./_test_process.ts";
import { withFolder } from "./_test_utils.ts";

/** As much of mocha as the contract needs, because mocha itself wants Node. */
const runner = `
import { createClient } from "@dnd/client";
import { keyValueContract } from "@dnd/client/contract";
const suites = [{ before: [], after: [], tests: [] }];
const here = () => suites[suites.length - 1];
const self = { timeout: () => self, slow: () => self };
const all = [];
globalThis.describe = (name, body) => {
  const suite = { name, before: [], after: [], tests: [] };
  here().tests.push(suite);
  suites.push(suite);
  body.call(self);
  suites.pop();
};
globalThis.it = (name, body) => { here().tests.push({ name, body }); return self; };
globalThis.before = (body) => here().before.push(body);
globalThis.after = (body) => here().after.push(body);
async function run(suite, path) {
  for (const body of suite.before) await body.call(self);
  for (const test of suite.tests) {
    const name = path + " " + test.name;
    if (test.body === undefined) { await run(test, name); continue; }
    try { await test.body.call(self); all.push(true); }
    catch (error) { all.push(false); console.log("FAILED", name, error?.stack ?? error); }
  }
  for (const body of suite.after) await body.call(self);
}
const [url, dead] = JSON.parse(process.env.DND_TEST_URLS);
keyValueContract("a real node", async () => ({
  // The first of them refuses connections: every call of this client has begun with a failover.
  keyValue: createClient({ urls: [dead, url] }),
  close: async () => {},
}));
await run(suites[0], "");
console.log(JSON.stringify({ passed: all.filter(Boolean).length, failed: all.filter((one) => !one).length }));
`;

/** A port that nobody listens on any more. */
async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs a program; gives what it wrote. */
function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv },
): Promise<string> {
  const all = { ...options, timeout: 240_000, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((resolve, reject) => {
    execFile(program, args, all, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program} ${args.join(" ")}: ${stdout}${stderr}`, { cause: error }));
    });
  });
}

describe("@dnd/client against a real node, in other runtimes", function () {
  this.timeout(600_000);

  before(function () {
    fullRunOnly(this, "other runtimes are taken from npm");
  });

  async function contract(
    folder: string,
    program: string,
    args: readonly string[],
  ): Promise<{ readonly passed: number; readonly failed: number }> {
    const here = dirname(fileURLToPath(import.meta.url));
    await build({
      stdin: { contents: runner, resolveDir: here, loader: "js" },
      outfile: join(folder, "suite.mjs"),
      bundle: true,
      format: "esm",
      platform: "node",
      logLevel: "silent",
    });
    await using node = await createNode({ http: {} });
    await node.ready();
    const urls = [`http://127.0.0.1:${node.httpPort}`, `http://127.0.0.1:${await deadPort()}`];
    const env = { ...process.env, DND_TEST_URLS: JSON.stringify(urls) };
    const output = await run(program, [...args, "suite.mjs"], { cwd: folder, env });
    const last = output.trim().split("\n").at(-1) ?? "";
    const result = JSON.parse(last) as { passed: number; failed: number };
    assert.equal(result.failed, 0, output);
    return result;
  }

  let wanted: number;

  it("this Node, as mocha runs it", () =>
    withFolder(async (folder) => {
      ({ passed: wanted } = await contract(folder, process.execPath, []));
      assert.ok(wanted > 40, String(wanted));
    }));

  for (const [runtime, args] of [
    ["deno", ["run", "--allow-net=127.0.0.1", "--allow-env", "--no-config"]],
    ["bun", ["run"]],
  ] as const) {
    it(runtime, async function () {
      await withFolder(async (folder) => {
        await writeFile(join(folder, "package.json"), '{"private":true}');
        const quiet = ["--no-audit", "--no-fund", "--prefer-offline"];
        try {
          await run("npm", ["i", ...quiet, runtime], { cwd: folder });
        } catch (error) {
          console.log(`      skipped: npm could not install ${runtime}: ${String(error)}`);
          this.skip();
        }
        const program = join(folder, "node_modules/.bin", runtime);
        const { passed } = await contract(folder, program, args);
        assert.equal(passed, wanted);
      });
    });
  }
});
