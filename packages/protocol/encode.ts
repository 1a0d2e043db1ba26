import { writeMessage } from "./_codec.ts";
import { WireWriter } from "./_writer.ts";
import type { Envelope, Init, MessageName, Messages } from "./messages.ts";

// One writer is used again for every message. It is away while it writes, so an error leaves none.
const KEEP_BYTES = 1024 * 1024;
let kept: WireWriter | undefined;

/**
 * Encodes a message.
 *
 * Fields that are left out have their defaults. What no decoder would take is not encoded: a key that
 * is too long, an id that is not 32 hex digits, half of a surrogate pair, a number that is no safe
 * integer.
 *
 * @param message an {@linkcode Envelope}, or the message named by `type`
 * @param type its name in `dnd.proto`
 * @returns the bytes, in a buffer of their own (fit to be transferred to another thread)
 * @throws {TypeError} if a field that must be there is missing, or is no such thing
 * @throws {RangeError} if a length or number is outside its limits
 *
 * @example
 * ```ts
 * import { decode, encode } from "@dnd/protocol";
 *
 * const bytes = encode({ sequence: 7, target: "0123456789abcdef0123456789abcdef" }, "Nack");
 * decode(bytes, "Nack").sequence; // 7
 * ```
 */
export function encode(message: Init<Envelope>): Uint8Array;
export function encode<Name extends MessageName>(
  message: Init<Messages[Name]>,
  type: Name,
): Uint8Array;
export function encode(message: unknown, type: MessageName = "Envelope"): Uint8Array {
  if (typeof message !== "object" || message === null) {
    throw new TypeError(`Cannot encode: the ${type} is no object`);
  }
  const writer = kept ?? new WireWriter();
  kept = undefined;
  writer.reset();
  writeMessage(writer, type, message);
  const bytes = writer.take();
  if (writer.buf.length <= KEEP_BYTES) kept = writer;
  return bytes;
}
