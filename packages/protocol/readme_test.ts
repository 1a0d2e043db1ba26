import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..");
const tool = join(folder, "../../tools/readme_example.mjs");

/** Compiles and runs the examples of this package; gives what they print. */
function runExamples(...options: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [tool, folder, ...options], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stdout + stderr, { cause: error }));
    });
  });
}

describe("the examples of @dnd/protocol", function () {
  this.timeout(120_000);

  it("compile and run: the README's first", async () => {
    expect(await runExamples()).to.match(/^ping 7, \d+ bytes\nmalformed\n$/);
  });

  it("compile and run: those of the doc comments", async () => {
    expect(await runExamples("--docs")).to.equal("");
  });
});
