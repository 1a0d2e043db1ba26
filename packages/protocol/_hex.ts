const DIGITS = new TextEncoder().encode("0123456789abcdef");

const decoder = new TextDecoder();

// Digits are put here first: pieces of strings that are joined one by one stay pieces in V8, and an
// array of codes, or a view, costs more than the text. One place for each length, up to 16 bytes.
const scratch: readonly Uint8Array[] = Array.from({ length: 17 }, (_, i) => new Uint8Array(2 * i));

/** At most 16 bytes as lower-case hex digits, from `start` on. */
export function toHex(bytes: Uint8Array, start: number, length: number): string {
  const digits = scratch[length] ?? new Uint8Array(0);
  for (let i = 0; i < length; i++) {
    const byte = bytes[start + i] ?? 0;
    digits[2 * i] = DIGITS[byte >>> 4] ?? 0;
    digits[2 * i + 1] = DIGITS[byte & 15] ?? 0;
  }
  return decoder.decode(digits);
}

/** The value of a lower-case hex digit, or something negative. */
function digit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  return code >= 97 && code <= 102 ? code - 87 : -256;
}

/**
 * Lower-case hex digits as bytes.
 *
 * @param what names it in the error
 * @throws {TypeError} if it is not exactly `length` bytes
 */
export function fromHex(what: string, text: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let wrong = text.length ^ (2 * length);
  for (let i = 0; i < length; i++) {
    const byte = digit(text.charCodeAt(2 * i)) * 16 + digit(text.charCodeAt(2 * i + 1));
    if (byte < 0) wrong = 1;
    bytes[i] = byte;
  }
  if (wrong === 0) return bytes;
  throw new TypeError(
    `${what} must be ${2 * length} lower-case hex digits, not ${JSON.stringify(text)}`,
  );
}

// The same ids are turned into bytes again and again: the ones used last are kept, one place for each
// value of a small hash.
const PLACES = 512;
const keptText: (string | undefined)[] = new Array<string | undefined>(PLACES).fill(undefined);
const keptBytes: (Uint8Array | undefined)[] = new Array<Uint8Array | undefined>(PLACES).fill(
  undefined,
);

/** Like {@linkcode fromHex}, for ids; the bytes are shared, so they must not be written into. */
export function idBytes(what: string, text: string, length: number): Uint8Array {
  const hash =
    text.charCodeAt(0) * 31 + text.charCodeAt(1) * 7 + text.charCodeAt(text.length - 1) * 101;
  const place = hash & (PLACES - 1);
  const kept = keptBytes[place];
  if (kept !== undefined && keptText[place] === text && kept.length === length) return kept;
  const bytes = fromHex(what, text, length);
  keptText[place] = text;
  keptBytes[place] = bytes;
  return bytes;
}

/** Whether a text is an id of a node: 32 lower-case hex digits. */
export function isNodeId(text: string): boolean {
  if (text.length !== 32) return false;
  for (let i = 0; i < 32; i++) if (digit(text.charCodeAt(i)) < 0) return false;
  return true;
}
