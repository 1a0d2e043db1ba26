import { NO_BYTES } from "./_reader.ts";
import { decode } from "./decode.ts";
import { DecodeError } from "./decode_error.ts";
import { encode } from "./encode.ts";
import { MAX_FRAME_BYTES } from "./limits.ts";
import type { Frame, FrameBody, Init } from "./messages.ts";

/** Bytes of the length before each frame. */
export const FRAME_LENGTH_BYTES = 4;

/**
 * Encodes a frame for a peer stream: its length in 4 bytes, big-endian, then the message.
 *
 * @param frame the frame, or just its body
 * @returns the bytes to write
 * @throws {RangeError} if it has more than 262,144 bytes
 *
 * @example
 * ```ts
 * import { encodeFrame, FrameDecoder } from "@dnd/protocol";
 *
 * const decoder = new FrameDecoder();
 * const frames = [...decoder.push(encodeFrame({ type: "sent", sequence: 3 }))];
 * frames[0]?.body; // { type: "sent", sequence: 3, gone: [] }
 * ```
 */
export function encodeFrame(frame: Init<Frame> | Init<FrameBody>): Uint8Array {
  const message = encode("type" in frame ? { body: frame } : frame, "Frame");
  if (message.length > MAX_FRAME_BYTES) {
    throw new RangeError(
      `Cannot encode a frame of ${message.length} bytes, at most ${MAX_FRAME_BYTES}`,
    );
  }
  const bytes = new Uint8Array(FRAME_LENGTH_BYTES + message.length);
  new DataView(bytes.buffer).setUint32(0, message.length);
  bytes.set(message, FRAME_LENGTH_BYTES);
  return bytes;
}

/** Options of a {@linkcode FrameDecoder}. */
export interface FrameDecoderOptions {
  /**
   * Bytes that a frame may have. Default: 262,144. Set it low until the other side has said who it is
   * ({@linkcode FrameDecoder.maxFrameBytes} can be raised later).
   */
  readonly maxFrameBytes?: number;
}

/**
 * Takes the bytes of a peer stream as they come and gives its frames.
 *
 * A length is a promise of a stranger: nothing is allocated for it. What has arrived of a frame is kept
 * in at most twice as many bytes. Waiting for the rest of a
 * frame has no end here: the driver has the timeout.
 */
export class FrameDecoder {
  /** Bytes that a frame may have. May be changed between frames. */
  maxFrameBytes: number;

  // The bytes of an unfinished frame, its length included, in the first `#length` bytes of the buffer.
  #buffer: Uint8Array = NO_BYTES;
  #length = 0;
  #needed = FRAME_LENGTH_BYTES;
  #failed: DecodeError | undefined;

  constructor(options: FrameDecoderOptions = {}) {
    this.maxFrameBytes = options.maxFrameBytes ?? MAX_FRAME_BYTES;
  }

  /** Bytes of an unfinished frame that are waiting here. Above 0 when a stream ends: it was cut. */
  get pending(): number {
    return this.#length;
  }

  /**
   * Takes a piece of the stream.
   *
   * @param chunk any number of bytes, cut anywhere; not kept beyond the last frame taken from it
   * @returns the frames that are whole now, decoded one by one as they are asked for; ask for all of
   *   them before the next piece
   * @throws {DecodeError} (while iterating) if a frame is too large or malformed. The stream is at an
   *   end then: every later call throws the same error
   */
  *push(chunk: Uint8Array): Generator<Frame, void, undefined> {
    for (const bytes of this.pushBytes(chunk)) {
      try {
        yield decode(bytes, "Frame", { maxBytes: this.maxFrameBytes });
      } catch (error) {
        if (error instanceof DecodeError) this.#failed = error;
        throw error;
      }
    }
  }

  /** Like {@linkcode FrameDecoder.push}, but gives the bytes of each frame, not decoded. */
  *pushBytes(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    if (this.#failed !== undefined) throw this.#failed;
    let rest = chunk;
    while (this.#length + rest.length >= this.#needed) {
      const taken = this.#needed - this.#length;
      const whole = this.#join(rest.subarray(0, taken));
      rest = rest.subarray(taken);
      if (this.#needed === FRAME_LENGTH_BYTES) {
        const length = new DataView(whole.buffer, whole.byteOffset, 4).getUint32(0);
        if (length > this.maxFrameBytes) {
          this.#failed = new DecodeError(
            "too-large",
            `Cannot read a frame of ${length} bytes, at most ${this.maxFrameBytes}`,
          );
          throw this.#failed;
        }
        if (length > 0) {
          this.#keep(whole);
          this.#needed = FRAME_LENGTH_BYTES + length;
          continue;
        }
      }
      this.#needed = FRAME_LENGTH_BYTES;
      yield whole.subarray(FRAME_LENGTH_BYTES);
    }
    this.#keep(rest);
  }

  /** Copies bytes behind those that wait; the buffer grows with what arrived, not with what was announced. */
  #keep(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#buffer.length) {
      const buffer = new Uint8Array(
        Math.max(length, Math.min(2 * this.#buffer.length, this.#needed)),
      );
      buffer.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = buffer;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = length;
  }

  /** What waits and the last bytes that were missing; a view of these if nothing waits. */
  #join(last: Uint8Array): Uint8Array {
    if (this.#length === 0) return last;
    this.#keep(last);
    const whole = this.#buffer.subarray(0, this.#length);
    this.#buffer = NO_BYTES;
    this.#length = 0;
    return whole;
  }
}
