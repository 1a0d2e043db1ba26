import { clientRows, commandRows } from "./cli_client_options.ts";
import type { CliProcess } from "./cli_io.ts";
import { nodeOptionRows } from "./cli_option_rows.ts";
import type { CommandShape, Typed } from "./cli_parse.ts";

/** Runs a command. @returns its exit code */
export type CommandRun = (typed: Typed, host: CliProcess) => Promise<number>;

/** A command: how it is typed, and what runs it (loaded when it is needed). */
export interface CliCommand extends CommandShape {
  readonly load: () => Promise<CommandRun>;
}

/** Every command. */
export const commands: readonly CliCommand[] = [
  {
    name: "start",
    args: "",
    help: "start a node",
    rows: nodeOptionRows,
    verbosity: true,
    load: async () => (await import("./cli_start.ts")).startCommand,
  },
  {
    name: "join",
    args: "<peer...>",
    help: "start a node that joins others, host:port each",
    rows: nodeOptionRows,
    verbosity: true,
    load: async () => (await import("./cli_start.ts")).startCommand,
  },
  {
    name: "get",
    args: "<key>",
    help: "write a value to standard output",
    rows: clientRows,
    load: async () => (await import("./cli_values.ts")).getCommand,
  },
  {
    name: "put",
    args: "<key> [value]",
    help: "store a value; - or none reads standard input",
    rows: [...clientRows, commandRows.type, commandRows.file, commandRows.ttl, commandRows.w],
    load: async () => (await import("./cli_values.ts")).putCommand,
  },
  {
    name: "del",
    args: "<key>",
    help: "delete a key, or with --prefix all that start so",
    rows: [...clientRows, commandRows.prefix, commandRows.w],
    load: async () => (await import("./cli_values.ts")).deleteCommand,
  },
  {
    name: "ls",
    args: "[prefix]",
    help: "list keys",
    rows: [...clientRows, commandRows.values],
    load: async () => (await import("./cli_values.ts")).listCommand,
  },
  {
    name: "watch",
    args: "[prefix]",
    help: "follow changes",
    rows: [...clientRows, commandRows.values, commandRows.after],
    load: async () => (await import("./cli_values.ts")).watchCommand,
  },
  {
    name: "members",
    args: "",
    help: "the members that a node knows",
    rows: clientRows,
    load: async () => (await import("./cli_cluster.ts")).membersCommand,
  },
  {
    name: "status",
    args: "",
    help: "a node and whether it is ready",
    rows: [...clientRows, commandRows.ready],
    load: async () => (await import("./cli_cluster.ts")).statusCommand,
  },
  {
    name: "explain",
    args: "<key>",
    help: "who holds which version of a key, and why the winner won",
    rows: clientRows,
    load: async () => (await import("./cli_cluster.ts")).explainCommand,
  },
  {
    name: "leave",
    args: "",
    help: "let a node leave the cluster for good",
    rows: clientRows,
    load: async () => (await import("./cli_cluster.ts")).leaveCommand,
  },
  {
    name: "forget",
    args: "<id>",
    help: "forget a dead member",
    rows: clientRows,
    load: async () => (await import("./cli_cluster.ts")).forgetCommand,
  },
  {
    name: "export",
    args: "[file]",
    help: "write all entries to a file or standard output, a line each",
    rows: clientRows,
    load: async () => (await import("./cli_transfer.ts")).exportCommand,
  },
  {
    name: "import",
    args: "[file]",
    help: "store the lines of an export",
    rows: [...clientRows, commandRows.keep],
    load: async () => (await import("./cli_transfer.ts")).importCommand,
  },
  {
    name: "backup",
    args: "<folder>",
    help: "make a consistent copy in a folder of the node's machine",
    rows: clientRows,
    load: async () => (await import("./cli_transfer.ts")).backupCommand,
  },
  {
    name: "keygen",
    args: "",
    help: "write a new key for --key-file",
    rows: [],
    load: async () => (await import("./cli_keygen.ts")).keygenCommand,
  },
  {
    name: "doctor",
    args: "<peer>",
    help: "find out why a node, host:port, cannot be reached",
    rows: clientRows,
    load: async () => (await import("./cli_doctor.ts")).doctorCommand,
  },
];
