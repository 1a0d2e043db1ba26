import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { FakeNode } from "./_test_utils.ts";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Runs the examples of this package against a node; gives what they print. */
async function runExamples(...options: string[]): Promise<string> {
  const node = new FakeNode();
  const url = await node.start();
  try {
    const tool = join(folder, "../../tools/readme_example.mjs");
    return await new Promise<string>((resolve, reject) => {
      const env = { ...process.env, DND_URL: url };
      const args = [tool, folder, ...options];
      execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(stdout + stderr, { cause: error }));
      });
    });
  } finally {
    await node.stop();
  }
}

describe("the examples of @dnd/client", function () {
  this.timeout(120_000);

  it("compile and run: the README's first", async () => {
    assert.equal(await runExamples(), "user/1 Jack\n");
  });

  it("compile and run: those of the doc comments", async () => {
    assert.equal(await runExamples("--docs"), "");
  });
});
