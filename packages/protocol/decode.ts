import { readRoot } from "./_codec.ts";
import { WireReader } from "./_reader.ts";
import { DecodeError } from "./decode_error.ts";
import { MAX_DATAGRAM_BYTES, MAX_FRAME_BYTES } from "./limits.ts";
import type { Envelope, MessageName, Messages } from "./messages.ts";

/** Options of {@linkcode decode}. */
export interface DecodeOptions {
  /** Bytes that the message may have. Default: 65,507 for an envelope, 262,144 for all others. */
  readonly maxBytes?: number;
}

/**
 * Decodes a message from bytes of a stranger.
 *
 * Lengths, numbers of items and the memory they will take (at most 16 times the input) are checked
 * before anything is allocated for them. Nothing in the result is a view into `bytes`.
 *
 * @param bytes the whole message
 * @param type its name in `dnd.proto`
 * @returns the message with every field; fields this version does not know are in `extra`
 * @throws {DecodeError} and nothing else, whatever the bytes
 * @throws {TypeError} for what is no bytes, and a name that is not in `dnd.proto`
 *
 * @example
 * ```ts
 * import { decode, DecodeError } from "@dnd/protocol";
 *
 * let code = "";
 * try {
 *   decode(new Uint8Array([255]));
 * } catch (error) {
 *   if (error instanceof DecodeError) code = error.code; // "malformed"
 * }
 * ```
 */
export function decode(bytes: Uint8Array): Envelope;
export function decode<Name extends MessageName>(
  bytes: Uint8Array,
  type: Name,
  options?: DecodeOptions,
): Messages[Name];
export function decode(
  bytes: Uint8Array,
  type: MessageName = "Envelope",
  options: DecodeOptions = {},
): unknown {
  if (!ArrayBuffer.isView(bytes)) throw new TypeError("Cannot decode: give a Uint8Array");
  const maxBytes = options.maxBytes ?? (type === "Envelope" ? MAX_DATAGRAM_BYTES : MAX_FRAME_BYTES);
  if (bytes.length > maxBytes) {
    throw new DecodeError(
      "too-large",
      `Cannot decode: ${type} of ${bytes.length} bytes, at most ${maxBytes}`,
    );
  }
  return readRoot(new WireReader(bytes), type);
}
