import { expect } from "chai";
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, it } from "mocha";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..");

describe("the README of @dnd/replication", function () {
  this.timeout(120_000);

  it("has a first example that compiles and runs", async () => {
    const tool = join(folder, "../../tools/readme_example.mjs");
    const printed = await new Promise<string>((resolve, reject) => {
      execFile(process.execPath, [tool, folder], (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(stdout + stderr, { cause: error }));
      });
    });
    expect(printed).to.contain("type: 'rumor'");
  });
});
