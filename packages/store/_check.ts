import { InputRangeError, InputTypeError } from "./errors.ts";
import { MAX_EXPIRES_AT_MS, MAX_EXTRA_BYTES, MAX_VALUE_BYTES, MAX_STAMP } from "./limits.ts";
import type { Entry } from "./entry.ts";
import { hashKey } from "./hash.ts";

const NODE_ID = /^[a-z0-9]{1,32}$/;

/** By what `hashKey` says, with the sign changed. */
const KEY_FAULTS = [
  "is empty",
  "has more than 1024 bytes of UTF-8",
  "has a lone surrogate",
  "is no string",
] as const;

const CONTENT_TYPE = /^[\x20-\x7e]{1,255}$/;

/**
 * Checks a key, and leaves its hash in `lastHash`.
 *
 * @returns its length in bytes of UTF-8
 * @throws {InputTypeError} `invalid-key` if it is no string, is empty, or holds a lone surrogate
 * @throws {InputRangeError} `key-too-large` if it is longer than 1,024 bytes
 */
export function checkKey(key: string): number {
  const length = typeof key === "string" ? hashKey(key) : -3;
  if (length > 0) return length;
  const message = `Invalid key ${describe(key)}: it ${KEY_FAULTS[-length]}`;
  if (length === -1) throw new InputRangeError("key-too-large", message);
  throw new InputTypeError("invalid-key", message);
}

/** The node id that was found good last: mostly it is the next one, too. */
let lastNode = "a";

/**
 * Checks a node id.
 *
 * @throws {InputTypeError} `invalid-argument` if it is not 1 to 32 characters of `[a-z0-9]`
 */
export function checkNode(node: string): void {
  if (node === lastNode) return;
  checkText("node", node, NODE_ID);
  lastNode = node;
}

/**
 * Checks a value.
 *
 * @throws {InputTypeError} `invalid-argument` if it is no `Uint8Array`
 * @throws {InputRangeError} `value-too-large` if it is longer than `max`
 */
export function checkValue(value: Uint8Array, max: number = MAX_VALUE_BYTES): void {
  checkBytes("value", value);
  if (value.length <= max) return;
  throw new InputRangeError(
    "value-too-large",
    `Value too large: ${describe(value)}, at most ${max}`,
  );
}

/** @throws {InputTypeError} `invalid-argument` if it is no `Uint8Array` from `min` to `max` bytes long */
export function checkBytes(
  name: string,
  bytes: Uint8Array,
  min: number = 0,
  max: number = Infinity,
): void {
  if (bytes instanceof Uint8Array && bytes.length >= min && bytes.length <= max) return;
  throw invalid(name, bytes, `a Uint8Array of ${min} to ${max} bytes`);
}

/** @throws {InputTypeError} `invalid-argument` if it is not 1 to 255 characters of printable ASCII */
export function checkContentType(type: string): void {
  checkText("contentType", type, CONTENT_TYPE);
}

/** @throws {InputTypeError} `invalid-argument` if it is no string, or not of that form */
export function checkText(name: string, text: unknown, form: RegExp): void {
  if (typeof text === "string" && form.test(text)) return;
  throw invalid(name, text, `a string like ${form.source}`);
}

/** Checks that values are texts, or of another type of JavaScript's, each under its name. */
export function checkTypes(
  values: Readonly<Record<string, unknown>>,
  type: string = "string",
): void {
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== type) throw invalid(name, value, `a ${type}`);
  }
}

/** Checks named values, as an engine stores them. */
export function checkMeta(
  meta: Iterable<readonly [name: string, bytes: Uint8Array | undefined]>,
): void {
  for (const [name, bytes] of meta) {
    checkTypes({ name });
    if (bytes !== undefined) checkBytes(`meta ${name}`, bytes);
  }
}

/** @throws {InputRangeError} `invalid-argument` if it is not from `min` to `max`: a time from 0 to the end of `Date` */
export function checkTime(
  name: string,
  ms: unknown,
  wanted: string = "ms since 1970",
  min: number = 0,
  max: number = MAX_EXPIRES_AT_MS,
): asserts ms is number {
  if (typeof ms === "number" && ms >= min && ms <= max) return;
  throw outOfRange(name, ms, wanted);
}

/** @throws {InputRangeError} `invalid-argument` if it is no integer from `min` to `max` */
export function checkCount(name: string, count: number, min: number, max: number = Infinity): void {
  if (count === max || (Number.isSafeInteger(count) && count >= min && count < max)) return;
  throw outOfRange(name, count, `an integer from ${min} to ${max}`);
}

/**
 * Checks an entry of somebody else, its key excepted: see {@linkcode checkKey}.
 *
 * @throws {InputTypeError | InputRangeError} that says which key, and why
 */
export function checkEntry(entry: Entry): void {
  checkObject("entry", entry);
  const { key, value, version, contentType, expiresAt, deleted, extra, hash } = entry;
  try {
    checkObject("version", version);
    checkCount("version.time", version.time, 0, MAX_STAMP - 1);
    checkNode(version.node);
    checkValue(value);
    if (contentType !== undefined) checkContentType(contentType);
    if (expiresAt !== undefined) checkCount("expiresAt", expiresAt, 1, MAX_EXPIRES_AT_MS);
    if (extra !== undefined) checkBytes("extra", extra, 0, MAX_EXTRA_BYTES);
    if (hash !== undefined) checkBytes("hash", hash, 8, 8);
    if (deleted !== undefined && typeof deleted !== "boolean") {
      throw invalid("deleted", deleted, "a boolean");
    }
    if (deleted === true && (value.length > 0 || contentType !== undefined)) {
      throw invalid("value", value, "empty in a tombstone");
    }
  } catch (error) {
    if (error instanceof Error) {
      error.message = `Malformed entry for key ${describe(key)}: ${error.message}`;
    }
    throw error;
  }
}

/** @throws {InputTypeError} `invalid-argument` if it is no object */
export function checkObject(name: string, value: unknown): asserts value is object {
  if (typeof value !== "object" || value === null) throw invalid(name, value, "an object");
}

/** Converts a value; what is thrown says which value, and what was wrong with it. */
export function convert<R>(name: string, value: unknown, wanted: string, run: () => R): R {
  try {
    return run();
  } catch (error) {
    throw invalid(name, value, `${wanted}: ${String(error)}`);
  }
}

/** @throws {InputTypeError} `invalid-argument` if they cannot be iterated */
export function listOf<T>(entries: Iterable<T>): T[] {
  return convert("entries", entries, "an iterable", () => [...entries]);
}

/** The error that says which argument was wrong, what it was, and what it should have been. */
export function invalid(
  name: string,
  value: unknown,
  wanted: string,
  OfClass: typeof InputTypeError | typeof InputRangeError = InputTypeError,
): Error {
  return new OfClass("invalid-argument", `Invalid ${name}: ${describe(value)}, wanted ${wanted}`);
}

/** A number that should be another one; something else that should be a number. */
function outOfRange(name: string, value: unknown, wanted: string): Error {
  return invalid(name, value, wanted, typeof value === "number" ? InputRangeError : undefined);
}

/** A value for an error message: strings quoted, and not too much of them. */
export function describe(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 64 ? `${value.slice(0, 61)}...` : value);
  }
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return Object(value) === value ? `this ${typeof value}` : String(value);
}
