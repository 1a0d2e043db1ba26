import { DndError } from "./dnd_error.ts";

/** Longest key in bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;

const encoder: TextEncoder = new TextEncoder();

/**
 * Checks that a key can be stored: 1 to 1,024 bytes of UTF-8, no lone surrogate.
 *
 * @param key the key
 * @throws {DndError} `invalid-key` or `key-too-large` (both status 400, `not-applied`)
 */
export function checkKey(key: string): void {
  if (typeof key !== "string" || key === "") {
    throw new DndError("invalid-key", "Cannot use the key: it must be a string that is not empty", {
      status: 400,
      outcome: "not-applied",
    });
  }
  // Every UTF-16 unit takes 1 to 3 bytes, so most keys need not be encoded to be measured.
  if (key.length * 3 > MAX_KEY_BYTES) {
    const bytes = key.length > MAX_KEY_BYTES ? key.length : encoder.encode(key).length;
    if (bytes > MAX_KEY_BYTES) {
      throw new DndError(
        "key-too-large",
        `Cannot use the key: ${bytes}${key.length > MAX_KEY_BYTES ? " or more" : ""} bytes of UTF-8 are more than ${MAX_KEY_BYTES}`,
        { status: 400, outcome: "not-applied" },
      );
    }
  }
  if (/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(key)) {
    throw new DndError("invalid-key", "Cannot use the key: it holds a lone surrogate", {
      status: 400,
      outcome: "not-applied",
    });
  }
}
