/**
 * A key as a URL path: each segment percent-encoded, slashes kept.
 *
 * @param key a checked key
 */
export function keyPath(key: string): string {
  return key.split("/").map(encodeURIComponent).join("/");
}

/**
 * Whether a URL parser would change the path of this key: `.` and `..` segments are resolved away,
 * encoded or not, so such keys travel in a batch.
 */
export function hasDotSegment(key: string): boolean {
  return /(?:^|\/)\.\.?(?:\/|$)/.test(key);
}
