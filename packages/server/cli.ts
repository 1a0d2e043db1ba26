import type { CliProcess } from "./cli_io.ts";
import { clientOptionRows } from "./cli_client_options.ts";
import { commands, type CliCommand } from "./cli_commands.ts";
import { nodeOptionRows } from "./cli_option_rows.ts";
import { OutputError, writeOutput } from "./cli_output.ts";
import { parseCommand, splitCommand, unknownCommand } from "./cli_parse.ts";
import { UsageError } from "./cli_usage_error.ts";
import { programVersion } from "./program_version.ts";

const allRows = [...nodeOptionRows, ...clientOptionRows];

/**
 * Runs the command line.
 *
 * @param words what was typed behind `dnd`
 * @returns the exit code: 0; 1 not found or refused; 2 usage; 3 node not reached, or its storage has
 *   failed; 4 timed out, outcome unknown
 */
export async function runCli(words: readonly string[], host: CliProcess): Promise<number> {
  try {
    if (words.includes("--version") || words.includes("-V")) {
      await writeOutput(host.stdout, `${programVersion}\n`);
      return 0;
    }
    const { name, rest } = splitCommand(words, allRows);
    if (name === "help" || (name === undefined && rest.some((w) => w === "--help" || w === "-h"))) {
      await writeOutput(host.stdout, overview());
      return 0;
    }
    const command = commands.find((known) => known.name === (name ?? "start"));
    if (command === undefined) {
      throw unknownCommand(
        name ?? "",
        commands.map((known) => known.name),
      );
    }
    const typed = parseCommand(command, rest);
    if (typed.help !== undefined) {
      await writeOutput(host.stdout, typed.help);
      return 0;
    }
    return await (
      await command.load()
    )(typed, host);
  } catch (error) {
    // The reader has what it wanted, as in `dnd ls | head -1`.
    if (error instanceof OutputError && error.code === "EPIPE") return 0;
    if (!(error instanceof UsageError || error instanceof OutputError)) throw error;
    host.stderr.write(`dnd: ${error.message.replaceAll(/\s*\n\s*/g, " ")}\n`);
    return 2;
  }
}

function overview(): string {
  const width = Math.max(...commands.map(({ name, args }) => `${name} ${args}`.length));
  const line = ({ name, args, help }: CliCommand): string =>
    `  ${`${name} ${args}`.padEnd(width)}  ${help}`;
  return [
    "dnd: a masterless replicated key-value store",
    "",
    "Usage: dnd [command] [options]    no command means start",
    "",
    ...commands.map(line),
    "",
    "dnd <command> --help lists the options of a command.",
    "",
  ].join("\n");
}
