import { open, unlink } from "node:fs/promises";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { DndError, type ImportFailure } from "@dnd/client";
import { withClient } from "./cli_client.ts";
import type { CliProcess } from "./cli_io.ts";
import type { Typed } from "./cli_parse.ts";
import { UsageError } from "./cli_usage_error.ts";

/** Failed lines of an import that are shown to people. */
const shownFailures = 20;

/** Shows how far a long piece of work is, on a terminal. */
class Progress {
  readonly #host: CliProcess;
  readonly #what: string;
  #count = 0;
  #shownAt = 0;

  constructor(host: CliProcess, what: string) {
    this.#host = host;
    this.#what = what;
  }

  step(): void {
    this.#count += 1;
    if (this.#host.stderr.isTTY !== true) return;
    const now = performance.now();
    if (now - this.#shownAt < 200) return;
    this.#shownAt = now;
    this.#host.stderr.write(`\r${this.#count} ${this.#what} `);
  }

  end(): number {
    if (this.#shownAt > 0) this.#host.stderr.write("\r\u001b[K");
    return this.#count;
  }
}

/** `dnd export`. A file is whole, or it is not there. */
export function exportCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, args, signal, out }) => {
    const [file = "-"] = args;
    const progress = new Progress(host, "entries");
    async function* text(): AsyncGenerator<string, void> {
      for await (const line of client.export({ signal })) {
        progress.step();
        yield `${JSON.stringify(line)}\n`;
      }
    }
    if (file === "-") {
      for await (const line of text()) await out.write(line);
      progress.end();
      return 0;
    }
    // wx: a file that is there is somebody's, and stays.
    const target = await open(file, "wx").catch((error: unknown) => {
      throw cannot("write", file, error);
    });
    try {
      await pipeline(text, target.createWriteStream({ flush: true }));
    } catch (error) {
      progress.end();
      await unlink(file);
      if (error instanceof DndError || signal.aborted) throw error;
      throw cannot("write", file, error);
    }
    host.stderr.write(`exported ${progress.end()} entries to ${file}\n`);
    return 0;
  });
}

/** `dnd import`. A bad line stops nothing: the node says what is wrong with it. */
export function importCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, args, settings, json, signal, out }) => {
    const [file = "-"] = args;
    const progress = new Progress(host, "lines");
    const notText: ImportFailure[] = [];
    async function* lines(): AsyncGenerator<string, void> {
      let number = 0;
      for await (const bytes of readLines(file, host)) {
        number += 1;
        progress.step();
        const line = decodeUtf8(bytes);
        if (line === undefined) {
          notText.push({ line: number, code: "invalid-json", detail: "The line is not UTF-8" });
        }
        // An empty one keeps the place: the node passes it over, and its numbers are those of the file.
        yield line ?? "";
      }
    }
    const keep = settings["keepVersions"] === true ? { keep: "versions" as const } : {};
    const answer = await client.import(lines(), { ...keep, signal });
    progress.end();
    const failed = [...answer.failed, ...notText].sort((a, b) => a.line - b.line);
    const failedCount = answer.failedCount + notText.length;
    if (json) {
      await out.write(`${JSON.stringify({ imported: answer.imported, failed, failedCount })}\n`);
    } else {
      await out.write(`imported ${answer.imported}, failed ${failedCount}\n`);
      for (const { line, code, detail } of failed.slice(0, shownFailures)) {
        host.stderr.write(`line ${line}: ${code}: ${detail}\n`);
      }
      if (failedCount > shownFailures) {
        host.stderr.write(`and ${failedCount - shownFailures} more\n`);
      }
    }
    return failedCount === 0 ? 0 : 1;
  });
}

/**
 * The lines of a file or of standard input, as bytes in a string of Latin-1: `node:readline` would end a
 * line at U+2028 too, which JSON may hold.
 */
async function* readLines(file: string, host: CliProcess): AsyncGenerator<string, void> {
  try {
    const input = file === "-" ? host.stdin : (await open(file)).createReadStream();
    input.setEncoding("latin1");
    yield* createInterface({ input, crlfDelay: Infinity });
  } catch (error) {
    throw cannot("read", file, error);
  }
}

function decodeUtf8(latin1: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(latin1, "latin1"));
  } catch {
    return undefined;
  }
}

function cannot(what: "read" | "write", file: string, error: unknown): UsageError {
  const why = error instanceof Error ? error.message : String(error);
  return new UsageError(`Cannot ${what} ${file}: ${why}`);
}

/** `dnd backup`. */
export function backupCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, args, json, out }) => {
    const [typedFolder = ""] = args;
    if (typedFolder === "")
      throw new UsageError("Cannot back up: the folder is empty text; name one");
    const { folder } = await client.backup(resolve(typedFolder), { timeoutMs: 3_600_000 });
    await out.write(json ? `${JSON.stringify({ folder })}\n` : `backup in ${folder}\n`);
    return 0;
  });
}
