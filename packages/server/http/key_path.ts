import { DndError } from "@dnd/client";

/** Longest key in bytes of UTF-8. */
const maxKeyBytes = 1024;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Letters, digits and the marks that never need a second look: most keys. */
const plainKey = /^[A-Za-z0-9_~$@:,;=+*!()'-]+(?:\/[A-Za-z0-9_~$@:,;=+*!()'-]+)*$/;

function invalid(detail: string): DndError {
  return new DndError("invalid-key", detail, { status: 400, outcome: "not-applied" });
}

/**
 * The key in a raw request path: everything behind the prefix, percent-decoded exactly once.
 *
 * A router's own decoding is not used: it turns `%ff` and `%25ff` into the same text, and ignores case
 * and trailing slashes. Here two different byte strings are never the same key, and what is not
 * UTF-8 is refused. `.` and `..` segments are refused, raw and encoded, because URL parsers and
 * proxies resolve them away before they arrive, so that the key would be another one.
 *
 * @param raw the path behind `/kv/`, as it stood in the request line
 * @returns the key, 1 to 1,024 bytes of UTF-8
 * @throws {DndError} `invalid-key` or `key-too-large`, both 400
 *
 * @example
 * ```ts
 * parseKeyPath("users/%C3%A9"); // "users/é"
 * ```
 */
export function parseKeyPath(raw: string): string {
  if (raw.length <= maxKeyBytes && plainKey.test(raw)) return raw;
  if (raw === "") throw invalid("Cannot use the key: it is empty");
  const key = raw.includes("%") ? decodeOnce(raw) : raw;
  if (hasDotSegment(key)) {
    throw invalid(
      'Cannot use the key in a path: it has a "." or ".." segment, which URL clients resolve away; use /batch',
    );
  }
  const bytes = Buffer.byteLength(key);
  if (bytes > maxKeyBytes) {
    throw new DndError(
      "key-too-large",
      `Cannot use the key: ${bytes} bytes of UTF-8 are more than ${maxKeyBytes}`,
      { status: 400, outcome: "not-applied" },
    );
  }
  return key;
}

function decodeOnce(raw: string): string {
  // Node hands out the request line as Latin-1: one character is one byte.
  const bytes = new Uint8Array(raw.length);
  let length = 0;
  for (let i = 0; i < raw.length; i += 1) {
    const code = raw.charCodeAt(i);
    if (code !== 0x25) {
      bytes[length++] = code;
      continue;
    }
    const high = hexDigit(raw.charCodeAt(i + 1));
    const low = hexDigit(raw.charCodeAt(i + 2));
    if (high < 0 || low < 0) {
      throw invalid(
        `Cannot use the key: "${raw.slice(i, i + 3)}" is no percent-encoding; write % as %25`,
      );
    }
    bytes[length++] = high * 16 + low;
    i += 2;
  }
  try {
    return decoder.decode(bytes.subarray(0, length));
  } catch {
    throw invalid("Cannot use the key: it is not UTF-8");
  }
}

/** The value of a hexadecimal digit, -1 for anything else (NaN at the end of the text included). */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function hasDotSegment(key: string): boolean {
  return /(?:^|\/)\.\.?(?:\/|$)/.test(key);
}
