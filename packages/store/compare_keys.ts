/**
 * Compares two keys by their UTF-8 bytes, which is the order of code points. JavaScript's `<` compares
 * UTF-16 code units instead: the same for all text but that beyond U+FFFF, whose surrogates (D800 to
 * DFFF) sort before U+E000 to U+FFFF there and must come after.
 *
 * @returns a negative number if `a` comes first, a positive one if `b` does, 0 if they are equal
 */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** A code unit, with surrogates moved behind everything else. */
function rank(code: number): number {
  if (code < 0xd800) return code;
  return code < 0xe000 ? code + 0x2000 : code - 0x800;
}
