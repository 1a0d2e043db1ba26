/** Up to this length it is faster to write a text character by character. */
const SHORT_LENGTH = 48;

/**
 * Writes a text as UTF-8.
 *
 * @returns where it ends
 */
export function writeText(text: string, target: Buffer, start: number): number {
  const { length } = text;
  if (length > SHORT_LENGTH) return start + target.write(text, start);
  for (let i = 0; i < length; i += 1) {
    const code = text.charCodeAt(i);
    if (code > 127) return start + target.write(text, start);
    target[start + i] = code;
  }
  return start + length;
}
