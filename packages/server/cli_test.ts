import assert from "node:assert/strict";
import { createServer } from "node:net";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestAuthority } from "./_test_certificates.ts";
import { NodeProcess, freePorts, runDnd } from "./_test_process.ts";
import { until, withFolder } from "./_test_utils.ts";
import { runCli } from "./cli.ts";
import type { CliProcess } from "./cli_io.ts";
import { nodeOptionRows } from "./cli_option_rows.ts";
import { parseCommand, resolveNodeSettings } from "./cli_parse.ts";
import { readSecrets, readSeeds, toNodeOptions } from "./cli_settings.ts";
import { UsageError } from "./cli_usage_error.ts";
import type { NodeOptions } from "./node_options.ts";
import type { Tokens } from "./token_file.ts";
import { nearestWord } from "./nearest_word.ts";

type Env = Readonly<Record<string, string>>;

/** The node options that a command line and an environment mean. */
function optionsOf(words: readonly string[], env: Env = {}): NodeOptions {
  const shape = {
    name: "start",
    args: "[peer...]",
    help: "",
    rows: nodeOptionRows,
    verbosity: true,
  };
  const typed = parseCommand(shape, words);
  const settings = resolveNodeSettings(typed.options, env);
  return toNodeOptions(settings, readSeeds(typed.args, env), readSecrets(settings));
}

function levelOf(words: readonly string[], env: Env = {}): string | undefined {
  const shape = { name: "start", args: "", help: "", rows: nodeOptionRows, verbosity: true };
  return resolveNodeSettings(parseCommand(shape, words).options, env).logLevel;
}

/** The one line and the exit code of a bad command line, in this process. */
async function refused(words: readonly string[], env: Env = {}): Promise<string> {
  let stderr = "";
  const host = {
    env,
    stdout: { write: () => true },
    stderr: { write: (text: string) => ((stderr += text), true) },
    on: () => undefined,
    off: () => undefined,
  } as unknown as CliProcess;
  assert.equal(await runCli(words, host), 2, stderr);
  assert.match(stderr, /^dnd: [^\n]+\n$/);
  return stderr;
}

