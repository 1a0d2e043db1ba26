import type { Environment } from "./cli_parse.ts";

/** Somewhere to write lines to: a stream of the process, or of a test. */
export interface CliOutput {
  write(text: string | Uint8Array): boolean;
  readonly isTTY?: boolean;
}

/** What the command line uses of its process: `process` itself fits. */
export interface CliProcess {
  readonly env: Environment;
  readonly stdout: CliOutput & NodeJS.WritableStream;
  readonly stderr: CliOutput & NodeJS.WritableStream;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
  exit(code: number): never;
}
