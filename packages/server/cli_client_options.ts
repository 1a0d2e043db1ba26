import { z } from "zod";
import type { OptionRow } from "./cli_option_rows.ts";
import { parseDuration } from "./duration.ts";

const durationSchema = z.string().transform((text, context) => {
  const durationMs = parseDuration(text, { bare: "s" });
  if (durationMs !== undefined) return durationMs;
  context.addIssue({ code: "custom", message: "write a duration like 90, 15m or 2h" });
  return z.NEVER;
});

/** Options of every client command. */
export const clientRows = [
  {
    key: "url",
    flags: "--url <url>",
    env: "DND_URL",
    help: "the node's HTTP address (default: http://127.0.0.1:6080)",
    kind: "value",
    schema: z
      .string()
      .regex(/^https?:\/\/[^/?#\s]+\/?$/, "write an address like http://127.0.0.1:6080"),
  },
  {
    key: "token",
    flags: "--token <token>",
    env: "DND_TOKEN",
    help: "bearer token",
    kind: "value",
    schema: z.string().min(1),
  },
  {
    key: "tlsCert",
    flags: "--tls-cert <file>",
    env: "DND_TLS_CERT",
    help: "HTTPS: certificate chain to show to the node (PEM)",
    kind: "value",
    schema: z.string().min(1),
  },
  {
    key: "tlsKey",
    flags: "--tls-key <file>",
    env: "DND_TLS_KEY",
    help: "HTTPS: its private key (PEM)",
    kind: "value",
    schema: z.string().min(1),
  },
  {
    key: "tlsCa",
    flags: "--tls-ca <file>",
    env: "DND_TLS_CA",
    help: "HTTPS: authority that the node's certificate must be of (PEM)",
    kind: "value",
    schema: z.string().min(1),
  },
  {
    key: "timeoutMs",
    flags: "--timeout <duration>",
    help: "longest wait for an answer (default: 10s)",
    kind: "value",
    schema: durationSchema,
  },
  {
    key: "json",
    flags: "--json",
    help: "output for programs",
    kind: "switch",
    schema: z.string(),
  },
] as const satisfies readonly OptionRow[];

/** Options of single client commands. */
export const commandRows = {
  type: {
    key: "type",
    flags: "--type <media type>",
    help: "store the value with this type",
    kind: "value",
    schema: z.string().min(1),
  },
  file: {
    key: "file",
    flags: "--file <file>",
    help: "read the value from a file",
    kind: "value",
    schema: z.string().min(1),
  },
  ttl: {
    key: "ttlMs",
    flags: "--ttl <duration>",
    help: "time to live: seconds, or a number with s, m, h or d",
    kind: "value",
    schema: durationSchema,
  },
  w: {
    key: "w",
    flags: "--w <members>",
    help: "members that must hold the write: a number, one, quorum, all",
    kind: "value",
    schema: z.string().transform((text, context) => {
      if (text === "one" || text === "quorum" || text === "all") return text;
      if (/^[1-9][0-9]{0,5}$/.test(text)) return Number(text);
      context.addIssue({ code: "custom", message: "write a number, one, quorum or all" });
      return z.NEVER;
    }),
  },
  prefix: {
    key: "prefix",
    flags: "--prefix",
    help: "delete all keys that start so",
    kind: "switch",
    schema: z.string(),
  },
  values: {
    key: "values",
    flags: "--values",
    help: "with their values",
    kind: "switch",
    schema: z.string(),
  },
  after: {
    key: "after",
    flags: "--after <id>",
    help: "continue behind this change",
    kind: "value",
    schema: z.string().min(1),
  },
  ready: {
    key: "ready",
    flags: "--ready",
    help: "exit code 0 if the node is ready, 1 if not",
    kind: "switch",
    schema: z.string(),
  },
  keep: {
    key: "keepVersions",
    flags: "--keep-versions",
    help: "merge with the old versions (role admin)",
    kind: "switch",
    schema: z.string(),
  },
} as const satisfies Readonly<Record<string, OptionRow>>;

/** All of them, for finding the command among options. */
export const clientOptionRows: readonly OptionRow[] = [
  ...clientRows,
  ...Object.values(commandRows),
];
