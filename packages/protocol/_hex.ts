const DIGITS: readonly number[] = Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));

/** Bytes as lower-case hex digits. */
export function toHex(bytes: Uint8Array): string {
  const codes: number[] = [];
  for (const byte of bytes) codes.push(DIGITS[byte >>> 4] ?? 0, DIGITS[byte & 15] ?? 0);
  return String.fromCharCode(...codes);
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
