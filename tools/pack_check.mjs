// Packs every public package and proves that each tarball stands alone: installed into an empty folder
// together with the tarballs of the @dnd packages that it depends on, and nothing else of ours, its
// exports resolve, its types hold in a strict project, and the first example of its README runs.
//
//     node tools/pack_check.mjs [packages/<name>...] [--verbose]
//
// One line a package; exit code 1 with the reasons if one does not hold. Packages must be built.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { exampleTsconfig, firstExample } from "./readme_example.mjs";

/**
 * @typedef {{
 *   name: string, version: string, private?: boolean, license?: string, type?: string,
 *   sideEffects?: unknown, files?: string[], bin?: Record<string, string>,
 *   engines?: Record<string, string>, publishConfig?: { access?: string },
 *   exports?: Record<string, { types?: string, default?: string }>,
 *   dependencies?: Record<string, string>, peerDependencies?: Record<string, string>,
 *   optionalDependencies?: Record<string, string>,
 * }} Manifest
 * @typedef {{ folder: string, manifest: Manifest }} Package
 * @typedef {{ filename: string, size: number, files: { path: string, mode: number }[] }} Packed
 */

const root = resolve(fileURLToPath(import.meta.url), "../..");
const args = process.argv.slice(2);
const verbose = args.includes("--verbose");
const temp = mkdtempSync(join(tmpdir(), "dnd-pack-check-"));

/** @type {Map<string, Package>} */
const packages = new Map();
for (const item of readdirSync(join(root, "packages"))) {
  const folder = join(root, "packages", item);
  if (!existsSync(join(folder, "package.json"))) continue;
  /** @type {Manifest} */
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (manifest.private !== true) packages.set(manifest.name, { folder, manifest });
}

/** @param {Manifest} manifest */
function allDependencies(manifest) {
  return {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
  };
}

/**
 * The package and those of ours that it depends on, however far.
 *
 * @param {string} name
 * @param {Set<string>} found
 */
function closure(name, found = new Set()) {
  const item = packages.get(name);
  if (item === undefined || found.has(name)) return found;
  found.add(name);
  for (const dependency of Object.keys(allDependencies(item.manifest))) closure(dependency, found);
  return found;
}

/**
 * Runs a program to its end.
 *
 * @param {string} program
 * @param {string[]} programArgs
 * @param {{ cwd: string, timeoutMs: number, env?: Record<string, string> }} options
 * @returns {Promise<{ status: number | null, output: string }>}
 */
function run(program, programArgs, { cwd, timeoutMs, env }) {
  return new Promise((done) => {
    const child = spawn(program, programArgs, {
      cwd,
      env: { ...process.env, npm_config_loglevel: "error", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMs,
    });
    let output = "";
    /** @param {Buffer} chunk */
    const keep = (chunk) => (output = (output + chunk.toString()).slice(-20_000));
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (error) => done({ status: null, output: String(error) }));
    child.on("close", (status, signal) =>
      done({ status, output: signal === null ? output : `${output}\nended by ${signal}` }),
    );
  });
}

/**
 * What a package.json must say.
 *
 * @param {Package} item
 * @param {Packed} packed
 * @returns {string[]} complaints
 */
