import { InputRangeError, InputTypeError } from "./errors.ts";
import {
  MAX_CONTENT_TYPE_BYTES,
  MAX_EXPIRES_AT_MS,
  MAX_EXTRA_BYTES,
  MAX_KEY_BYTES,
  MAX_TTL_MS,
  MAX_VALUE_BYTES,
} from "./limits.ts";
import type { Entry } from "./entry.ts";
import { MAX_STAMP } from "./version.ts";
import { hashKey } from "./hash.ts";

const NODE_ID = /^[a-z0-9]{1,32}$/;
const CONTENT_TYPE = /^[\x20-\x7e]{1,255}$/;

/**
 * Checks a key, and leaves its hash in `lastHash`.
 *
 * @returns its length in bytes of UTF-8
 * @throws {InputTypeError} `invalid-key` if it is no string, is empty, or holds a lone surrogate
 * @throws {InputRangeError} `key-too-large` if it is longer than 1,024 bytes
 */
export function checkKey(key: string): number {
  if (typeof key !== "string") {
    throw new InputTypeError("invalid-key", `Invalid key: not a string but ${describe(key)}`);
  }
  const length = hashKey(key);
  if (length > 0) return length;
  if (length === 0) throw new InputTypeError("invalid-key", "Invalid key: it is empty");
  if (length === -2) {
    throw new InputTypeError("invalid-key", `Invalid key ${show(key)}: it has a lone surrogate`);
  }
  throw new InputRangeError(
    "key-too-large",
    `Key too large: ${show(key)} has more than ${MAX_KEY_BYTES} bytes of UTF-8`,
  );
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
  if (typeof node === "string" && NODE_ID.test(node)) {
    lastNode = node;
    return;
  }
  throw invalid("node", node, "1 to 32 characters of [a-z0-9]");
}

/**
 * Checks a value.
 *
 * @throws {InputTypeError} `invalid-argument` if it is no `Uint8Array`
 * @throws {InputRangeError} `value-too-large` if it is longer than `max`
 */
export function checkValue(value: Uint8Array, max: number = MAX_VALUE_BYTES): void {
  if (!(value instanceof Uint8Array)) throw invalid("value", value, "a Uint8Array");
  if (value.length <= max) return;
  throw new InputRangeError(
    "value-too-large",
    `Value too large: ${value.length} bytes, at most ${max} are taken`,
  );
}

/** @throws {InputTypeError} `invalid-argument` if it is not 1 to 255 characters of printable ASCII */
export function checkContentType(type: string): void {
  if (typeof type === "string" && CONTENT_TYPE.test(type)) return;
  throw invalid("contentType", type, `1 to ${MAX_CONTENT_TYPE_BYTES} printable ASCII characters`);
}

/** @throws {InputRangeError} `invalid-argument` if it is not a time from 0 to the end of `Date` */
export function checkTime(name: string, ms: number): void {
  if (typeof ms === "number" && ms >= 0 && ms <= MAX_EXPIRES_AT_MS) return;
  throw outOfRange(name, ms, "milliseconds since 1970");
}

/** @throws {InputRangeError} `invalid-argument` if it is not from 1 ms to 100 years */
export function checkTtl(ttlMs: number): void {
  if (typeof ttlMs === "number" && ttlMs >= 1 && ttlMs <= MAX_TTL_MS) return;
  throw outOfRange("ttlMs", ttlMs, "1 millisecond to 100 years");
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
  if (typeof entry !== "object" || entry === null) {
    throw invalid("entry", entry, "an object with key, value and version");
  }
  try {
    const { version, extra, hash } = entry;
    if (typeof version !== "object" || version === null) {
      throw invalid("version", version, "{ time, node }");
    }
    const { time } = version;
    if (!Number.isSafeInteger(time) || time < 0 || time >= MAX_STAMP) {
      throw outOfRange("version.time", time, "a stamp: an integer from 0 to 2^53 - 2");
    }
    checkNode(version.node);
    checkValue(entry.value);
    if (entry.contentType !== undefined) checkContentType(entry.contentType);
    if (entry.expiresAt !== undefined) {
      checkTime("expiresAt", entry.expiresAt);
      if (!Number.isInteger(entry.expiresAt) || entry.expiresAt === 0) {
        throw outOfRange("expiresAt", entry.expiresAt, "a whole number of milliseconds above 0");
      }
    }
    if (entry.deleted !== undefined && typeof entry.deleted !== "boolean") {
      throw invalid("deleted", entry.deleted, "a boolean");
    }
    if (extra !== undefined && !(extra instanceof Uint8Array && extra.length <= MAX_EXTRA_BYTES)) {
      throw invalid("extra", extra, `a Uint8Array of at most ${MAX_EXTRA_BYTES} bytes`);
    }
    if (hash !== undefined && !(hash instanceof Uint8Array && hash.length === 8)) {
      throw invalid("hash", hash, "a Uint8Array of 8 bytes");
    }
    if (entry.deleted === true && (entry.value.length > 0 || entry.contentType !== undefined)) {
      throw invalid("value", entry.value, "empty in a tombstone, without contentType");
    }
  } catch (error) {
    if (error instanceof Error) {
      error.message = `Malformed entry for key ${describe(entry.key)}: ${error.message}`;
    }
    throw error;
  }
}

function invalid(name: string, value: unknown, wanted: string): InputTypeError {
  return new InputTypeError(
    "invalid-argument",
    `Invalid ${name}: ${describe(value)}, wanted ${wanted}`,
  );
}

function outOfRange(name: string, value: unknown, wanted: string): InputRangeError {
  return new InputRangeError(
    "invalid-argument",
    `Invalid ${name}: ${describe(value)}, wanted ${wanted}`,
  );
}

/** A key for an error message: quoted, and not too much of it. */
function show(key: string): string {
  return JSON.stringify(key.length > 64 ? `${key.slice(0, 61)}...` : key);
}

function describe(value: unknown): string {
  if (typeof value === "string") return show(value);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}
