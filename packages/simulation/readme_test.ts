import { expect } from "chai";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const tool = fileURLToPath(new URL("../../../tools/readme_example.mjs", import.meta.url));
const folder = fileURLToPath(new URL("..", import.meta.url));

/** Compiles and runs examples of this package; gives what they print. */
function runExamples(...options: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [tool, folder, ...options], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stdout + stderr, { cause: error }));
    });
  });
}

describe("the examples of @dnd/simulation", function () {
  this.timeout(120_000);

  it("compile and run: the README's first", async () => {
    expect(await runExamples()).to.match(/healed after \d+ ms [0-9a-f]{16}/);
  });

  it("compile and run: those of the doc comments", async function () {
    if (process.env["DND_FULL"] !== "1") {
      console.log("      skipped: compiles every example of the package (full run)");
      this.skip();
    }
    await runExamples("--docs");
  });
});
