import { isJsonType, isTextType } from "@dnd/client";
import type { Entry } from "@dnd/store";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** How a value stands in JSON. */
export interface ValueText {
  readonly encoding: "json" | "utf8" | "base64";
  /** A JSON text: the value itself, or a string. On one line. */
  readonly json: string;
}

/** The media type of an entry that has none. */
export const unknownType = "application/octet-stream";

/** A value as JSON text: JSON as it is, text as a string, anything else in base64. */
export function valueText(entry: Entry): ValueText {
  const type = entry.contentType ?? unknownType;
  if (isJsonType(type)) {
    const text = decode(entry.value);
    // The stored text is embedded, not the parsed value: numbers beyond a double survive.
    if (text !== undefined && isJson(text)) {
      return { encoding: "json", json: text.replace(/[\r\n]+/g, " ") };
    }
  } else if (isTextType(type)) {
    const text = decode(entry.value);
    if (text !== undefined) return { encoding: "utf8", json: JSON.stringify(text) };
  }
  return { encoding: "base64", json: `"${base64(entry.value)}"` };
}

/** The text of bytes that are UTF-8; undefined otherwise. */
export function decode(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Base64 of bytes, without a copy. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** RFC 3339 in UTC with milliseconds. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
