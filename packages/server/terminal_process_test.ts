import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { ClusterInfo } from "@dnd/client";
import { binPath, freePorts, fullRunOnly } from "./_test_process.ts";
import { until, withFolder } from "./_test_utils.ts";

/** What python runs: a program in a terminal of its own; what is typed comes in by standard input. */
const inTerminal = `
import os, pty, sys
status = pty.spawn(sys.argv[1:])
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
`;

/** A node in a pseudo terminal. */
class Terminal {
  /** Everything that it shows. */
  screen = "";
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(program: string, args: readonly string[], cwd?: string) {
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(DND_|NX_|FORCE_COLOR|CI$)/.test(name)),
    );
    this.#child = spawn("python3", ["-c", inTerminal, program, ...args], {
      env: { ...env, TERM: "xterm-256color" },
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => (this.screen += chunk.toString()));
    this.#child.stdin?.on("error", () => undefined);
    this.ended = new Promise((done) => this.#child.once("close", done));
  }

  /** A field of the ready line; empty before it is there. */
  field(name: string): string {
    return new RegExp(`dnd ready [^\\n]*\\b${name}=(\\S+)`).exec(this.screen)?.[1] ?? "";
  }

  async ready(): Promise<this> {
    let gone = false;
    void this.ended.then(() => (gone = true));
    await until(
      "a ready line on the screen",
      () => {
        if (gone) throw new Error(`the node ended: ${this.screen}`);
        return this.field("web") !== "";
      },
      60_000,
    );
    return this;
  }

  /** The keys that a person presses. */
  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** The terminal is closed, whatever runs in it. */
  close(): void {
    this.#child.kill("SIGKILL");
  }
}

const ctrlC = "\x03";

async function states(terminal: Terminal): Promise<Readonly<Record<string, string>>> {
  const response = await fetch(`http://${terminal.field("http")}/cluster`);
  const { members } = (await response.json()) as ClusterInfo;
  return Object.fromEntries(members.map(({ id, state }) => [id, state]));
}

/** Three nodes that are started at the same time; Ctrl-C in one of them ends that one alone. */
async function ctrlCInOne(
  start: (index: number, seed?: string) => Terminal,
  isEnd: (code: number | null) => boolean,
): Promise<void> {
  const terminals: Terminal[] = [];
  try {
    const first = start(0);
    terminals.push(first);
    const seed = (await first.ready()).field("gossip");
    terminals.push(start(1, seed), start(2, seed));
    await Promise.all(terminals.map((terminal) => terminal.ready()));
    for (const terminal of terminals) {
      await until(
        "three that are alive",
        async () => {
          const all = Object.values(await states(terminal));
          return all.length === 3 && all.every((state) => state === "alive");
        },
        60_000,
      );
    }
    const [, ended, other] = terminals;
    assert.ok(ended && other);
    ended.type(ctrlC);
    const code = await ended.ended;
    assert.ok(isEnd(code), `${code}: ${ended.screen}`);
    // Within 5 s: a stop that takes longer is ended by the process itself, with 1.
    for (const terminal of [first, other]) {
      await until("it is known as stopped", async () => {
        return (await states(terminal))[ended.field("node")] === "stopped";
      });
    }
    for (const terminal of terminals) {
      // Lines for people, one under the other: no full screen, no JSON.
      assert.doesNotMatch(terminal.screen, /\x1b\[\?(?:1049|47|1047)h|\x1b\[2J/);
      assert.doesNotMatch(terminal.screen, /^\{"level"/m);
      assert.match(terminal.screen, /INFO/);
    }
    for (const terminal of [first, other]) {
      terminal.type(ctrlC);
      assert.ok(isEnd(await terminal.ended), terminal.screen);
    }
  } finally {
    for (const terminal of terminals) terminal.close();
  }
}

describe("three nodes in three terminals", function () {
  this.timeout(240_000);

  before(function () {
    const found = spawnSync("python3", ["-c", "import pty"]);
    if (found.status === 0) return;
    console.log("      skipped: needs python3, for its pseudo terminals");
    this.skip();
  });

  it("Ctrl-C in one of them stops that one alone, in order and within 5 s", () =>
    withFolder((root) =>
      ctrlCInOne(
        (index, seed) => {
          const command = seed === undefined ? ["start"] : ["join", seed];
          const options = freePorts(join(root, String(index)));
          return new Terminal(process.execPath, [binPath, ...command, ...options]);
        },
        (code) => code === 0,
      ),
    ));

  it("the same under nx run server:serve", function () {
    fullRunOnly(this, "three times nx");
    const repository = resolve(fileURLToPath(new URL("../../..", import.meta.url)));
    return withFolder((root) =>
      ctrlCInOne(
        (index, seed) => {
          const command = seed === undefined ? ["start"] : ["join", seed];
          const options = freePorts(join(root, String(index)));
          // It is built already: building again would pull the files from under the other tests.
          const run = ["nx", "run", "server:serve", "--excludeTaskDependencies"];
          return new Terminal("npx", [...run, "--", ...command, ...options], repository);
          // The exit code is nx's own; what the others say of the node is the node's word.
        },
        (code) => code !== null,
      ),
    );
  });
});
