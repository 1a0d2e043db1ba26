import { spawn, type ChildProcess } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { until } from "./_test_utils.ts";

/** The command as it is shipped. */
export const binPath: string = fileURLToPath(new URL("../bin/dnd.js", import.meta.url));

/** What a process said, and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Environment of a test process: nothing of ours leaks into it. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("DND_")),
  );
}

/** Runs the command to its end. */
export function runDnd(
  args: readonly string[],
  options: {
    readonly env?: NodeJS.ProcessEnv;
    readonly input?: string;
    readonly cwd?: string;
  } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [binPath, ...args], {
      env: { ...cleanEnvironment(), ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const timer = setTimeout(() => child.kill("SIGKILL"), 50_000);
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr });
    });
    child.stdin.end(options.input ?? "");
  });
}

/** A node in a process of its own. */
export class NodeProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";

  /** @param args behind `dnd` */
  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, [binPath, ...args], {
      env: { ...cleanEnvironment(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.on("data", (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr?.on("data", (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = new Promise((resolve) => {
      this.child.once("close", (code, signal) =>
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr }),
      );
    });
  }

  /** Starts a node on free ports and waits for its ready line. */
  static async start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<NodeProcess> {
    const node = new NodeProcess(args, env);
    let gone = false;
    void node.ended.then(() => (gone = true));
    await until(`a ready line of dnd ${args.join(" ")}`, () => {
      if (gone) throw new Error(`the node ended: ${node.stderr}`);
      return node.stdout.includes("\n");
    });
    return node;
  }

  /** A field of the ready line. */
  field(name: "node" | "gossip" | "http" | "web"): string {
    return new RegExp(`\\b${name}=(\\S+)`).exec(this.stdout)?.[1] ?? "";
  }

  /** Address of the HTTP API. */
  get url(): string {
    return `http://${this.field("http")}`;
  }

  /** Ends it with a signal and waits. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.ended;
  }
}

/** Options of a node on free ports with a folder. */
export function freePorts(folder: string): string[] {
  return ["--port", "0", "--server-port", "0", "--web-port", "off", "--data-dir", folder];
}

/** SIGHUP, and waits until the files were read again, or were found to be bad. */
export async function hangUp(
  node: NodeProcess,
  outcome: "read" | "refused" = "read",
): Promise<void> {
  const words = outcome === "read" ? "were read again" : "stay as they were";
  const count = (): number => node.stderr.split(words).length;
  const before = count();
  node.child.kill("SIGHUP");
  await until(`keys, tokens and certificates are ${outcome}`, () => count() > before);
}

/** Leaves out what is for the full run, with a printed reason. Call it in a test or a `before` hook. */
export function fullRunOnly(context: Mocha.Context, what: string): void {
  if (process.env["DND_FULL"] === "1") return;
  console.log(`      skipped: ${what}: for the full run (DND_FULL=1)`);
  context.skip();
}
