import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { ExportLine } from "@dnd/client";
import { withClient } from "./cli_client.ts";
import type { CliProcess } from "./cli_io.ts";
import type { Typed } from "./cli_parse.ts";
import { UsageError } from "./cli_usage_error.ts";

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

/** `dnd export`. */
export function exportCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, args, signal }) => {
    const [file] = args;
    const stream =
      file === undefined || file === "-" ? undefined : createWriteStream(file, { flags: "wx" });
    const out: NodeJS.WritableStream = stream ?? host.stdout;
    const failed = new Promise<never>((_resolve, reject) => {
      stream?.once("error", (error) =>
        reject(new UsageError(`Cannot write ${file}: ${error.message}`)),
      );
    });
    failed.catch(() => undefined);
    const progress = new Progress(host, "entries");
    for await (const line of client.export({ signal })) {
      progress.step();
      if (!out.write(`${JSON.stringify(line)}\n`)) {
        await Promise.race([once(out, "drain"), failed]);
      }
    }
    const count = progress.end();
    if (stream !== undefined) {
      await Promise.race([new Promise<void>((done) => stream.end(done)), failed]);
      host.stderr.write(`exported ${count} entries to ${file}\n`);
    }
    return 0;
  });
}

/** `dnd import`. */
export function importCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, args, settings, json, signal }) => {
    const [file] = args;
    const input = file === undefined || file === "-" ? host.stdin : createReadStream(file);
    const progress = new Progress(host, "lines");
    async function* lines(): AsyncGenerator<ExportLine> {
      let number = 0;
      const failed = once(input, "error").then(([error]: unknown[]) => {
        throw new UsageError(
          `Cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`,
        );
      });
      failed.catch(() => undefined);
      const reader = createInterface({ input, crlfDelay: Infinity })[Symbol.asyncIterator]();
      for (;;) {
        const next = await Promise.race([reader.next(), failed]);
        if (next.done === true) return;
        number += 1;
        if (next.value.trim() === "") continue;
        progress.step();
        try {
          yield JSON.parse(next.value) as ExportLine;
        } catch {
          throw new UsageError(`Cannot import: line ${number} of ${file ?? "-"} is not JSON`);
        }
      }
    }
    const keep = settings["keepVersions"] === true ? { keep: "versions" as const } : {};
    const result = await client.import(lines(), { ...keep, signal });
    progress.end();
    if (json) host.stdout.write(`${JSON.stringify(result)}\n`);
    else {
      host.stdout.write(`imported ${result.imported}, failed ${result.failed.length}\n`);
      for (const { line, code, detail } of result.failed.slice(0, 20)) {
        host.stderr.write(`line ${line}: ${code}: ${detail}\n`);
      }
    }
    return result.failed.length === 0 ? 0 : 1;
  });
}

/** `dnd backup`. */
export function backupCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, args, json }) => {
    const { folder } = await client.backup(resolve(args[0] ?? ""), { timeoutMs: 3_600_000 });
    host.stdout.write(json ? `${JSON.stringify({ folder })}\n` : `backup in ${folder}\n`);
    return 0;
  });
}
