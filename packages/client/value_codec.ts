import { findLoss, mayHaveLost } from "./_lossless.ts";
import { DndError } from "./dnd_error.ts";

/** A value as it is stored. */
export interface EncodedValue {
  /** The bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The media type that says how to read them. */
  readonly contentType: string;
}

const encoder = new TextEncoder();
// The byte order mark is part of the value.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** The media type without its parameters, in lower case. */
function essence(contentType: string): string {
  const end = contentType.indexOf(";");
  return (end === -1 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

/** Whether a media type means JSON: `application/json`, `text/json`, or anything ending in `+json`. */
export function isJsonType(contentType: string): boolean {
  const type = essence(contentType);
  return type === "application/json" || type === "text/json" || type.endsWith("+json");
}

/** Whether a media type means text in UTF-8: `text/...` with that charset or none. */
export function isTextType(contentType: string): boolean {
  if (!essence(contentType).startsWith("text/")) return false;
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType)?.[1]?.toLowerCase();
  return (
    charset === undefined || charset === "utf-8" || charset === "utf8" || charset === "us-ascii"
  );
}

/**
 * Refuses JSON in another charset than UTF-8 (RFC 8259, 8.1): nobody could read it.
 *
 * @throws {DndError} `unsupported-media-type`
 */
function checkCharset(contentType: string): void {
  if (contentType === "application/json") return;
  const charset = /;\s*charset\s*=\s*"?([^\s";]*)/i.exec(contentType)?.[1]?.toLowerCase();
  if (charset === undefined || charset === "utf-8" || charset === "utf8") return;
  throw new DndError(
    "unsupported-media-type",
    `Cannot put: JSON must be in UTF-8, not ${JSON.stringify(charset)}`,
    { status: 415, outcome: "not-applied" },
  );
}

function refuse(code: string, message: string, cause?: unknown): DndError {
  return new DndError(code, message, { status: 400, outcome: "not-applied", cause });
}

/** What JSON does not keep of a value, as an error. */
function lossOf(value: unknown): DndError | undefined {
  let loss: ReturnType<typeof findLoss>;
  try {
    loss = findLoss(value);
  } catch {
    return undefined; // a toJSON() that throws, or nested deeper than this can look
  }
  if (loss === undefined) return undefined;
  const where = loss.path === "" ? "" : ` at ${loss.path}`;
  return refuse("invalid-argument", `Cannot put: JSON cannot express ${loss.what}${where}`);
}

/**
 * Turns a value into bytes and a media type: a string is text, bytes are bytes, anything else is JSON.
 *
 * @param value the value; with a `contentType`, a string and bytes are taken as they are
 * @param contentType the media type to store; JSON types are checked
 * @throws {DndError} `invalid-argument` for a value that JSON cannot express (the message says where: a
 *   NaN, an undefined in an array, a Map or a Promise would be lost without a word), a string with a lone
 *   surrogate (UTF-8 would make U+FFFD of it) or a type that does not fit it, `invalid-json` for a string
 *   or bytes that are not JSON although the type says so, `unsupported-media-type` for a JSON type with
 *   another charset than UTF-8
 *
 * @example
 * ```ts
 * import { encodeValue } from "@dnd/client";
 *
 * encodeValue({ name: "Jack" }).contentType; // "application/json"
 * ```
 */
export function encodeValue(value: unknown, contentType?: string): EncodedValue {
  if (typeof value === "string" || value instanceof Uint8Array) {
    const text = typeof value === "string";
    const bytes = text ? encoder.encode(value) : new Uint8Array(value);
    // What is as long in bytes as in characters is ASCII, and need not be looked at.
    if (text && bytes.length !== value.length && /[\ud800-\udfff]/u.test(value)) {
      throw refuse("invalid-argument", "Cannot put: UTF-8 cannot express a lone surrogate");
    }
    const type = contentType ?? (text ? "text/plain; charset=utf-8" : "application/octet-stream");
    if (isJsonType(type)) {
      checkCharset(type);
      try {
        JSON.parse(text ? value : strictDecoder.decode(bytes));
      } catch (error) {
        throw refuse(
          "invalid-json",
          `Cannot put: the value is not JSON, but its type is ${type}`,
          error,
        );
      }
    }
    return { bytes, contentType: type };
  }
  const type = contentType ?? "application/json";
  if (!isJsonType(type)) {
    throw refuse(
      "invalid-argument",
      `Cannot put a ${typeof value} as ${type}: give a string or bytes`,
    );
  }
  checkCharset(type);
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    // A BigInt, a cycle, or a toJSON() that throws.
    throw (
      lossOf(value) ??
      refuse("invalid-argument", `Cannot put: JSON cannot express the value (${error})`, error)
    );
  }
  if (json === undefined) {
    throw refuse("invalid-argument", `Cannot put: JSON cannot express ${typeof value}`);
  }
  if (mayHaveLost(json)) {
    const loss = lossOf(value);
    if (loss !== undefined) throw loss;
  }
  return { bytes: encoder.encode(json), contentType: type };
}

/**
 * Turns bytes back into a value by their media type: JSON is parsed, text in UTF-8 becomes a string,
 * anything else stays bytes.
 *
 * @param bytes the stored bytes; handed out as they are if they stay bytes
 * @param contentType the stored media type
 * @throws {DndError} `invalid-json` if the type says JSON and the bytes are none
 */
export function decodeValue(bytes: Uint8Array, contentType: string): unknown {
  if (isJsonType(contentType)) {
    try {
      return JSON.parse(strictDecoder.decode(bytes)) as unknown;
    } catch (error) {
      throw new DndError(
        "invalid-json",
        `Cannot read the value: it is not JSON, but its type is ${contentType}`,
        {
          cause: error,
        },
      );
    }
  }
  return isTextType(contentType) ? decoder.decode(bytes) : bytes;
}
