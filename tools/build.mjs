// Compiles a package and those that it refers to: removes what the compiler would leave behind, runs one
// `tsc -b`, and compiles the pure files a second time without any host type (tsconfig.pure.json), so that
// a stray timer, socket or `node:` import in a core fails the build.
//
//     node tools/build.mjs packages/store
//
// Several builds may start at once (three terminals with `nx run server:serve`), and nodes may be
// running from `dist`. So there is one lock for the workspace, and a package whose inputs are the ones
// it was built from is not touched at all. That is why nx does not cache this target: on a hit it
// deletes `dist` and copies it back, under the feet of the nodes that run from it.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { basename, join, relative, resolve } from "node:path";
import process from "node:process";

const require = createRequire(import.meta.url);
const tsc = require.resolve("typescript/bin/tsc");
const lock = resolve("node_modules/.cache/dnd/build.lock");
const lockWaitMs = 300_000;

/** @param {string[]} args */
function run(args) {
  const { status } = spawnSync(process.execPath, [tsc, ...args], { stdio: "inherit" });
  return status ?? 1;
}

/** @param {string} folder @returns {string[]} all TypeScript files below it, sorted */
function sources(folder) {
  const found = [];
  for (const item of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, item.name);
    if (item.isDirectory()) {
      if (item.name !== "dist" && item.name !== "node_modules") found.push(...sources(path));
    } else if (item.name.endsWith(".ts") || /^(tsconfig.*|package)\.json$/.test(item.name)) {
      found.push(path);
    }
  }
  return found.sort();
}

/** @param {string} root @returns {string[]} the packages that it refers to */
function references(root) {
  const { references = [] } = JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8"));
  return references.map((/** @type {{ path: string }} */ r) => resolve(root, r.path));
}

/** A digest of everything that decides the output. @param {string} root @returns {string} */
function inputs(root) {
  const hash = createHash("sha256");
  hash.update(require("typescript/package.json").version);
  for (const path of ["tsconfig.base.json", "package-lock.json", "tools/pure_host.d.ts"]) {
    hash.update(readFileSync(path));
  }
  for (const path of sources(root))
    hash.update(`\0${relative(root, path)}\0`).update(readFileSync(path));
  for (const path of references(root)) hash.update(inputs(path));
  return hash.digest("hex");
}

/**
 * `tsc -b` never deletes: a test file that was renamed would run for ever from `dist`.
 *
 * @param {string} root the package folder
 * @param {string} folder a folder below `dist`
 */
function prune(root, folder) {
  for (const item of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, item.name);
    if (item.isDirectory()) {
      prune(root, path);
      continue;
    }
    const stem = relative(join(root, "dist"), path).replace(/(\.d)?\.[jt]s(\.map)?$/, "");
    if (item.name.endsWith(".tsbuildinfo") || existsSync(join(root, `${stem}.ts`))) continue;
    rmSync(path);
    rmSync(join(root, "dist", "tsconfig.tsbuildinfo"), { force: true });
  }
}

/** Whether whoever holds the lock is gone. */
function abandoned() {
  try {
    process.kill(Number(readFileSync(lock, "utf8")), 0);
    return Date.now() - statSync(lock).mtimeMs > lockWaitMs;
  } catch (error) {
    return error.code === "ESRCH";
  }
}

let locked = false;

function acquire() {
  if (locked) return;
  mkdirSync(join(lock, ".."), { recursive: true });
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (const start = Date.now(); ; Atomics.wait(clock, 0, 0, 50)) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      locked = true;
      process.on("exit", () => rmSync(lock, { force: true }));
      for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (abandoned()) rmSync(lock, { force: true });
      else if (Date.now() - start > lockWaitMs) {
        console.error(`Cannot build: another build holds ${lock}`);
        process.exit(1);
      }
    }
  }
}

/** @param {string} root @returns {string[]} the package and all that it refers to, however far */
function closure(root) {
  return [...new Set([...references(root).flatMap(closure), root])];
}

/**
 * Does a step unless it was done for these inputs before, and notes that it was done.
 *
 * @param {string} step compile or pure
 * @param {string} root
 * @param {() => number} act returns an exit code
 */
function once(step, root, act) {
  const stamp = (/** @type {string} */ folder) =>
    join(lock, "..", `${basename(folder)}.${step}.inputs`);
  const done = () =>
    existsSync(join(root, "dist", "tsconfig.tsbuildinfo")) &&
    existsSync(stamp(root)) &&
    readFileSync(stamp(root), "utf8") === inputs(root);
  if (done()) return;
  acquire();
  if (done()) return;
  const folders = step === "compile" ? closure(root) : [root];
  const notes = folders.map((folder) => [stamp(folder), inputs(folder)]);
  for (const [path = ""] of notes) rmSync(path, { force: true });
  const status = act();
  if (status !== 0) process.exit(status);
  for (const [path = "", text = ""] of notes) writeFileSync(path, text);
}

for (const argument of process.argv.slice(2)) {
  const root = resolve(argument);
  once("compile", root, () => {
    for (const folder of closure(root)) {
      if (existsSync(join(folder, "dist"))) prune(folder, join(folder, "dist"));
    }
    return run(["-b", root]);
  });
  const pure = join(root, "tsconfig.pure.json");
  if (existsSync(pure)) once("pure", root, () => run(["-p", pure]));
}
