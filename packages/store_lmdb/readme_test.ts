import { expect } from "chai";
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..");

function runExamples(...options: string[]): Promise<string> {
  const tool = join(folder, "../../tools/readme_example.mjs");
  return new Promise<string>((resolve, reject) => {
    execFile(process.execPath, [tool, folder, ...options], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stdout + stderr, { cause: error }));
    });
  });
}

describe("the examples of @dnd/store-lmdb", function () {
  this.timeout(120_000);

  it("compile and run: the README's first", async () => {
    expect(await runExamples()).to.equal("Jack\n");
  });

  it("compile and run: those of the doc comments", async () => {
    expect(await runExamples("--docs")).to.equal("");
  });
});
