import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { FakeNode } from "./_test_utils.ts";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..");

describe("README.md", () => {
  it("starts with an example that compiles and runs", async function () {
    this.timeout(60_000);
    const node = new FakeNode();
    const url = await node.start();
    try {
      const tool = join(folder, "../../tools/readme_example.mjs");
      const output = await new Promise<string>((resolve, reject) => {
        const env = { ...process.env, DND_URL: url };
        execFile(process.execPath, [tool, folder], { env }, (error, stdout, stderr) => {
          if (error === null) resolve(stdout);
          else reject(new Error(stdout + stderr, { cause: error }));
        });
      });
      assert.equal(output, "user/1 Jack\n");
    } finally {
      await node.stop();
    }
  });
});
