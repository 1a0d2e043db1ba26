import assert from "node:assert/strict";
import { createNode } from "./create_node.ts";
import { resolveNodeOptions, type NodeOptions } from "./node_options.ts";

/** What JavaScript can give, and TypeScript would not. */
const given = (options: unknown): NodeOptions => options as NodeOptions;

describe("the options of a node", () => {
  it("have defaults, and are kept otherwise", () => {
    const { port, address, seeds, durability, cluster, maxValueBytes } = resolveNodeOptions({});
    assert.deepEqual(
      [port, address, seeds, durability, cluster, maxValueBytes],
      [0, "127.0.0.1", [], "sync", "dnd", 1_048_576],
    );
    const logger = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };
    assert.equal(resolveNodeOptions({ dataDir: "x", logger, http: {} }).dataDir, "x");
    assert.equal(resolveNodeOptions({ port: 5, name: "n", http: { webPort: "off" } }).port, 5);
    assert.equal(resolveNodeOptions({ http: { port: "off" } }).http?.port, "off");
  });

  const bad: readonly (readonly [options: unknown, message: RegExp])[] = [
    [{ dataDirr: "x" }, /there is no option dataDirr; did you mean dataDir\?/],
    [{ http: { webport: 1 } }, /there is no option http.webport; did you mean webPort\?/],
    [{ nonsense: 1 }, /there is no option nonsense$/],
    [null, /the options are null, give an object/],
    ["start", /the options are start, give an object/],
    [{ http: 6000 }, /http is 6000, give an object/],
    [{ http: null }, /http is null, give an object/],
    [{ port: -1 }, /port is -1, write 0 to 65535/],
    [{ port: "5000" }, /port is 5000/],
    [{ http: { port: 70_000 } }, /http.port is 70000/],
    [{ http: { webPort: 1.5 } }, /http.webPort is 1.5/],
    [{ address: "example.org" }, /address is "example.org", write an IP address/],
    [{ seeds: ["nonsense"] }, /seeds has "nonsense"/],
    [{ dataDir: 5 }, /dataDir is 5, write a path/],
    [{ dataDir: "" }, /dataDir is "", write a path/],
    [{ durability: "x" }, /durability is x, not sync or async/],
    [{ cluster: "" }, /cluster has 0 bytes/],
    [{ name: "x".repeat(65) }, /name has 65 bytes/],
    [{ maxValueBytes: 17 * 1024 * 1024 }, /maxValueBytes is 17825792/],
    [{ maxDriftMs: 0 }, /maxDriftMs is 0/],
    [[], /the options are an array of 0, give an object/],
    [{ seeds: "127.0.0.1:5000" }, /seeds is 127.0.0.1:5000, it must be an array of strings/],
    [{ seeds: 5 }, /seeds is 5/],
    [{ seeds: [""] }, /seeds is an array of 1/],
    [{ address: 5 }, /address is 5/],
    [{ advertise: 5 }, /advertise is 5/],
    [{ advertise: "" }, /advertise is , it must be a string that is not empty/],
    [{ cluster: 5 }, /cluster is 5, it must be a string/],
    [{ name: 5 }, /name is 5, it must be a string/],
    [{ keys: "x" }, /keys is x, it must be an array/],
    [{ keys: [] }, /keys is an array of 0, it must be an array of one or more keys of 32 bytes/],
    [{ keys: [new Uint8Array(31)] }, /keys is an array of 1/],
    [{ sealing: "x" }, /sealing is x, it must be required or permissive/],
    [{ insecure: "yes" }, /insecure is yes, it must be true or false/],
    [{ insecure: 1 }, /insecure is 1/],
    [{ profile: "LAN" }, /profile is LAN, it must be local or lan or wan/],
    [{ thread: "x" }, /thread is x, it must be worker or main/],
    [{ maxDatagramBytes: 511 }, /maxDatagramBytes is 511, .* from 512 to 65507/],
    [{ maxDatagramBytes: "x" }, /maxDatagramBytes is x/],
    [{ forgetAfterMs: 0 }, /forgetAfterMs is 0/],
    [{ forgetAfterMs: "1h" }, /forgetAfterMs is 1h/],
    [{ http: { address: 5 } }, /http.address is 5/],
    [{ http: { tls: "x" } }, /http.tls is x, give an object/],
    [{ http: { tls: {} } }, /http.tls is an object, it must be a cert and a key/],
    [{ http: { tls: { cert: "x" } } }, /http.tls is an object, it must be a cert and a key/],
    [{ http: { tls: { cert: "x", key: 5 } } }, /http.tls.key is 5/],
    [{ http: { tls: { cert: "x", kye: "y" } } }, /no option http.tls.kye; did you mean key/],
    [
      { http: { tls: { cert: "x", key: "y", ca: "z" } } },
      /http.tls.ca is z, .* certificate or more/,
    ],
    [{ http: { tokens: "x" } }, /http.tokens is x, it must be a Tokens, made by new Tokens/],
    [{ http: { tokens: [] } }, /http.tokens is an array of 0/],
    [{ http: { allowHosts: "a.example" } }, /http.allowHosts is a.example, .* array of host names/],
    [{ http: { allowHosts: ["http://a"] } }, /http.allowHosts is an array of 1/],
    [{ http: { allowOrigins: "https://a" } }, /http.allowOrigins is https:\/\/a, .* array/],
    [{ http: { allowOrigins: ["https://a/b"] } }, /http.allowOrigins is an array of 1/],
    [{ http: { accessLog: "x" } }, /http.accessLog is x/],
    [{ http: { maxWatchBytes: "x" } }, /http.maxWatchBytes is x/],
    [{ http: { maxConnections: 0 } }, /http.maxConnections is 0/],
    [{ port: null }, /port is null/],
    [{ port: "off" }, /port is off, a string/],
    [{ http: { port: "on" } }, /http.port is on, a string/],
    [{ http: { port: null } }, /http.port is null/],
    [{ http: { port: "0" } }, /http.port is 0, a string: write a number/],
    [{ cluster: "\ud800" }, /cluster is .*, it must be a string without lone surrogates/],
    [{ advertise: "10.0.0.1:0" }, /advertise is "10.0.0.1:0", port 0 cannot be called/],
    [{ advertise: "10.0.0.1:99999" }, /advertise is .*, the port is above 65535/],
    [{ advertise: "http://a" }, /advertise is .*, write host\[:port\]/],
    [{ seeds: [7] }, /seeds is an array of 1/],
    [{ http: { tls: { cert: "x", key: "y" } } }, /http.tls is an object, .*no start line/],
    [{ logger: 5 }, /logger has no function trace, as pino has/],
    [{ logger: { info() {}, trace() {}, debug() {}, warn() {} } }, /logger has no function error/],
  ];

  it("may name an address for the others with or without a port", () => {
    for (const advertise of [
      "10.0.0.1",
      "10.0.0.1:5",
      "db-1.internal",
      "[::1]",
      "[fd00::1]:5000",
    ]) {
      assert.equal(resolveNodeOptions({ advertise }).advertise, advertise);
    }
  });

  it("that are out of range are a RangeError, those of a wrong type a TypeError", () => {
    for (const options of [
      { port: -1 },
      { maxDatagramBytes: 1 },
      { forgetAfterMs: 0.5 },
      { http: { maxConnections: 0 } },
    ]) {
      assert.throws(() => resolveNodeOptions(options), RangeError);
    }
    for (const options of [{ port: "1" }, { maxDatagramBytes: "1" }, { maxValueBytes: "1m" }]) {
      assert.throws(() => resolveNodeOptions(given(options)), TypeError);
    }
  });

  it("that open a node to everybody are named as a program and as a command line gives them", async () => {
    for (const [options, words] of [
      [{ address: "0.0.0.0" }, [/\bkeys\b/, /\binsecure\b/, /--key-file/, /--insecure/]],
      [
        { http: { address: "0.0.0.0" } },
        [/\btokens\b/, /\binsecure\b/, /--token-file/, /--tls-ca/],
      ],
    ] as const) {
      const error: unknown = await createNode(options).catch((e: unknown) => e);
      assert.ok(error instanceof TypeError);
      for (const word of words) assert.match(error.message, word);
    }
  });

  it(`are refused before anything is opened: ${bad.length} of them, each with its name`, async () => {
    for (const [options, message] of bad) {
      assert.throws(
        () => resolveNodeOptions(given(options)),
        (error) =>
          (error instanceof TypeError || error instanceof RangeError) &&
          message.test(error.message),
        JSON.stringify(options),
      );
    }
    await assert.rejects(async () => createNode(given({ logger: 5 })), /logger has no function/);
  });
});
