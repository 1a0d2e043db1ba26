import { dirname, join } from "node:path";
import { execFile } from "node:child_process";
import { expect } from "chai";
import { fileURLToPath } from "node:url";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Compiles and runs examples of this package; gives what they print. */
function runExamples(...options: string[]): Promise<string> {
  const tool = join(folder, "../../tools/readme_example.mjs");
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [tool, folder, ...options], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stdout + stderr, { cause: error }));
    });
  });
}

describe("the examples of @dnd/store", function () {
  this.timeout(120_000);

  it("compile and run: the README's first", async () => {
    expect(await runExamples()).to.equal("Jack\nfalse true\n");
  });

  it("compile and run: those of the doc comments", async () => {
    expect(await runExamples("--docs")).to.equal("");
  });
});
