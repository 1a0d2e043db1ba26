import { randomBytes } from "node:crypto";
import type { CliProcess } from "./cli_io.ts";
import { writeOutput } from "./cli_output.ts";
import type { Typed } from "./cli_parse.ts";

/** `dnd keygen`. */
export async function keygenCommand(_typed: Typed, host: CliProcess): Promise<number> {
  await writeOutput(host.stdout, `${randomBytes(32).toString("base64")}\n`);
  return 0;
}
