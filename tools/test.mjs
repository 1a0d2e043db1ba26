// Builds everything, runs the tests of every package, and ends with `N passed, N failed`, added up
// from mocha's own reports. A package that ran no test fails the run.
//
//     npm test                 the tests that must take less than three minutes
//     npm run test:full        the same and the long ones (DND_FULL=1)
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";

const full = process.argv.includes("--full");
const nx = createRequire(import.meta.url).resolve("nx/bin/nx.js");
const packages = readdirSync("packages").filter((p) =>
  existsSync(join("packages", p, "package.json")),
);
rmSync(".reports", { recursive: true, force: true });

const env = { ...process.env, ...(full ? { DND_FULL: "1" } : {}) };
const run = spawnSync(
  process.execPath,
  [nx, "run-many", "-t", "test", "--nxBail=false", "--outputStyle=static"],
  {
    stdio: ["ignore", "inherit", "inherit"],
    env,
  },
);

let passed = 0;
let failed = 0;
let skipped = 0;
for (const name of packages) {
  const path = join(".reports", `${name}.json`);
  const stats = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).stats : undefined;
  if (stats === undefined || stats.passes + stats.failures === 0) {
    console.log(`${name}: ran no test`);
    failed += 1;
    continue;
  }
  passed += stats.passes;
  failed += stats.failures;
  skipped += stats.pending;
}
if (run.status !== 0 && failed === 0) {
  console.log(`the run itself ended with exit code ${run.status}`);
  failed += 1;
}
if (skipped > 0) console.log(`${skipped} skipped, each with its reason above`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
