/** Bytes up to which {@linkcode readShortUtf8} is faster than the decoder of the host. */
export const SHORT_STRING = 32;

/**
 * Strict UTF-8 of a short text. Calling the host's decoder costs more than a short key does, and makes a
 * view of 96 bytes for it.
 *
 * @returns `undefined` if it is not UTF-8: too long forms, surrogates, cut or stray bytes, above U+10FFFF
 */
export function readShortUtf8(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = "";
  let i = start;
  for (; end - i >= 8; i += 8) {
    const a = bytes[i] ?? 0;
    const b = bytes[i + 1] ?? 0;
    const c = bytes[i + 2] ?? 0;
    const d = bytes[i + 3] ?? 0;
    const e = bytes[i + 4] ?? 0;
    const f = bytes[i + 5] ?? 0;
    const g = bytes[i + 6] ?? 0;
    const h = bytes[i + 7] ?? 0;
    if ((a | b | c | d | e | f | g | h) >= 0x80) break;
    text += String.fromCharCode(a, b, c, d, e, f, g, h);
  }
  while (i < end) {
    const first = bytes[i++] ?? 0;
    if (first < 0x80) {
      text += String.fromCharCode(first);
      continue;
    }
    // How many bytes follow, and the least that may be said with so many.
    const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || i + more > end) return undefined;
    let code = first & (0x3f >> more);
    for (let left = more; left > 0; left--) {
      const byte = bytes[i++] ?? 0;
      if ((byte & 0xc0) !== 0x80) return undefined;
      code = (code << 6) | (byte & 0x3f);
    }
    if (more === 2 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) return undefined;
    if (more === 3 && (code < 0x10000 || code > 0x10ffff)) return undefined;
    text += code < 0x10000 ? String.fromCharCode(code) : String.fromCodePoint(code);
  }
  return text;
}
