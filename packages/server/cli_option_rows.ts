import { z } from "zod";
import { parseDuration } from "./duration.ts";

/** One option of the command line: its flags, its environment variable, how its text is read. */
export interface OptionRow {
  /** Its name in the parsed settings. */
  readonly key: string;
  /** As commander wants it: `-p, --port <port>`. */
  readonly flags: string;
  /** Its environment variable. */
  readonly env?: string;
  /** For `--help`. */
  readonly help: string;
  /** `value`: one text; `list`: may be given several times, and is a comma list in the environment. */
  readonly kind: "value" | "switch" | "list";
  /** Reads the text, or one element of a list. */
  readonly schema: z.ZodType<unknown, string>;
}

const encoder = new TextEncoder();

/** A whole number in decimal digits. `z.coerce` would take "" as 0. */
function integer(least: number, most: number, what: string): z.ZodType<number, string> {
  return z.string().transform((text, context) => {
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    context.addIssue({ code: "custom", message: `write ${what} from ${least} to ${most}` });
    return z.NEVER;
  });
}

const port = integer(0, 65_535, "a port");

const text = z.string().min(1, "it is empty");

/** An address to bind; IPv6 may stand in brackets, as it does before a port. */
const address = text.transform((value) => /^\[(.*:.*)\]$/.exec(value)?.[1] ?? value);

function label(what: string): z.ZodType<string, string> {
  return z.string().refine((value) => value !== "" && encoder.encode(value).length <= 64, {
    message: `write ${what} of 1 to 64 bytes`,
  });
}

function duration(what: string): z.ZodType<number, string> {
  return z.string().transform((value, context) => {
    const durationMs = parseDuration(value);
    if (durationMs !== undefined) return durationMs;
    context.addIssue({ code: "custom", message: `write ${what}` });
    return z.NEVER;
  });
}

function oneOf<const T extends string>(...words: readonly T[]): z.ZodType<T, string> {
  return z.string().transform((value, context) => {
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    context.addIssue({ code: "custom", message: `write one of: ${words.join(" ")}` });
    return z.NEVER;
  });
}

/** Reads a switch in the environment: `1 true on` and `0 false off`, nothing else. */
export const switchSchema: z.ZodType<boolean, string> = z.string().transform((value, context) => {
  if (["1", "true", "on"].includes(value)) return true;
  if (["0", "false", "off"].includes(value)) return false;
  context.addIssue({ code: "custom", message: "write 1, true or on, or 0, false or off" });
  return z.NEVER;
});