function checkManifest({ manifest }, packed) {
  const complaints = [];
  const paths = new Set(packed.files.map((file) => file.path));
  /** @param {unknown} holds @param {string} complaint */
  const must = (holds, complaint) => {
    if (!holds) complaints.push(complaint);
  };
  must(manifest.license === "MIT", `license is ${manifest.license}, not MIT`);
  must(paths.has("LICENSE"), "the tarball has no LICENSE");
  must(paths.has("README.md"), "the tarball has no README.md");
  must(manifest.type === "module", 'type is not "module"');
  must(manifest.sideEffects === false, "sideEffects is not false");
  must(manifest.files?.includes("dist"), "files does not name dist");
  must(manifest.engines?.node === ">=20.20.2", "engines.node is not >=20.20.2");
  must(manifest.publishConfig?.access === "public", "publishConfig.access is not public");
  must(manifest.exports?.["."] !== undefined, "exports has no .");
  for (const [subpath, target] of Object.entries(manifest.exports ?? {})) {
    if (subpath === "./package.json") continue;
    must(!subpath.includes("*"), `exports has a pattern: ${subpath}`);
    for (const kind of /** @type {const} */ (["types", "default"])) {
      const path = typeof target === "string" ? undefined : target[kind];
      if (path === undefined) complaints.push(`exports ${subpath} has no ${kind}`);
      else must(paths.has(path.replace(/^\.\//, "")), `exports ${subpath}: ${path} is not packed`);
    }
  }
  for (const [command, path] of Object.entries(manifest.bin ?? {})) {
    const file = packed.files.find((entry) => entry.path === path.replace(/^\.\//, ""));
    must(file !== undefined, `bin ${command}: ${path} is not packed`);
    must(file === undefined || (file.mode & 0o111) === 0o111, `bin ${command} is not executable`);
  }
  for (const [name, range] of Object.entries(allDependencies(manifest))) {
    const sibling = packages.get(name)?.manifest.version;
    if (name.startsWith("@dnd/")) {
      must(range === `^${sibling}`, `depends on ${name} ${range}, which is at ${sibling}`);
    }
  }
  return complaints;
}

/**
 * What may be in a tarball: everything that was compiled from a file that still exists, no tests.
 *
 * @param {Package} item
 * @param {Packed} packed
 * @returns {string[]} complaints
 */
function checkFiles({ folder }, packed) {
  const complaints = [];
  for (const { path } of packed.files) {
    if (/_test\.|_test_utils\.|\.tsbuildinfo$|(^|\/)testdata\//.test(path)) {
      complaints.push(`${path} does not belong into the tarball`);
    }
    const compiled = /^dist\/(.*?)(?:\.d)?\.[jt]s(?:\.map)?$/.exec(path);
    if (compiled === null) continue;
    if (!existsSync(join(folder, `${compiled[1]}.ts`))) {
      complaints.push(`${path} is stale: ${compiled[1]}.ts is gone`);
    }
    if (path.endsWith(".js.map")) {
      const { sourcesContent } = JSON.parse(readFileSync(join(folder, path), "utf8"));
      if (!Array.isArray(sourcesContent)) complaints.push(`${path} does not hold its sources`);
    }
  }
  return complaints;
}

/**
 * Installs the tarballs, then checks types, exports and the example.
 *
 * @param {Package} item
 * @param {Map<string, Packed>} tarballs
 * @param {string | undefined} url of a running node
 * @returns {Promise<string[]>} complaints
 */
async function checkInstalled(item, tarballs, url) {
  const { manifest, folder } = item;
  const readme = join(folder, "README.md");
  const example = existsSync(readme) ? firstExample(readFileSync(readme, "utf8")) : undefined;
  const missing = example === undefined ? ["README.md has no ```ts example"] : [];

  const place = join(temp, `install-${basename(folder)}`);
  mkdirSync(place);
  const write = (/** @type {string} */ name, /** @type {unknown} */ content) =>
    writeFileSync(
      join(place, name),
      typeof content === "string" ? content : JSON.stringify(content),
    );
  write("package.json", { name: "empty", private: true, type: "module" });
  const files = [...closure(manifest.name)].map((name) =>
    join(temp, tarballs.get(name)?.filename ?? ""),
  );
  const quiet = ["--no-audit", "--no-fund", "--prefer-offline"];
  const install = await run("npm", ["i", ...quiet, ...files], { cwd: place, timeoutMs: 240_000 });
  if (install.status !== 0) return [...missing, `npm i failed:\n${install.output}`];
  const ours = readdirSync(join(place, "node_modules/@dnd")).map((name) => `@dnd/${name}`);
  const strangers = ours.filter((name) => !closure(manifest.name).has(name));
  if (strangers.length > 0) return [...missing, `installed more of ours: ${strangers.join(", ")}`];

  const specifiers = Object.keys(manifest.exports ?? {})
    .filter((subpath) => subpath !== "./package.json")
    .map((subpath) => manifest.name + subpath.slice(1));
  write("example.ts", example ?? "export {};\n");
  write(
    "exports.ts",
    specifiers.map((s, i) => `import * as m${i} from "${s}";\nvoid m${i};\n`).join(""),
  );
  write("tsconfig.json", exampleTsconfig(["example.ts", "exports.ts"]));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const types = await run(process.execPath, [tsc, "-p", "."], { cwd: place, timeoutMs: 240_000 });
  if (types.status !== 0) return [...missing, `the types do not hold:\n${types.output}`];

  const env = url === undefined ? {} : { DND_URL: url };
  for (const file of ["exports", "example"]) {
    const ran = await run(process.execPath, [`out/${file}.js`], {
      cwd: place,
      timeoutMs: 120_000,
      env,
    });
    if (ran.status !== 0) return [...missing, `${file} ended with ${ran.status}:\n${ran.output}`];
    if (verbose && file === "example") console.log(ran.output.trimEnd());
  }
  return missing;
}

/**
 * A node for examples that want one to talk to (`DND_URL`): that of the workspace, or, where the server
 * is not built, the one that the client's own tests use.
 *
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
async function startNode() {
  const bin = join(root, "packages/server/bin/dnd.js");
  const options = ["--memory", "--port", "0", "--server-port", "0", "--web-port", "0", "-q"];
  const child = spawn(process.execPath, [bin, "start", ...options], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 300_000,
  });
  const ended = new Promise((done) => child.on("close", done));
  const line = await new Promise((done) => {
    let text = "";
    child.stdout.on("data", (/** @type {Buffer} */ chunk) => {
      text += chunk.toString();
      if (text.includes("\n")) done(text);
    });
    void ended.then(() => done(text));
    setTimeout(() => done(text), 20_000).unref();
  });
  const address = /web=(\S+:\d+)/.exec(String(line))?.[1];
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  if (address !== undefined) return { url: `http://${address}`, stop };
  child.kill("SIGKILL");
  console.log("the server does not start here: the client's example talks to its test node");
  const { FakeNode } = await import(join(root, "packages/client/dist/_test_utils.js"));
  const node = new FakeNode();
  return { url: await node.start(), stop: () => node.stop() };
}

