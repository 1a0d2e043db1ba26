import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { FakeNode } from "./_test_utils.ts";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Runs the examples of this package against a node; gives what they print. */
async function runExamples(options: readonly string[] = [], program = ""): Promise<string> {
  const node = new FakeNode();
  const url = await node.start();
  try {
    const tool = join(folder, "../../tools/readme_example.mjs");
    return await new Promise<string>((resolve, reject) => {
      const env = { ...process.env, DND_URL: url };
      const args = [tool, folder, ...options];
      const child = execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(stdout + stderr, { cause: error }));
      });
      child.stdin?.end(program);
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

  it("compile and run: the README's others", async () => {
    const program = `
      import { createClient } from "@dnd/client";
      const client = createClient({ urls: ["http://127.0.0.1:6080"] });
      // The watch of the last example has no end of its own.
      const dnd: Pick<typeof client, "put" | "get" | "list" | "watch"> = {
        put: client.put.bind(client),
        get: client.get.bind(client),
        list: client.list.bind(client),
        watch: (options) => {
          console.log(Object.keys(options ?? {}).join());
          setImmediate(() => void client.close());
          return client.watch(options);
        },
      };
      {
        // block 2
        console.log(await dnd.get("a"));
      }
      {
        // block 3
        console.log(items.length);
      }
    `;
    assert.equal(await runExamples(["--in"], program), "2\nprefix,after\n0\n");
  });

  it("have types that hold in a browser project: no Node, no library beyond ES2022 and the DOM", async () => {
    const root = await mkdtemp(join(tmpdir(), "dnd-client-types-"));
    try {
      const entry = pathToFileURL(join(folder, "dist/mod.js")).pathname;
      await writeFile(
        join(root, "page.ts"),
        `import { createClient, type KeyValue } from ${JSON.stringify(entry)};
        const dnd: KeyValue = createClient({ urls: ["http://127.0.0.1:6080"] });
        export const name: Promise<string | undefined> = dnd.get<string>("name");`,
      );
      const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
      const flags = "--noEmit --strict --target es2022 --lib es2022,dom --module esnext";
      const args = [tsc, ...flags.split(" "), "--moduleResolution", "bundler", "page.ts"];
      await promisify(execFile)(process.execPath, args, { cwd: root }).catch(
        (error: { stdout: string }) => assert.fail(error.stdout),
      );
    } finally {
      await rm(root, { recursive: true });
    }
  });

  it("compile and run: those of the doc comments", async () => {
    assert.equal(await runExamples(["--docs"]), "");
  });
});
