import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { assert } from "chai";
import { binPath } from "./_test_process.ts";
import type { CliProcess } from "./cli_io.ts";
import { runCli } from "./cli.ts";
import { createNode } from "./create_node.ts";
import type { DndNode } from "./dnd_node.ts";
import { withFolder } from "./_test_utils.ts";

/** A run of the command line in this process. */
interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Takes a piece of the output; what it throws is the failure of the write. */
type Take = (piece: string) => void;

/** A stream that hands its pieces on, each in its own turn, and holds at most 1 KiB. */
function output(take: Take): Writable {
  return new Writable({
    highWaterMark: 1024,
    write(chunk: Buffer, _encoding, done) {
      setImmediate(() => {
        try {
          take(chunk.toString());
          done();
        } catch (error) {
          done(error as Error);
        }
      });
    },
  });
}

describe("the output and the files of client commands", () => {
  let node: DndNode;
  let url: string;

  before(async () => {
    node = await createNode({ http: { port: 0, webPort: "off" } });
    await node.ready();
    url = `http://127.0.0.1:${node.httpPort}`;
  });

  after(() => node.close());

  afterEach(async () => {
    for await (const item of node.entries()) await node.delete(item.key);
  });

  async function dnd(words: readonly string[], stdin = "", take?: Take): Promise<Ran> {
    let stdout = "";
    let stderr = "";
    const host = {
      env: { DND_URL: url },
      stdout: output(take ?? ((piece) => void (stdout += piece))).on("error", () => undefined),
      stderr: { write: (text: string) => ((stderr += text), true) },
      stdin: Readable.from([Buffer.from(stdin)]),
      on: () => undefined,
      off: () => undefined,
    } as unknown as CliProcess;
    const code = await runCli(words, host);
    return { code, stdout, stderr };
  }

  async function putMany(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) await node.put(`k${String(n).padStart(4, "0")}`, n);
  }

  it("end in order when the reader has enough, as head does", async () => {
    await putMany(300);
    for (const words of [["ls"], ["ls", "--json"], ["export"], ["get", "k0000"], ["members"]]) {
      let pieces = 0;
      const { code, stderr } = await dnd(words, "", () => {
        pieces += 1;
        if (words[0] === "get" || pieces > 2) {
          throw Object.assign(new Error("write EPIPE"), { code: "EPIPE" });
        }
      });
      assert.equal(code, 0, `dnd ${words.join(" ")}`);
      assert.equal(stderr, "");
    }
  });

  it("say in one line that the output cannot be written", async () => {
    await putMany(3);
    const commands = ["ls", "export", "get k0000", "explain k0000", "status", "keygen", "--help"];
    for (const words of commands.map((text) => text.split(" "))) {
      const { code, stderr } = await dnd(words, "", () => {
        throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      });
      assert.equal(code, 2, `dnd ${words.join(" ")}`);
      assert.equal(stderr, "dnd: Cannot write standard output: ENOSPC: no space left on device\n");
    }
  });

  it("say so as a process as well, with no stack of ours", function () {
    if (!existsSync("/dev/full")) {
      console.log("      skipped: output to a full device: this system has no /dev/full");
      return this.skip();
    }
    const [binary, bin] = [process.execPath, binPath];
    for (const [redirect, code, line] of [
      ["> /dev/full", 2, /^dnd: Cannot write standard output: ENOSPC[^\n]*\n$/],
      ["| true", 0, /^$/],
    ] as const) {
      const ran = spawnSync("sh", ["-c", `"${binary}" "${bin}" keygen ${redirect}`]);
      assert.match(ran.stderr.toString(), line);
      assert.equal(ran.status, code);
    }
  });

  it("come back as they were from an export: line separators, bytes, types, TTLs", () =>
    withFolder(async (folder) => {
      const file = join(folder, "all.ndjson");
      await node.put("line\u2028sep\u2029arator", "a\u2028b\u2029c\u0085d\r\ne");
      await node.put("bytes", new Uint8Array([0, 255, 13, 10]));
      await node.put("expires", { a: "ü" }, { ttlMs: 3_600_000 });
      assert.deepEqual(await dnd(["export", file]), {
        code: 0,
        stdout: "",
        stderr: `exported 3 entries to ${file}\n`,
      });
      const before = readFileSync(file, "utf8");
      for (const key of ["line\u2028sep\u2029arator", "bytes", "expires"]) await node.delete(key);
      assert.deepEqual(await dnd(["import", file]), {
        code: 0,
        stdout: "imported 3, failed 0\n",
        stderr: "",
      });
      assert.equal(await node.get("line\u2028sep\u2029arator"), "a\u2028b\u2029c\u0085d\r\ne");
      assert.deepEqual(await node.get("bytes"), new Uint8Array([0, 255, 13, 10]));
      assert.deepEqual(await node.get("expires"), { a: "ü" });
      const again = (await dnd(["export"])).stdout;
      const strip = (text: string): string => text.replaceAll(/,"etag":"[^}]*/g, "");
      assert.equal(strip(again), strip(before));
    }));

  it("an import passes over bad lines and names each by its number in the file", async () => {
    const line = (key: string): string => JSON.stringify({ key, value: "v" });
    const input = Buffer.concat([
      Buffer.from(`${line("a")}\n\n{bad\r\n{"key":"","value":"x"}\n`),
      Buffer.from([0x22, 0xff, 0x22, 0x0a]),
      Buffer.from(`${line("b")}\n${line("c")}`),
    ]);
    const file = (folder: string): string => {
      const path = join(folder, "in.ndjson");
      writeFileSync(path, input);
      return path;
    };
    await withFolder(async (folder) => {
      const path = file(folder);
      const { code, stdout, stderr } = await dnd(["import", path]);
      assert.equal(code, 1);
      assert.equal(stdout, "imported 3, failed 3\n");
      assert.match(
        stderr,
        /^line 3: invalid-json: [^\n]+\nline 4: invalid-key: [^\n]+\nline 5: invalid-json: [^\n]*UTF-8\n$/,
      );
      const json = JSON.parse((await dnd(["import", path, "--json"])).stdout) as {
        imported: number;
        failed: { line: number }[];
        failedCount: number;
      };
      assert.equal(json.imported, 3);
      assert.equal(json.failedCount, 3);
      assert.deepEqual(
        json.failed.map((failure) => failure.line),
        [3, 4, 5],
      );
    });
    assert.deepEqual(await node.get("c"), new TextEncoder().encode("v"));
  });

  it("an import shows twenty failures and counts the others", async () => {
    const { code, stdout, stderr } = await dnd(["import"], "bad\n".repeat(1_500));
    assert.equal(code, 1);
    assert.equal(stdout, "imported 0, failed 1500\n");
    assert.equal(stderr.split("\n").length, 22);
    assert.match(stderr, /\nand 1480 more\n$/);
  });

  it("an input that cannot be read is a usage error, and is never taken for an empty one", () =>
    withFolder(async (folder) => {
      for (const path of [join(folder, "absent"), folder]) {
        const { code, stdout, stderr } = await dnd(["import", path]);
        assert.equal(code, 2);
        assert.equal(stdout, "");
        assert.match(stderr, /^dnd: Cannot read [^\n]+: E(NOENT|ISDIR)[^\n]*\n$/);
      }
    }));

  it("an export touches no file that is there, and leaves none that is not whole", () =>
    withFolder(async (folder) => {
      const taken = join(folder, "taken");
      writeFileSync(taken, "mine");
      const { code, stderr } = await dnd(["export", taken]);
      assert.equal(code, 2);
      assert.match(stderr, /^dnd: Cannot write [^\n]+: EEXIST[^\n]*\n$/);
      assert.equal(readFileSync(taken, "utf8"), "mine");
      assert.equal((await dnd(["export", join(folder, "no", "such")])).code, 2);

      const file = join(folder, "half");
      url = "http://127.0.0.1:1";
      try {
        assert.equal((await dnd(["export", file])).code, 3);
      } finally {
        url = `http://127.0.0.1:${node.httpPort}`;
      }
      assert.isFalse(existsSync(file));
    }));

  it("a backup goes to a named folder, never to where one happens to be", async () => {
    const { code, stderr } = await dnd(["backup", ""]);
    assert.equal(code, 2);
    assert.match(stderr, /^dnd: Cannot back up: [^\n]+\n$/);
  });

  it("a folder is no value", () =>
    withFolder(async (folder) => {
      mkdirSync(join(folder, "x"));
      assert.equal((await dnd(["put", "k", "--file", join(folder, "x")])).code, 2);
    }));
});
