import { invalidArgument } from "./_checks.ts";
import type { ClientOptions } from "./client_options.ts";
import type {
  BatchOperation,
  CallOptions,
  DeleteOptions,
  ListOptions,
  PutOptions,
  TouchOptions,
} from "./key_value_types.ts";
import type { ExportOptions, ImportOptions } from "./operations.ts";
import type { WatchOptions } from "./watch.ts";

/** Checks the value of one option. @returns what it must be, if it is something else */
export type OptionCheck = (value: unknown) => string | undefined;

/** The options that there are, each with its check. */
export type OptionChecks<T> = Readonly<Record<keyof T, OptionCheck>>;

/** Longest time to live: 100 years in milliseconds. */
const MAX_TTL_MS = 100 * 365 * 86_400_000;

function typed(type: "string" | "boolean" | "function"): OptionCheck {
  const must = `a ${type}`;
  return (value) => (typeof value === type ? undefined : must);
}

/** For an option that must be a string. */
export const stringCheck: OptionCheck = typed("string");
/** For a part of a key: UTF-8 would make U+FFFD of a lone surrogate, which is another key. */
export const prefixCheck: OptionCheck = (value) =>
  stringCheck(value) ??
  (/\p{Surrogate}/u.test(value as string) ? "a string without lone surrogates" : undefined);
/** For an option that must be a boolean. */
export const booleanCheck: OptionCheck = typed("boolean");

/** For an argument that must be an array. */
export const arrayCheck: OptionCheck = (value) => (Array.isArray(value) ? undefined : "an array");
/** For an argument that must be a string and not empty. */
export const textCheck: OptionCheck = (value) =>
  typeof value === "string" && value !== "" ? prefixCheck(value) : "a string that is not empty";

/** For a condition (RFC 9110, 13.1): what a header can carry. */
export const etagsCheck: OptionCheck = (value) =>
  typeof value === "string" &&
  /^[ \t]*(?:\*|(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"(?:[ \t]*,[ \t]*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")*)[ \t]*$/.test(
    value,
  )
    ? undefined
    : "* or entity tags in double quotes";

/** For a time in milliseconds. */
export const timeoutCheck: OptionCheck = (value) =>
  typeof value === "number" && value > 0 && value < Infinity
    ? undefined
    : "a number of milliseconds above 0";

const signalCheck: OptionCheck = (value) => {
  const signal = value as Partial<AbortSignal> | null;
  const fits =
    typeof signal === "object" &&
    typeof signal?.aborted === "boolean" &&
    typeof signal.addEventListener === "function";
  return fits ? undefined : "an AbortSignal";
};

const ttlCheck: OptionCheck = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MAX_TTL_MS
    ? undefined
    : "a whole number of milliseconds from 1 to 100 years";

/** For a write concern. */
export const writeConcernCheck: OptionCheck = (value) =>
  value === "one" ||
  value === "quorum" ||
  value === "all" ||
  (Number.isSafeInteger(value) && (value as number) >= 1)
    ? undefined
    : "a whole number from 1, one, quorum or all";

const limitCheck: OptionCheck = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= 1000
    ? undefined
    : "a whole number from 1 to 1,000";

/** A table without the names that every object has. */
function table<T>(checks: OptionChecks<T>): OptionChecks<T> {
  return Object.assign(Object.create(null), checks) as OptionChecks<T>;
}

/** Of every call that waits for an answer. */
export const callChecks: OptionChecks<CallOptions> = table<CallOptions>({
  signal: signalCheck,
  timeoutMs: timeoutCheck,
});

/** Of a delete. */
export const deleteChecks: OptionChecks<DeleteOptions> = table<DeleteOptions>({
  ...callChecks,
  w: writeConcernCheck,
  ifMatch: etagsCheck,
  ifNoneMatch: etagsCheck,
});

/** Of a put. */
export const putChecks: OptionChecks<PutOptions> = table<PutOptions>({
  ...deleteChecks,
  ttlMs: ttlCheck,
  contentType: stringCheck,
});

/** Of a touch. */
export const touchChecks: OptionChecks<TouchOptions> = table<TouchOptions>({
  ...callChecks,
  ttlMs: ttlCheck,
});

