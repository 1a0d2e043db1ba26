import { createClient, DndError, type Client } from "@dnd/client";
import { commandRows, clientRows } from "./cli_client_options.ts";
import { makeNodeFetch, type NodeFetch } from "./cli_fetch.ts";
import type { CliProcess } from "./cli_io.ts";
import type { OptionRow } from "./cli_option_rows.ts";
import { OutputWriter } from "./cli_output.ts";
import { resolveSettings, type Typed } from "./cli_parse.ts";
import { readClientTls } from "./cli_settings.ts";

const defaultUrl = "http://127.0.0.1:6080";

const rows: readonly OptionRow[] = [...clientRows, ...Object.values(commandRows)];

/** What a client command works with. */
export interface ClientCall {
  readonly client: Client;
  readonly url: string;
  readonly token: string | undefined;
  /** What the client calls the node with. */
  readonly fetch: NodeFetch;
  /** The options that were read, by key. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Whether the output is for programs. */
  readonly json: boolean;
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal;
  readonly host: CliProcess;
  /** Standard output, no faster than it is read. */
  readonly out: OutputWriter;
  readonly args: readonly string[];
}

/**
 * Runs a client command: makes the client, and turns errors into one line and an exit code.
 *
 * @returns 0; 1 not found or refused; 3 node not reached; 4 timed out, outcome unknown
 */
export async function withClient(
  typed: Typed,
  host: CliProcess,
  run: (call: ClientCall) => Promise<number>,
): Promise<number> {
  const settings = resolveSettings(rows, typed.options, host.env);
  const url = (settings["url"] as string | undefined) ?? defaultUrl;
  const token = settings["token"] as string | undefined;
  const timeoutMs = settings["timeoutMs"] as number | undefined;
  const fetch = makeNodeFetch(readClientTls(settings));
  const client = createClient({
    urls: [url],
    rounds: 1,
    fetch,
    ...(token === undefined ? {} : { token }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const controller = new AbortController();
  const onInterrupt = (): void => controller.abort();
  host.on("SIGINT", onInterrupt);
  const out = new OutputWriter(host.stdout);
  try {
    const code = await run({
      client,
      url: url.replace(/\/$/, ""),
      token,
      fetch,
      settings,
      json: settings["json"] === true,
      signal: controller.signal,
      host,
      out,
      args: typed.args,
    });
    await out.flush();
    return code;
  } catch (error) {
    if (controller.signal.aborted) return 130;
    if (!(error instanceof DndError)) throw error;
    host.stderr.write(`dnd: ${error.message}\n`);
    return exitCodeOf(error);
  } finally {
    host.off("SIGINT", onInterrupt);
    await client.close();
  }
}

/** The exit code of an error: see the manual. */
export function exitCodeOf(error: DndError): number {
  if (error.code === "timeout" || error.outcome === "unknown") return 4;
  if (error.code === "unreachable" || error.code === "invalid-response") return 3;
  return 1;
}

/** A table for people. */
export function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)),
  );
  return [head, ...lines]
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
    .concat("\n");
}

/** A key or text that cannot do anything to a terminal. */
export function printable(text: string): string {
  return /[\u0000-\u001f\u007f-\u009f]/.test(text) ? JSON.stringify(text) : text;
}
