import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { NodeProcess } from "./_test_process.ts";
import { until, withFolder } from "./_test_utils.ts";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..");

function runExamples(...options: string[]): Promise<string> {
  const tool = join(folder, "../../tools/readme_example.mjs");
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [tool, folder, ...options], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stdout + stderr, { cause: error }));
    });
  });
}

function sh(line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile("sh", ["-c", line], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stdout + stderr, { cause: error }));
    });
  });
}

describe("the examples of @dnd/server", function () {
  this.timeout(120_000);

  it("compile and run: the README's first", async () => {
    assert.equal(await runExamples(), "{ name: 'Jack' }\nuser1 15\n");
  });

  it("compile and run: those of the doc comments", async () => {
    assert.equal(await runExamples("--docs"), "");
  });

  it("run: the lines of the first minute and of the tour, word for word but for ports and folders", async function () {
    try {
      await sh("curl --version");
    } catch {
      console.log("skipped: there is no curl on this machine");
      this.skip();
    }
    await withFolder(async (data) => {
      const readme = await readFile(join(folder, "README.md"), "utf8");
      const [, block = ""] = /^```sh\n([^]*?)^```$/m.exec(readme) ?? [];
      const lines = block.split("\n").map((line) => line.replace(/\s+# .*$/, ""));
      const nodes: NodeProcess[] = [];
      // The ports of the manual may be taken on this machine: where they stand, those of our nodes are put.
      const ports = new Map<string, string>();
      const replaced = (text: string): string =>
        text.replace(
          /\b(?:127\.0\.0\.1|localhost):(\d+)/g,
          (all, port: string) => ports.get(port) ?? all,
        );
      let done = 0;
      const output: string[] = [];
      try {
        for (const line of lines.filter((each) => each !== "" && !each.startsWith("npm "))) {
          const [program = "", ...words] = replaced(line).split(" ");
          if (program === "dnd") {
            const portOf = (name: string, usual: string): string =>
              words.includes(name) ? (words[words.indexOf(name) + 1] ?? "") : usual;
            const [gossip, http] = [portOf("--port", "5000"), portOf("--server-port", "6000")];
            const own = ["--port", "0", "--server-port", "0", "--web-port", "off"];
            const node = await NodeProcess.start([
              ...words,
              ...own,
              ...["--data-dir", join(data, gossip)],
            ]);
            nodes.push(node);
            ports.set(gossip, node.field("gossip"));
            ports.set(http, node.field("http"));
            await until("it is ready", async () => (await fetch(`${node.url}/health/ready`)).ok);
          } else {
            const curl = (): Promise<string> => sh(`${replaced(line)} -sS --max-time 20`);
            // On the other node a write is there a moment later.
            const wanted = line.includes("POST") ? "OK" : '{"name": "Jack"}';
            await until(line, async () => (await curl()) === wanted);
          }
          done += 1;
        }
        const [, tour = ""] = /^Some of it by hand.*\n\n```sh\n([^]*?)^```$/m.exec(readme) ?? [];
        for (const line of tour
          .trim()
          .split("\n")
          .map((each) => each.replace(/\s+# .*$/, ""))) {
          // A watch has no end of its own.
          const ends = line.startsWith("curl -N") ? "; test $? = 28" : "";
          const time = ends === "" ? 20 : 1;
          const text = replaced(line).replaceAll("curl ", `curl -sS --max-time ${time} `);
          output.push(await sh(text + ends));
        }
      } finally {
        await Promise.all(nodes.map((node) => node.end()));
      }
      assert.equal(done, 4);
      const wanted: readonly RegExp[] = [
        /^HTTP\/1.1 200 OK\r\n[^]*ETag: "[^]*\{"name": "Jack"\}$/,
        /^OK$/,
        /^OK$/,
        /"code":"precondition-failed"/,
        /"key":"user1".*"value":\{"name": "Jack"\}/,
        /"prefixes":\["session\/"\]/,
        /"status":200,"key":"user1".*"status":204/,
        /^\{"imported":2,"failed":\[\]/,
        /2 of 2 members hold it/,
        /^$/,
        /^: dnd\n[^]*retry: 1000/,
      ];
      assert.equal(output.length, wanted.length);
      for (const [at, text] of output.entries()) assert.match(text, wanted[at] ?? /^never$/);
    });
  });
});
