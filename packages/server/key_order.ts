/**
 * The first text behind all texts that start with this one, in the order of UTF-8 bytes (which is the
 * order of code points).
 *
 * @returns undefined if there is none: the text consists of U+10FFFF alone
 */
export function behindPrefix(prefix: string): string | undefined {
  const points = [...prefix];
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0) ?? 0;
    if (point < 0x10ffff) {
      // Surrogates are no code points of UTF-8.
      const next = point + 1 >= 0xd800 && point + 1 <= 0xdfff ? 0xe000 : point + 1;
      return points.join("") + String.fromCodePoint(next);
    }
  }
  return undefined;
}
