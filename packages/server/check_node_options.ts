import { createSecureContext } from "node:tls";
import { authorityFault } from "./authority_fault.ts";
import { nearestWord } from "./nearest_word.ts";
import { Tokens } from "./token_file.ts";

/** Checks the type of a value. @returns what it must be, if it is something else */
export type NodeOptionCheck = (value: unknown) => string | undefined;
type Check = NodeOptionCheck;
type Checks = Readonly<Record<string, Check>>;

/** Checked, with its range, where the defaults are filled in. */
const later: Check = (value) =>
  value === null ? "left out or undefined for its default" : undefined;
const string: Check = (value) => (typeof value === "string" ? undefined : "a string");
const wellFormed: Check = (value) =>
  string(value) ??
  (/\p{Surrogate}/u.test(value as string) ? "a string without lone surrogates" : undefined);
const text: Check = (value) =>
  typeof value === "string" && value !== "" ? undefined : "a string that is not empty";
const flag: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");
const texts: Check = (value) =>
  Array.isArray(value) && value.every((item) => text(item) === undefined)
    ? undefined
    : "an array of strings";

function oneOf(...words: readonly string[]): Check {
  return (value) => (words.some((word) => word === value) ? undefined : words.join(" or "));
}

function whole(least: number, most: number): Check {
  return (value) =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most
      ? undefined
      : `a whole number from ${least} to ${most}`;
}

const keys: Check = (value) =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((key) => key instanceof Uint8Array && key.length === 32)
    ? undefined
    : "an array of one or more keys of 32 bytes each";

const authority: Check = (value) => {
  const fault = typeof value === "string" ? authorityFault(value) : "";
  return fault === undefined ? undefined : "one certificate or more, as PEM text";
};

const tls = { cert: text, key: text, ca: authority };

/** Certificate and key have to fit: OpenSSL alone says what they lack, and only when a port is open. */
function tlsCheck(action: string, path: string): Check {
  return (value) => {
    checkAll(action, path, value, tls);
    const { cert, key } = value as Readonly<Record<string, unknown>>;
    if (typeof cert !== "string" || typeof key !== "string") return "a cert and a key, as PEM text";
    try {
      createSecureContext({ cert, key });
      return undefined;
    } catch (error) {
      // The end of OpenSSL's "error:05800074:x509 certificate routines::key values mismatch".
      const why = (error as Error).message.split(":").at(-1)?.trim();
      return `a certificate and its key, as PEM text (OpenSSL says: ${why})`;
    }
  };
}

/** Of `http`. */
export const nodeHttpChecks = {
  ...{ port: later, webPort: later, address: string, accessLog: flag },
  allowHosts: (value: unknown) =>
    Array.isArray(value) &&
    value.every((item) => typeof item === "string" && /^(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)$/.test(item))
      ? undefined
      : "an array of host names like db.example.org",
  tls: tlsCheck("make a node", "http.tls"),
  tokens: (value: unknown) =>
    value instanceof Tokens ? undefined : "a Tokens, made by new Tokens() or parseTokenFile()",
  allowOrigins: (value: unknown) =>
    Array.isArray(value) &&
    value.every((item) => typeof item === "string" && /^https?:\/\/[^/?#\s]+$/.test(item))
      ? undefined
      : "an array of origins like https://example.org, without a path",
  maxWatchBytes: whole(1, Number.MAX_SAFE_INTEGER),
  maxConnections: whole(1, Number.MAX_SAFE_INTEGER),
};

/** Of the node. */
export const nodeChecks = {
  ...{ port: later, address: string, advertise: text, seeds: texts, dataDir: later },
  ...{
    durability: later,
    cluster: wellFormed,
    name: wellFormed,
    keys,
    insecure: flag,
    logger: later,
  },
  sealing: oneOf("required", "permissive"),
  profile: oneOf("local", "lan", "wan"),
  thread: oneOf("worker", "main"),
  ...{ maxValueBytes: later, maxDriftMs: later, maxDatagramBytes: whole(512, 65_507) },
  forgetAfterMs: whole(1, Number.MAX_SAFE_INTEGER),
  http: (value: unknown) => {
    checkAll("make a node", "http", value, nodeHttpChecks);
    return undefined;
  },
};

/**
 * Checks that all options exist and have the right types: one that is mistyped would not be heard of, and
 * tokens that are none would let everybody in.
 *
 * @throws {TypeError} naming the option, its value, and what it must be
 */
export function checkNodeOptions(options: object): void {
  checkAll("make a node", "", options, nodeChecks);
}

/** Of `reload()`: as when the node is made. */
const secretChecks = {
  keys,
  tokens: nodeHttpChecks.tokens,
  tls: tlsCheck("take new secrets", "tls"),
};

/**
 * Checks what `reload()` was given, all of it before any is taken.
 *
 * @throws {TypeError} naming the secret (never its value), and what it must be
 */
export function checkSecrets(secrets: object): void {
  checkAll("take new secrets", "", secrets, secretChecks);
}

function checkAll(action: string, what: string, options: unknown, known: Checks): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const where = what === "" ? "the options are" : `${what} is`;
    throw new TypeError(`Cannot ${action}: ${where} ${show(options)}, give an object`);
  }
  for (const [name, value] of Object.entries(options)) {
    const path = what === "" ? name : `${what}.${name}`;
    if (!Object.hasOwn(known, name)) {
      const near = nearestWord(name, Object.keys(known));
      const hint = near === undefined ? "" : `; did you mean ${near}?`;
      throw new TypeError(`Cannot ${action}: there is no option ${path}${hint}`);
    }
    const must = value === undefined ? undefined : known[name]?.(value);
    if (must !== undefined) {
      // A number is out of its range, anything else is of a wrong type.
      const Fault =
        typeof value === "number" && must.startsWith("a whole") ? RangeError : TypeError;
      throw new Fault(`Cannot ${action}: ${path} is ${show(value)}, it must be ${must}`);
    }
  }
}

/** A value for a message; of objects and lists only what they are: they may hold secrets. */
function show(value: unknown): string {
  if (typeof value === "object" && value !== null) {
    return Array.isArray(value) ? `an array of ${value.length}` : "an object";
  }
  return typeof value === "function" ? "a function" : String(value);
}
