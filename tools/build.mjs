// Compiles one package: removes what the compiler would leave behind, runs `tsc -b`, and compiles the
// pure files a second time without any host type (tsconfig.pure.json), so that a stray timer, socket
// or `node:` import in a core fails the build.
//
//     node tools/build.mjs packages/store
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import process from "node:process";

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");

/** @param {string[]} args */
function run(args) {
  const { status } = spawnSync(process.execPath, [tsc, ...args], { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
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

for (const root of process.argv.slice(2)) {
  if (existsSync(join(root, "dist"))) prune(root, join(root, "dist"));
  run(["-b", root]);
  const pure = join(root, "tsconfig.pure.json");
  if (existsSync(pure)) run(["-p", pure]);
}
