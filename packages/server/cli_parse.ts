import { Command, CommanderError, Option } from "commander";
import {
  nodeOptionRows,
  switchSchema,
  type NodeSettings,
  type OptionRow,
} from "./cli_option_rows.ts";
import { UsageError } from "./cli_usage_error.ts";
import { nearestWord } from "./nearest_word.ts";

/** The variables of the process, or of a test. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The long flag of an option, for messages. */
function longFlag(row: OptionRow): string {
  return /--[a-z-]+/.exec(row.flags)?.[0] ?? row.flags;
}

function readOne(row: OptionRow, text: string, where: string): unknown {
  const result = row.schema.safeParse(text);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new UsageError(
    `Cannot use ${where} ${JSON.stringify(text)}: ${issue?.message ?? "it is not valid"}`,
  );
}

function readVariable(row: OptionRow, variable: string, text: string): unknown {
  const where = `the environment variable ${variable}`;
  if (text === "") {
    throw new UsageError(`Cannot use ${where}: it is empty; unset it, or give it a value`);
  }
  if (row.kind === "list") {
    return text.split(",").map((part) => readOne(row, part.trim(), where));
  }
  if (row.kind === "switch") return readOne({ ...row, schema: switchSchema }, text, where);
  return readOne(row, text, where);
}

/**
 * Reads options and environment: what was typed beats what is set, and nothing is taken for something
 * else (an empty text is no number, `false` is no true).
 *
 * @param rows the options that the command takes
 * @param typed what commander found, by key: text, true, or a list of texts
 * @param environment the environment variables
 * @throws {UsageError} for a value that cannot be read
 */
export function resolveSettings(
  rows: readonly OptionRow[],
  typed: Readonly<Record<string, unknown>>,
  environment: Environment,
): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const row of rows) {
    const given = typed[row.key];
    const flag = longFlag(row);
    if (row.kind === "switch" && given === true) settings[row.key] = true;
    else if (Array.isArray(given)) {
      settings[row.key] = given.flatMap((item) =>
        String(item)
          .split(",")
          .map((part) => readOne(row, part.trim(), flag)),
      );
    } else if (typeof given === "string") settings[row.key] = readOne(row, given, flag);
    else if (row.env !== undefined) {
      const text = environment[row.env];
      if (text !== undefined) settings[row.key] = readVariable(row, row.env, text);
    }
  }
  return settings;
}

/** What a command's parser is made of. */
export interface CommandShape {
  /** The command's name. */
  readonly name: string;
  /** Its arguments, as commander wants them: `<host:port...>`. */
  readonly args: string;
  /** One line for people. */
  readonly help: string;
  /** Its options. */
  readonly rows: readonly OptionRow[];
  /** Whether `-v -vv -q` are taken. */
  readonly verbosity?: boolean;
}

/** What was typed, before it is read. */
export interface Typed {
  /** The arguments. */
  readonly args: readonly string[];
  /** The options by key. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Set when `--help` was asked for: its text. */
  readonly help?: string;
}

/**
 * Splits the arguments of one command with commander. Nothing is printed and the process goes on.
 *
 * @param shape the command
 * @param words what was typed, without the command's name
 * @throws {UsageError} for an unknown option, a missing value, too few or too many arguments
 */
export function parseCommand(shape: CommandShape, words: readonly string[]): Typed {
  const command = new Command(`dnd ${shape.name}`)
    .description(shape.help)
    .usage(`${shape.args}${shape.args === "" ? "" : " "}[options]`);
  let help = "";
  command.configureOutput({
    writeOut: (text) => (help += text),
    writeErr: () => undefined,
  });
  command.exitOverride().allowExcessArguments(false).helpOption("-h, --help", "this text");
  for (const argument of shape.args.split(" ").filter((part) => part !== "")) {
    command.argument(argument);
  }
  for (const row of shape.rows) {
    const option = new Option(
      row.flags,
      row.env === undefined ? row.help : `${row.help} [${row.env}]`,
    );
    if (row.kind === "list") {
      option.argParser((value: string, before: readonly string[] | undefined) => [
        ...(before ?? []),
        value,
      ]);
    }
    option.attributeName = () => row.key;
    command.addOption(option);
  }
  let level: string | undefined;
  if (shape.verbosity === true) {
    // The last one given wins; a second -v in a row is -vv.
    command
      .option("-v, --verbose", "log more: -v debug, -vv trace")
      .option("-q, --quiet", "log errors only");
    command.on("option:verbose", () => (level = level === "debug" ? "trace" : "debug"));
    command.on("option:quiet", () => (level = "error"));
    command.on("option:log-level", (value: string) => (level = value));
  }
  try {
    command.parse([...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed" || error.code === "commander.help") {
      return { args: [], options: {}, help };
    }
    throw new UsageError(oneLine(error.message, shape));
  }
  const options: Record<string, unknown> = command.opts();
  if (level !== undefined) options["logLevel"] = level;
  return { args: command.args, options };
}

function oneLine(message: string, shape: CommandShape): string {
  const text = message
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ")
    .trim();
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}; see dnd ${shape.name} --help`;
}

/** Which command was typed, and everything else. */
export interface SplitCommand {
  readonly name: string | undefined;
  readonly rest: readonly string[];
}

/**
 * Finds the command among options that may stand before it.
 *
 * @param words what was typed
 * @param rows every option of every command, to know which ones take the next word
 */
export function splitCommand(words: readonly string[], rows: readonly OptionRow[]): SplitCommand {
  const takesValue = new Set<string>();
  const known = new Set(["--verbose", "--quiet", "--help", "--version"]);
  for (const row of rows) {
    for (const flag of row.flags.split(/[ ,]+/)) {
      if (!flag.startsWith("-")) continue;
      known.add(flag);
      if (row.kind !== "switch") takesValue.add(flag);
    }
  }
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] ?? "";
    if (word === "--") break;
    if (!word.startsWith("-") || word === "-") {
      return { name: word, rest: [...words.slice(0, i), ...words.slice(i + 1)] };
    }
    if (takesValue.has(word)) i += 1;
    // A typo: what follows may be its value, and is not taken for a command.
    else if (word.startsWith("--") && !known.has(word.replace(/=.*$/s, ""))) break;
  }
  return { name: undefined, rest: words };
}

/** The error for a command that does not exist, with the nearest one that does. */
export function unknownCommand(name: string, names: readonly string[]): UsageError {
  const near = nearestWord(name, names);
  return new UsageError(
    `Unknown command ${JSON.stringify(name)}; ${
      near === undefined ? "see dnd --help" : `did you mean ${JSON.stringify(near)}?`
    }`,
  );
}

/** Reads the options of `start` and `join`. */
export function resolveNodeSettings(
  typed: Readonly<Record<string, unknown>>,
  environment: Environment,
): NodeSettings {
  return resolveSettings(nodeOptionRows, typed, environment);
}
