// Runs the compiled tests of one package and writes mocha's own JSON report to `.reports/`.
//
//     node tools/test_package.mjs packages/store [--full] [mocha options]
//
// The report is deleted first and must exist afterwards: a test that ends the process, or a package
// without tests, is a failure and never a silent success. `--full` sets DND_FULL=1, which the long
// tests ask for.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";
import process from "node:process";

const args = process.argv.slice(2);
const full = args.includes("--full") || process.env.DND_FULL === "1";
const [root, ...rest] = args.filter((a) => a !== "--full");
if (root === undefined) throw new TypeError("Cannot test: name a package folder");

const name = basename(resolve(root));
const report = resolve(".reports", `${name}.json`);
mkdirSync(".reports", { recursive: true });
rmSync(report, { force: true });

const mocha = createRequire(import.meta.url).resolve("mocha/bin/mocha.js");
const { status } = spawnSync(
  process.execPath,
  [
    "--enable-source-maps",
    mocha,
    "--fail-zero",
    "--forbid-only",
    "--timeout",
    full ? "3600000" : "60000",
    "--exit",
    "--reporter",
    "json",
    "--reporter-option",
    `output=${report}`,
    ...rest,
    join(root, "dist/**/*_test.js"),
  ],
  {
    stdio: ["ignore", "inherit", "inherit"],
    // nx asks its children for colours; programs that tests run would print them too.
    env: { ...process.env, FORCE_COLOR: "0", ...(full ? { DND_FULL: "1" } : {}) },
  },
);

if (!existsSync(report)) {
  console.error(`${name}: the tests ended without a report (exit ${status})`);
  process.exit(1);
}
const { stats, failures } = JSON.parse(readFileSync(report, "utf8"));
for (const failure of failures) {
  console.log(
    `\n${name}: FAILED ${failure.fullTitle}\n${failure.err.stack ?? failure.err.message}`,
  );
  const { actual, expected } = failure.err;
  if (expected !== undefined) {
    console.log(`actual: ${String(actual).slice(0, 4000)}`);
    console.log(`expected: ${String(expected).slice(0, 1000)}`);
  }
}
console.log(
  `${name}: ${stats.passes} passed, ${stats.failures} failed, ${stats.pending} skipped in ${stats.duration} ms`,
);
process.exit(status === 0 && stats.failures === 0 && stats.passes > 0 ? 0 : 1);
