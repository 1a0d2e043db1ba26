// The writing process of the rigs, and how what it says gets here: its standard output is a file that it
// appends to with synchronous writes, and this process reads it when it has time. A pipe would not do:
// what a killed process had queued for one is lost with it, and a writer that waits for a slow reader is
// not killed in the middle of a commit.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const POLL_MS = 2;

/** A writer in a process of its own. */
export interface Writer {
  readonly process: ChildProcess;

  /** Resolves when so many writes were acknowledged, or the process has ended. */
  acknowledged(count: number): Promise<void>;

  /** Resolves when the process has ended and every line that it wrote was read. */
  readonly ended: Promise<void>;

  /** What it wrote to standard error. */
  readonly errors: () => string;
}

/** How a writer is started. */
export interface WriterOptions {
  readonly cycle: number;

  /** Leaves the sync of every commit out. */
  readonly noSync?: boolean;

  /** Takes in what it says. */
  readonly onLine: (line: string) => void;
}

/** Starts a writer on a folder. */
export function startWriter(folder: string, options: WriterOptions): Writer {
  const script = fileURLToPath(new URL("./_rig_child.js", import.meta.url));
  const sync = options.noSync === true ? "no-sync" : "sync";
  const reportFolder = mkdtempSync(join(tmpdir(), "dnd-rig-"));
  const path = join(reportFolder, "lines");
  const output = openSync(path, "ax");
  const child = spawn(process.execPath, [script, folder, String(options.cycle), sync], {
    stdio: ["ignore", output, "pipe"],
  });
  closeSync(output);
  let errors = "";
  child.stderr?.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const report = new LineFile(path);
  let acknowledged = 0;
  const readOn = (): void => {
    for (const line of report.readOn()) {
      options.onLine(line);
      if (line.startsWith("a ")) acknowledged += 1;
    }
  };
  let isOver = false;
  const closed = new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => {
      resolve();
    });
  });
  const ended = closed.then(readOn).finally(() => {
    isOver = true;
    report.close();
    rmSync(reportFolder, { recursive: true, force: true });
  });
  ended.catch(() => undefined); // whoever waits for it is told
  return {
    process: child,
    ended,
    errors: () => errors,
    acknowledged: async (count) => {
      while (!isOver) {
        readOn();
        if (acknowledged >= count) return;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    },
  };
}

/** A file of lines that grows. */
class LineFile {
  readonly #file: number;
  readonly #chunk = Buffer.allocUnsafe(64 * 1024);
  #at = 0;

  /** The beginning of a line whose end is not there yet. */
  #rest = "";

  constructor(path: string) {
    this.#file = openSync(path, "r");
  }

  /** The lines that came since the last call. A line without its end is none yet. */
  readOn(): string[] {
    let text = this.#rest;
    for (;;) {
      const length = readSync(this.#file, this.#chunk, 0, this.#chunk.length, this.#at);
      if (length === 0) break;
      this.#at += length;
      text += this.#chunk.toString("latin1", 0, length);
    }
    const lines = text.split("\n");
    this.#rest = lines.pop() ?? "";
    return lines;
  }

  close(): void {
    closeSync(this.#file);
  }
}
