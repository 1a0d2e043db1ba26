import { fromBase64, toBase64 } from "./_base64.ts";
import { DndError } from "./dnd_error.ts";
import { etagToVersion, versionToEtag, versionToMs } from "./etag.ts";
import type { ListItem, Version } from "./key_value_types.ts";
import { decodeValue, encodeValue, isJsonType, isTextType } from "./value_codec.ts";

const encoder = new TextEncoder();

function malformed(what: string): DndError {
  return new DndError("invalid-response", `Cannot use the answer: ${what}`);
}

/**
 * Writes a value for a JSON document: JSON as it is, text as `utf8`, anything else as `base64`.
 *
 * @throws {DndError} as `encodeValue()`
 */
export function toWireValue(
  value: unknown,
  contentType: string | undefined,
): { readonly value: unknown; readonly encoding?: string; readonly contentType?: string } {
  const given = contentType === undefined ? {} : { contentType };
  if (typeof value !== "string" && !(value instanceof Uint8Array)) {
    encodeValue(value, contentType); // refuses what JSON cannot express
    return { value, ...given };
  }
  const encoded = encodeValue(value, contentType);
  const type = { contentType: encoded.contentType };
  return typeof value === "string"
    ? { value, encoding: "utf8", ...type }
    : { value: toBase64(value), encoding: "base64", ...type };
}

/** Reads a value out of a JSON document; the same value that `get()` gives. */
export function fromWireValue(value: unknown, encoding: unknown, contentType: string): unknown {
  if (encoding === undefined || encoding === "json") return value;
  if (typeof value !== "string")
    throw malformed(`a value in ${JSON.stringify(encoding)} is no string`);
  if (encoding === "utf8") {
    if (isTextType(contentType) && !isJsonType(contentType)) return value;
    return decodeValue(encoder.encode(value), contentType);
  }
  if (encoding !== "base64") throw malformed(`unknown encoding ${JSON.stringify(encoding)}`);
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(value);
  } catch {
    throw malformed("a value is not base64");
  }
  return decodeValue(bytes, contentType);
}

/** The version inside an entity tag. */
export function readVersion(etag: unknown): { readonly version: Version; readonly etag: string } {
  const version = typeof etag === "string" ? etagToVersion(etag) : undefined;
  if (version === undefined) throw malformed(`${JSON.stringify(etag)} is no version`);
  return { version, etag: versionToEtag(version) };
}

/** A time in RFC 3339 as milliseconds since 1970. */
export function readTime(text: unknown): number {
  const ms = typeof text === "string" ? Date.parse(text) : NaN;
  if (Number.isNaN(ms)) throw malformed(`${JSON.stringify(text)} is no time`);
  return ms;
}

/** One item of a list or a change, as {@link ListItem}. */
export function readItem(item: Readonly<Record<string, unknown>>): ListItem {
  const { key, etag, contentType, size, expires } = item;
  if (typeof key !== "string" || typeof contentType !== "string" || typeof size !== "number") {
    throw malformed("an item has no key, contentType or size");
  }
  const version = readVersion(etag);
  return {
    key,
    ...version,
    contentType,
    size,
    modifiedAt: versionToMs(version.version),
    ...(expires === undefined ? {} : { expiresAt: readTime(expires) }),
    ...("value" in item
      ? { value: fromWireValue(item["value"], item["encoding"], contentType) }
      : {}),
  };
}

/** An array of objects inside an answer. */
export function readArray(value: unknown, name: string): Record<string, unknown>[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === "object" && item !== null)) {
    throw malformed(`${name} is no array of objects`);
  }
  return value as Record<string, unknown>[];
}
