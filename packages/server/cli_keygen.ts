import { randomBytes } from "node:crypto";
import type { CliProcess } from "./cli_io.ts";
import type { Typed } from "./cli_parse.ts";

/** `dnd keygen`. */
export async function keygenCommand(_typed: Typed, host: CliProcess): Promise<number> {
  host.stdout.write(`${randomBytes(32).toString("base64")}\n`);
  return 0;
}
