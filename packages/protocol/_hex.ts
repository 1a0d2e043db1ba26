const DIGITS = "0123456789abcdef";

/** Bytes as lower-case hex digits. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += `${DIGITS[byte >>> 4]}${DIGITS[byte & 15]}`;
  return text;
}

/**
 * Lower-case hex digits as bytes.
 *
 * @param what names it in the error
 * @throws {TypeError} if it is not exactly `length` bytes
 */
export function fromHex(what: string, text: string, length: number): Uint8Array {
  if (text.length !== 2 * length || !/^[0-9a-f]*$/.test(text)) {
    throw new TypeError(
      `${what} must be ${2 * length} lower-case hex digits, not ${JSON.stringify(text)}`,
    );
  }
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