/** Of `entries()`. */
export const entriesChecks: OptionChecks<Omit<ListOptions, "delimiter">> = table<
  Omit<ListOptions, "delimiter">
>({
  ...callChecks,
  prefix: prefixCheck,
  limit: limitCheck,
  cursor: prefixCheck,
  values: booleanCheck,
});

/** Of `list()`. */
export const listChecks: OptionChecks<ListOptions> = table<ListOptions>({
  ...entriesChecks,
  delimiter: prefixCheck,
});

/** Of a watch. */
export const watchChecks: OptionChecks<WatchOptions> = table<WatchOptions>({
  prefix: prefixCheck,
  key: stringCheck,
  values: booleanCheck,
  after: textCheck,
  signal: signalCheck,
});

/** Of an export. */
export const exportChecks: OptionChecks<ExportOptions> = table<ExportOptions>({
  ...callChecks,
  prefix: prefixCheck,
});

/** Of an import. */
export const importChecks: OptionChecks<ImportOptions> = table<ImportOptions>({
  ...callChecks,
  keep: (value) => (value === "versions" ? undefined : '"versions"'),
});

/** For the one option of a client that must be there. */
export const urlsCheck: OptionCheck = (value) =>
  Array.isArray(value) ? undefined : "an array of URLs";

/** Of a client. */
export const clientChecks: OptionChecks<ClientOptions> = table<ClientOptions>({
  urls: urlsCheck,
  token: stringCheck,
  timeoutMs: timeoutCheck,
  rounds: () => undefined, // a RangeError of its own
  fetch: typed("function"),
});

const anything: OptionCheck = () => undefined;
// The key has codes of its own and is checked with them.
const keyed = { op: anything, key: anything };
const operationChecks: Readonly<Record<string, Readonly<Record<string, OptionCheck>>>> = {
  put: table({ ...keyed, value: anything, contentType: stringCheck, ttlMs: ttlCheck }),
  get: table(keyed),
  delete: table(keyed),
  touch: table({ ...keyed, ttlMs: ttlCheck }),
};

/**
 * Checks the options of a call: no unknown names (a `ttl` for `ttlMs` must not store for ever), and
 * values of the right type. An option that is `undefined` counts as absent.
 *
 * @param what the call, for the message: `put`
 * @param options what the caller gave
 * @param checks the options that there are
 * @throws {DndError} `invalid-argument` that names the option and its value
 */
export function checkOptions<T extends object>(
  what: string,
  options: T,
  checks: OptionChecks<T>,
): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw invalidArgument(`Cannot ${what}: the options are ${show(options)}, give an object`);
  }
  for (const name in options) {
    const check = checks[name] as OptionCheck | undefined;
    const value = options[name];
    if (check === undefined) {
      if (name in Object.prototype) continue;
      const known = Object.keys(checks).join(", ");
      throw invalidArgument(
        `Cannot ${what}: there is no option ${name} (given: ${show(value)}); there are ${known}`,
      );
    }
    if (value !== undefined) checkArgument(what, name, value, check);
  }
}

/**
 * Checks one argument.
 *
 * @throws {DndError} `invalid-argument`
 */
export function checkArgument(
  what: string,
  name: string,
  value: unknown,
  check: OptionCheck,
): void {
  const must = check(value);
  if (must === undefined) return;
  throw invalidArgument(`Cannot ${what}: ${name} is ${show(value)}, it must be ${must}`);
}

/**
 * Checks one operation of a batch, but not its key and value.
 *
 * @throws {DndError} `invalid-argument`
 */
export function checkOperation(operation: BatchOperation): void {
  const op = (operation as Partial<BatchOperation> | null | undefined)?.op;
  const checks = Object.hasOwn(operationChecks, String(op))
    ? operationChecks[String(op)]
    : undefined;
  if (checks === undefined) {
    throw invalidArgument(
      `Cannot do ${show(op)} in a batch: an operation is put, get, delete or touch`,
    );
  }
  checkOptions(`${String(op)} in a batch`, operation, checks as OptionChecks<BatchOperation>);
}

/** A value for a message: short, whatever it is. */
function show(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  }
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) {
    return Object.prototype.toString.call(value) === "[object Object]"
      ? "an object"
      : Object.prototype.toString.call(value).slice(8, -1);
  }
  return String(value);
}