describe("options of start and join", () => {
  it("have the defaults of the manual", () => {
    assert.deepEqual(optionsOf([]), {
      port: 5000,
      seeds: [],
      dataDir: ".dnd/5000",
      http: { port: 6000, webPort: 6080, accessLog: false },
    });
  });

  it("follow each other: the web port the server port, the data folder the port", () => {
    assert.equal(optionsOf(["--server-port", "7001"]).http?.webPort, 7081);
    assert.equal(optionsOf(["--server-port", "0"]).http?.webPort, 0);
    assert.equal(optionsOf(["--web-port", "off"]).http?.webPort, "off");
    assert.equal(optionsOf(["-p", "5009"]).dataDir, ".dnd/5009");
    assert.equal(optionsOf(["--memory"]).dataDir, undefined);
  });

  const rows: readonly [flag: string, env: string, text: string, name: string, value: unknown][] = [
    ["--port", "DND_PORT", "5001", "port", 5001],
    ["--address", "DND_ADDRESS", "127.0.0.2", "address", "127.0.0.2"],
    ["--advertise", "DND_ADVERTISE", "a.example:1", "advertise", "a.example:1"],
    ["--data-dir", "DND_DATA_DIR", "x/y", "dataDir", "x/y"],
    ["--durability", "DND_DURABILITY", "async", "durability", "async"],
    ["--cluster", "DND_CLUSTER", "prod", "cluster", "prod"],
    ["--name", "DND_NAME", "left", "name", "left"],
    ["--sealing", "DND_SEALING", "permissive", "sealing", "permissive"],
    ["--profile", "DND_PROFILE", "wan", "profile", "wan"],
    ["--max-value-bytes", "DND_MAX_VALUE_BYTES", "5", "maxValueBytes", 5],
    ["--max-drift", "DND_MAX_DRIFT", "2s", "maxDriftMs", 2000],
    ["--max-datagram", "DND_MAX_DATAGRAM", "1400", "maxDatagramBytes", 1400],
    ["--address", "DND_ADDRESS", "[::1]", "address", "::1"],
    ["--forget-after", "DND_FORGET_AFTER", "24h", "forgetAfterMs", 86_400_000],
    ["--forget-after", "DND_FORGET_AFTER", "off", "forgetAfterMs", undefined],
  ];
  for (const [flag, env, text, name, value] of rows) {
    it(`${flag} ${text} and ${env}`, () => {
      const key = name as keyof NodeOptions;
      assert.deepEqual(optionsOf([flag, text])[key], value);
      assert.deepEqual(optionsOf([`${flag}=${text}`])[key], value);
      assert.deepEqual(optionsOf([], { [env]: text })[key], value);
    });
  }

  const httpRows: readonly [
    flag: string,
    env: string,
    text: string,
    name: string,
    value: unknown,
  ][] = [
    ["--server-port", "DND_SERVER_PORT", "6001", "port", 6001],
    ["--web-port", "DND_WEB_PORT", "6099", "webPort", 6099],
    ["--server-address", "DND_SERVER_ADDRESS", "::1", "address", "::1"],
    [
      "--allow-host",
      "DND_ALLOW_HOST",
      "a.example,b.example",
      "allowHosts",
      ["a.example", "b.example"],
    ],
    [
      "--allow-origin",
      "DND_ALLOW_ORIGIN",
      "https://a.example",
      "allowOrigins",
      ["https://a.example"],
    ],
  ];
  for (const [flag, env, text, name, value] of httpRows) {
    it(`${flag} ${text} and ${env}`, () => {
      const key = name as keyof NonNullable<NodeOptions["http"]>;
      assert.deepEqual(optionsOf([flag, text]).http?.[key], value);
      assert.deepEqual(optionsOf([], { [env]: text }).http?.[key], value);
    });
  }

  it("--key-file, --token-file and --tls-* are read from files that flags and variables name", () =>
    withFolder(async (folder) => {
      const authority = new TestAuthority("dnd test");
      const { cert, key } = authority.issue();
      const other = authority.issue();
      const line = Buffer.alloc(32, 7).toString("base64");
      const write = (name: string, text: string): string => {
        const path = join(folder, name);
        writeFileSync(path, text);
        return path;
      };
      const certFile = write("cert.pem", cert);
      const keyFile = write("key.pem", key);
      const pair = ["--tls-cert", certFile, "--tls-key", keyFile];
      const pairEnv = { DND_TLS_CERT: certFile, DND_TLS_KEY: keyFile };
      type Of = (options: NodeOptions) => unknown;
      const fileRows: readonly [
        flag: string,
        env: string,
        good: string,
        wrong: string,
        base: readonly string[],
        baseEnv: Env,
        of: Of,
        value: unknown,
      ][] = [
        [
          "--key-file",
          "DND_KEY_FILE",
          write("ring", `${line}\n`),
          write("ring2", "x\n"),
          [],
          {},
          ({ keys }) => keys,
          [new Uint8Array(32).fill(7)],
        ],
        [
          "--token-file",
          "DND_TOKEN_FILE",
          write("tokens", "read abcdefghijklmnop\n"),
          write("tokens2", "king abcdefghijklmnop\n"),
          [],
          {},
          ({ http }) => (http?.tokens as Tokens).roleOf("abcdefghijklmnop"),
          "read",
        ],
        [
          "--tls-cert",
          "DND_TLS_CERT",
          certFile,
          write("cert2", other.cert),
          pair.slice(2),
          { DND_TLS_KEY: keyFile },
          ({ http }) => http?.tls,
          { cert, key },
        ],
        [
          "--tls-key",
          "DND_TLS_KEY",
          keyFile,
          write("key2", other.key),
          pair.slice(0, 2),
          { DND_TLS_CERT: certFile },
          ({ http }) => http?.tls,
          { cert, key },
        ],
        [
          "--tls-ca",
          "DND_TLS_CA",
          write("ca.pem", authority.cert),
          write("ca2", "no certificate"),
          pair,
          pairEnv,
          ({ http }) => http?.tls,
          { cert, key, ca: authority.cert },
        ],
      ];
      const absent = join(folder, "absent");
      for (const [flag, env, good, wrong, base, baseEnv, of, value] of fileRows) {
        assert.deepEqual(of(optionsOf([...base, flag, good])), value, flag);
        assert.deepEqual(of(optionsOf([...base, `${flag}=${good}`])), value, flag);
        assert.deepEqual(of(optionsOf([], { ...baseEnv, [env]: good })), value, env);
        assert.deepEqual(of(optionsOf([flag, good], { ...baseEnv, [env]: absent })), value, env);
        for (const path of [wrong, absent, folder]) {
          const named = new RegExp(path.replaceAll(/[.+]/g, "\\$&"));
          const check = (error: unknown): boolean =>
            error instanceof UsageError && named.test(error.message);
          assert.throws(() => optionsOf([...base, flag, path]), check, `${flag} ${path}`);
          assert.throws(() => optionsOf([], { ...baseEnv, [env]: path }), check, `${env} ${path}`);
        }
      }
    }));

  it("typed beats set", () => {
    assert.equal(optionsOf(["--port", "1"], { DND_PORT: "2" }).port, 1);
    assert.deepEqual(optionsOf(["a:1"], { DND_SEEDS: "b:2" }).seeds, ["a:1"]);
    assert.deepEqual(optionsOf([], { DND_SEEDS: "b:2, [::1]:3" }).seeds, ["b:2", "[::1]:3"]);
    assert.equal(optionsOf(["--memory"], { DND_MEMORY: "off" }).dataDir, undefined);
  });

  it("switches in the environment take 1 true on and 0 false off, nothing else", () => {
    for (const text of ["1", "true", "on"]) {
      assert.equal(optionsOf([], { DND_MEMORY: text }).dataDir, undefined);
      assert.equal(optionsOf([], { DND_INSECURE: text }).insecure, true);
      assert.equal(optionsOf([], { DND_ACCESS_LOG: text }).http?.accessLog, true);
    }
    for (const text of ["0", "false", "off"]) {
      assert.equal(optionsOf([], { DND_MEMORY: text }).dataDir, ".dnd/5000");
    }
    for (const text of ["", "yes", "no", "TRUE", " 1", "2"]) {
      assert.throws(() => optionsOf([], { DND_MEMORY: text }), UsageError);
    }
  });

  it("an empty variable is a bad option, whichever it is", () => {
    for (const { env } of nodeOptionRows) {
      assert.throws(() => optionsOf([], { [env]: "" }), /is empty/, env);
    }
    assert.throws(() => optionsOf([], { DND_SEEDS: "" }), /is empty/);
  });

  it("the last of -v, -q and --log-level wins", () => {
    assert.equal(levelOf([]), undefined);
    assert.equal(levelOf(["-v"]), "debug");
    assert.equal(levelOf(["-vv"]), "trace");
    assert.equal(levelOf(["-v", "-v"]), "trace");
    assert.equal(levelOf(["-q"]), "error");
    assert.equal(levelOf(["-v", "-q"]), "error");
    assert.equal(levelOf(["-q", "-v"]), "debug");
    assert.equal(levelOf(["--log-level", "warn", "-v"]), "debug");
    assert.equal(levelOf(["-v", "--log-level", "warn"]), "warn");
    assert.equal(levelOf(["-v"], { DND_LOG_LEVEL: "warn" }), "debug");
    assert.equal(levelOf([], { DND_LOG_LEVEL: "silent" }), "silent");
  });

  const bad: readonly (readonly string[])[] = [
    ["--port", ""],
    ["--port", "-1"],
    ["--port", "65536"],
    ["--port", "1e3"],
    ["--port", "0x10"],
    ["--port", " 5000"],
    ["--port", "5000.0"],
    ["--port"],
    ["--web-port", "on"],
    ["--server-port", "6000", "--web-port", "6000"],
    ["--port", "6000"],
    ["--port", "0"],
    ["--max-value-bytes", "0"],
    ["--max-value-bytes", "16777217"],
    ["--max-drift", "500"],
    ["--max-drift", "0ms"],
    ["--forget-after", "never"],
    ["--durability", "none"],
    ["--profile", "LAN"],
    ["--cluster", "x".repeat(65)],
    ["--name", ""],
    ["--sealing", "x"],
    ["--log-level", "loud"],
    ["--max-datagram", "511"],
    ["--max-datagram", "65508"],
    ["--address", "example.org"],
    ["--server-address", "999.1.1.1"],
    ["--data-dir", ""],
    ["--memory=yes"],
    ["--tls-key", "x"],
    ["--key-file", "/dev/null"],
    ["--token-file", "/dev/null"],
    ["--allow-host", "http://a.example"],
    ["--allow-host", "a.example/b"],
    ["--allow-origin", "*"],
    ["--allow-origin", "example.org"],
    ["--allow-origin", "https://example.org/path"],
    ["--tls-cert", "x"],
    ["--tls-ca", "x"],
    ["--memory", "--data-dir", "x"],
    ["--unknown"],
    ["--key-file", "/nonexistent"],
    ["--token-file", "/nonexistent"],
  ];
  for (const words of bad) {
    it(`refuse ${words.join(" ")}`, () => refused(["start", ...words]));
  }

  it("refuse an address that others reach, without keys", async () => {
    assert.match(await refused(["--address", "0.0.0.0", "--memory"]), /--insecure/);
    assert.match(await refused(["--server-address", "::", "--memory"]), /token/);
  });

  it("offer the nearest command, and say what an option is near to", async () => {
    assert.match(await refused(["jion", "a:1"]), /did you mean "join"/);
    assert.match(await refused(["strat"]), /did you mean "start"/);
    assert.match(await refused(["xyzzy"]), /--help/);
    assert.match(await refused(["--prot", "5"]), /--port/);
    assert.match(await refused(["get", "k", "--port", "5"]), /--port/);
  });

  it("take options before and after the command", () => {
    assert.deepEqual(optionsOf(["--port", "5001", "a:1", "--memory"]).seeds, ["a:1"]);
  });
});