async function main() {
  const wanted = args
    .filter((arg) => !arg.startsWith("--"))
    .map((folder) => resolve(folder))
    .map((folder) => [...packages.values()].find((item) => item.folder === folder) ?? folder);
  const skipped = wanted.filter((item) => typeof item === "string");
  for (const folder of skipped) console.log(`${basename(folder)}: private, skipped`);
  /** @type {Package[]} */
  const checked =
    wanted.length === 0
      ? [...packages.values()]
      : wanted.filter((item) => typeof item !== "string");
  if (checked.length === 0) return;

  const names = new Set(checked.flatMap((item) => [...closure(item.manifest.name)]));
  const workspaces = [...names].flatMap((name) => ["-w", name]);
  const pack = spawnSync("npm", ["pack", "--json", "--pack-destination", temp, ...workspaces], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, npm_config_loglevel: "error" },
    timeout: 120_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (pack.status !== 0) throw new Error(`npm pack failed:\n${pack.stderr}`);
  /** @type {Map<string, Packed>} */
  const tarballs = new Map();
  for (const packed of Object.values(JSON.parse(pack.stdout))) tarballs.set(packed.name, packed);

  const needsNode = checked.some((item) => item.manifest.name === "@dnd/client");
  const node = needsNode ? await startNode() : undefined;
  const queue = [...checked];
  let failed = 0;
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      const started = performance.now();
      const packed = tarballs.get(item.manifest.name);
      if (packed === undefined) throw new Error(`${item.manifest.name} was not packed`);
      const complaints = [
        ...checkManifest(item, packed),
        ...checkFiles(item, packed),
        ...(await checkInstalled(item, tarballs, node?.url)),
      ];
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      const size = `${packed.files.length} files, ${(packed.size / 1024).toFixed(1)} KiB packed`;
      const verdict = complaints.length === 0 ? "ok" : "FAILED";
      console.log(`${item.manifest.name}: ${verdict} (${size}, ${seconds} s)`);
      for (const complaint of complaints)
        console.log(`  - ${complaint.replaceAll("\n", "\n    ")}`);
      failed += complaints.length === 0 ? 0 : 1;
    }
  };
  try {
    await Promise.all([worker(), worker()]);
  } finally {
    await node?.stop();
  }
  process.exitCode = failed === 0 ? 0 : 1;
}

try {
  await main();
} finally {
  rmSync(temp, { recursive: true, force: true });
}