/** The levels of the log. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;

const absent = z.string();

/** The options of `start` and `join`, in the order of the manual. */
export const nodeOptionRows = [
  {
    key: "port",
    flags: "-p, --port <port>",
    env: "DND_PORT",
    help: "gossip: UDP, and the peer stream on the same TCP port (default: 5000)",
    kind: "value",
    schema: port,
  },
  {
    key: "serverPort",
    flags: "--server-port <port>",
    env: "DND_SERVER_PORT",
    help: "HTTP API (default: 6000)",
    kind: "value",
    schema: port,
  },
  {
    key: "webPort",
    flags: "--web-port <port>",
    env: "DND_WEB_PORT",
    help: "the same for browsers and fetch, which refuse port 6000; or off (default: server port + 80)",
    kind: "value",
    schema: z.union([z.literal("off"), port], { error: "write a port from 0 to 65535, or off" }),
  },
  {
    key: "address",
    flags: "-a, --address <address>",
    env: "DND_ADDRESS",
    help: "address to bind (default: 127.0.0.1)",
    kind: "value",
    schema: address,
  },
  {
    key: "serverAddress",
    flags: "--server-address <address>",
    env: "DND_SERVER_ADDRESS",
    help: "address to bind HTTP (default: the same)",
    kind: "value",
    schema: address,
  },
  {
    key: "advertise",
    flags: "--advertise <host[:port]>",
    env: "DND_ADVERTISE",
    help: "address told to others (default: the bound address)",
    kind: "value",
    schema: text,
  },
  {
    key: "dataDir",
    flags: "--data-dir <folder>",
    env: "DND_DATA_DIR",
    help: "where entries, id and known members are kept (default: .dnd/<port>)",
    kind: "value",
    schema: text,
  },
  {
    key: "memory",
    flags: "--memory",
    env: "DND_MEMORY",
    help: "keep nothing on disk",
    kind: "switch",
    schema: absent,
  },
  {
    key: "durability",
    flags: "--durability <when>",
    env: "DND_DURABILITY",
    help: "sync: answer after fsync; async: before (default: sync)",
    kind: "value",
    schema: oneOf("sync", "async"),
  },
  {
    key: "cluster",
    flags: "--cluster <name>",
    env: "DND_CLUSTER",
    help: "cluster name; other names are other worlds (default: dnd)",
    kind: "value",
    schema: label("a name"),
  },
  {
    key: "name",
    flags: "--name <label>",
    env: "DND_NAME",
    help: "a label for people (default: host name and port)",
    kind: "value",
    schema: label("a label"),
  },
  {
    key: "keyFile",
    flags: "--key-file <file>",
    env: "DND_KEY_FILE",
    help: "gossip keyring: one base64 32-byte key a line, the first one seals",
    kind: "value",
    schema: text,
  },
  {
    key: "sealing",
    flags: "--sealing <mode>",
    env: "DND_SEALING",
    help: "required, or permissive: also accept unsealed packets (default: required)",
    kind: "value",
    schema: oneOf("required", "permissive"),
  },
  {
    key: "tokenFile",
    flags: "--token-file <file>",
    env: "DND_TOKEN_FILE",
    help: "lines `role token`; roles: read, write, admin",
    kind: "value",
    schema: text,
  },
  {
    key: "tlsCert",
    flags: "--tls-cert <file>",
    env: "DND_TLS_CERT",
    help: "HTTPS: certificate chain (PEM)",
    kind: "value",
    schema: text,
  },
  {
    key: "tlsKey",
    flags: "--tls-key <file>",
    env: "DND_TLS_KEY",
    help: "HTTPS: private key (PEM)",
    kind: "value",
    schema: text,
  },
  {
    key: "tlsCa",
    flags: "--tls-ca <file>",
    env: "DND_TLS_CA",
    help: "HTTPS: every route but health wants a client certificate of this CA",
    kind: "value",
    schema: text,
  },
  {
    key: "allowHost",
    flags: "--allow-host <name>",
    env: "DND_ALLOW_HOST",
    help: "a further name in Host on a loopback bind; may be repeated",
    kind: "list",
    schema: z
      .string()
      .regex(/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)$/, "write a host name like db.example.org"),
  },
  {
    key: "allowOrigin",
    flags: "--allow-origin <origin>",
    env: "DND_ALLOW_ORIGIN",
    help: "an origin whose web pages may use the API; may be repeated",
    kind: "list",
    schema: z
      .string()
      .regex(/^https?:\/\/[^/?#\s]+$/, "write an origin like https://example.org, without a path"),
  },
  {
    key: "insecure",
    flags: "--insecure",
    env: "DND_INSECURE",
    help: "allow a non-loopback address without keys, and HTTP on one without tokens",
    kind: "switch",
    schema: absent,
  },
  {
    key: "profile",
    flags: "--profile <preset>",
    env: "DND_PROFILE",
    help: "timing preset: local, lan, wan (default: lan)",
    kind: "value",
    schema: oneOf("local", "lan", "wan"),
  },
  {
    key: "maxValueBytes",
    flags: "--max-value-bytes <bytes>",
    env: "DND_MAX_VALUE_BYTES",
    help: "larger values get 413; at most 16777216 (default: 1048576)",
    kind: "value",
    schema: integer(1, 16_777_216, "a number of bytes"),
  },
  {
    key: "maxDriftMs",
    flags: "--max-drift <duration>",
    env: "DND_MAX_DRIFT",
    help: "clock difference that is still accepted (default: 500ms)",
    kind: "value",
    schema: duration("a duration like 500ms"),
  },
  {
    key: "maxDatagramBytes",
    flags: "--max-datagram <bytes>",
    env: "DND_MAX_DATAGRAM",
    help: "UDP payload bytes (default: 1352; wan: 1200)",
    kind: "value",
    schema: integer(512, 65_507, "a number of bytes"),
  },
  {
    key: "forgetAfterMs",
    flags: "--forget-after <duration>",
    env: "DND_FORGET_AFTER",
    help: "when a dead member is forgotten by itself, or off (default: off)",
    kind: "value",
    schema: z.union([z.literal("off"), duration("a duration")], {
      error: "write a duration like 24h, or off",
    }),
  },
  {
    key: "logLevel",
    flags: "--log-level <level>",
    env: "DND_LOG_LEVEL",
    help: "trace debug info warn error silent (default: info)",
    kind: "value",
    schema: oneOf(...logLevels),
  },
  {
    key: "accessLog",
    flags: "--access-log",
    env: "DND_ACCESS_LOG",
    help: "log a line for each request",
    kind: "switch",
    schema: absent,
  },
] as const satisfies readonly OptionRow[];

type NodeOptionRow = (typeof nodeOptionRows)[number];
type SettingOf<R extends OptionRow> = R["kind"] extends "switch"
  ? boolean
  : R["kind"] extends "list"
    ? readonly z.output<R["schema"]>[]
    : z.output<R["schema"]>;

/** What was set, by option or environment; what is absent has its default. */
export type NodeSettings = {
  readonly [R in NodeOptionRow as R["key"]]?: SettingOf<R>;
};

/** The environment variable of the seeds; `start` with it is a join. */
export const seedsVariable = "DND_SEEDS";