describe("nearestWord()", () => {
  it("finds swaps, slips and nothing", () => {
    const words = ["start", "join", "get", "put", "members"];
    assert.equal(nearestWord("memebrs", words), "members");
    assert.equal(nearestWord("gett", words), "get");
    assert.equal(nearestWord("x", words), undefined);
    assert.equal(nearestWord("x".repeat(10_000), words), undefined);
  });
});

describe("dnd as a process", function () {
  this.timeout(60_000);

  it("says in one line that a port is in use, exits 2 and leaves no trace", () =>
    withFolder(async (root) => {
      const server = createServer();
      const port = await new Promise<number>((resolve) =>
        server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)),
      );
      try {
        for (const flags of [
          ["--port", String(port), "--server-port", "0"],
          ["--port", "0", "--server-port", String(port)],
        ]) {
          const folder = join(root, "data");
          const { code, stdout, stderr } = await runDnd([...flags, "--data-dir", folder]);
          assert.equal(code, 2);
          assert.equal(stdout, "");
          assert.match(
            stderr,
            new RegExp(`^dnd: Cannot bind [^\\n]*${port}[^\\n]*in use[^\\n]*\\n$`),
          );
          assert.equal(existsSync(folder), false);
        }
      } finally {
        server.close();
      }
    }));

  it("refuses a folder that another process uses, and one of another cluster", () =>
    withFolder(async (root) => {
      const node = await NodeProcess.start(freePorts(root));
      const second = await runDnd(freePorts(root));
      assert.equal(second.code, 2);
      assert.match(second.stderr, /^dnd: Cannot open the data folder [^\n]*\n$/);
      assert.equal((await node.end("SIGINT")).code, 0);
      const other = await runDnd([...freePorts(root), "--cluster", "other"]);
      assert.equal(other.code, 2);
      assert.match(other.stderr, /^dnd: [^\n]*cluster[^\n]*\n$/);
    }));

  it("keeps data on disk with DND_MEMORY=false, and its id and generation", () =>
    withFolder(async (root) => {
      const env = { DND_MEMORY: "false", DND_DATA_DIR: root, DND_PORT: "0", DND_SERVER_PORT: "0" };
      const first = await NodeProcess.start(["start"], env);
      await fetch(`${first.url}/kv/a`, {
        method: "PUT",
        body: "1",
        headers: { "content-type": "" },
      });
      const { code, stdout, stderr } = await first.end();
      assert.equal(code, 0);
      assert.match(
        stdout,
        /^dnd ready node=[0-9a-f]{32} gossip=127\.0\.0\.1:\d+ http=127\.0\.0\.1:\d+ web=127\.0\.0\.1:\d+\n$/,
      );
      for (const line of stderr.trim().split("\n")) assert.ok("level" in JSON.parse(line));
      const second = await NodeProcess.start(["start"], env);
      assert.equal(second.field("node"), first.field("node"));
      assert.equal((await fetch(`${second.url}/kv/a`)).status, 200);
      const info = (await (await fetch(`${second.url}/cluster`)).json()) as { generation: number };
      assert.equal(info.generation, 2);
      assert.equal((await second.end()).code, 0);
    }));

  it("stops within 5 s with a request under way and a watch open; a later signal ends it at once", () =>
    withFolder(async (root) => {
      const node = await NodeProcess.start(freePorts(root));
      const watch = await fetch(`${node.url}/watch`);
      const reading = watch.text().catch(() => "");
      const startedAt = Date.now();
      const { code } = await node.end("SIGTERM");
      assert.equal(code, 0);
      assert.ok(Date.now() - startedAt < 5_000);
      await reading;
    }));

  it("speaks to a node: put, get, ls, del, members, status, explain, export, import, backup", () =>
    withFolder(async (root) => {
      const node = await NodeProcess.start(freePorts(join(root, "data")));
      const dnd = (args: readonly string[], input?: string): ReturnType<typeof runDnd> =>
        runDnd([...args], {
          env: { DND_URL: node.url },
          ...(input === undefined ? {} : { input }),
        });
      try {
        await until("ready", async () => (await dnd(["status", "--ready"])).code === 0);
        assert.equal((await dnd(["put", "user/1", '{"name": "Jack"}'])).stdout, "OK\n");
        assert.equal((await dnd(["get", "user/1"])).stdout, '{"name": "Jack"}');
        assert.equal((await dnd(["put", "text", "-"], "plain text")).code, 0);
        assert.equal((await dnd(["get", "text"])).stdout, "plain text");
        assert.equal((await dnd(["put", "..", "dots"])).code, 0);
        assert.equal((await dnd(["get", ".."])).stdout, "dots");
        assert.equal((await dnd(["ls"])).stdout, "..\ntext\nuser/1\n");
        assert.equal((await dnd(["ls", "user/"])).stdout, "user/1\n");
        const none = await dnd(["get", "none"]);
        assert.equal(none.code, 1);
        assert.match(none.stderr, /^dnd: [^\n]*none[^\n]*\n$/);
        const members = JSON.parse((await dnd(["members", "--json"])).stdout) as unknown[];
        assert.equal(members.length, 1);
        assert.match((await dnd(["status"])).stdout, /^node .*\ncluster .*\nready {4}yes/);
        assert.match((await dnd(["explain", "text"])).stdout, /only version/);
        const file = join(root, "export.ndjson");
        assert.equal((await dnd(["export", file])).code, 0);
        assert.equal((await dnd(["del", "", "--prefix"])).code, 1);
        assert.equal((await dnd(["del", "user/", "--prefix"])).stdout, "deleted 1\n");
        assert.equal((await dnd(["del", "text"])).code, 0);
        assert.equal((await dnd(["import", file])).stdout, "imported 3, failed 0\n");
        assert.equal((await dnd(["get", "user/1"])).stdout, '{"name": "Jack"}');
        const backup = join(root, "backup");
        const backed = await dnd(["backup", backup]);
        assert.equal(backed.code, 0, backed.stderr);
        assert.ok(existsSync(backup));
        const full = join(root, "full");
        mkdirSync(full);
        writeFileSync(join(full, "file"), "");
        assert.equal((await dnd(["backup", full])).code, 1);
        const forget = await dnd(["forget", "f".repeat(32)]);
        assert.equal(forget.code, 1);
        assert.equal((await dnd(["doctor", node.field("gossip")])).code, 0);
      } finally {
        await node.end();
      }
      assert.equal((await dnd(["get", "text"])).code, 3);
      assert.match((await runDnd(["keygen"])).stdout, /^[A-Za-z0-9+/]{43}=\n$/);
    }));
});
