import protobuf from "protobufjs/light.js";
import { idBytes } from "./_hex.ts";
import { encodeVersionNode } from "./version_node.ts";

const LONE_SURROGATE = /\p{Surrogate}/u;

/** protobufjs's writer, with the checks that keep us from sending what nobody would take. */
export class WireWriter extends protobuf.Writer {
  /** A uint64 that is a safe integer. */
  safeUint64(name: string, value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`Cannot encode: ${name} is ${value}, not a safe integer from 0 up`);
    }
    if (value <= 0xffff_ffff) this.uint32(value);
    else this.uint64(value);
  }

  /** A uint32. */
  safeUint32(name: string, value: number): void {
    this.#checkUint32(name, value);
    this.uint32(value);
  }

  /** A uint32 in four bytes. */
  safeFixed32(name: string, value: number): void {
    this.#checkUint32(name, value);
    this.fixed32(value);
  }

  /** UTF-8 within a number of bytes, with its length before it. */
  text(name: string, value: string, min: number, max: number): void {
    const before = this.pos;
    if (value.length > max) this.#refuse(name, value.length, min, max, "or more ");
    // A string of fewer than 128 bytes has a length of one byte; where it starts tells its length.
    this.string(value);
    const written = this.pos - before;
    const bytes = written - (written < 129 ? 1 : written < 16_386 ? 2 : 3);
    if (bytes < min || bytes > max) this.#refuse(name, bytes, min, max, "");
    if (bytes !== value.length && LONE_SURROGATE.test(value)) {
      throw new TypeError(`Cannot encode: ${name} has half of a surrogate pair`);
    }
  }

  /** Bytes within limits, with their length before them. */
  limitedBytes(name: string, value: Uint8Array, min: number, max: number): void {
    if (value.length < min || value.length > max) this.#refuse(name, value.length, min, max, "");
    this.bytes(value);
  }

  /** An id in hex as bytes, with their length before them. */
  id(name: string, value: string, length: number): void {
    this.bytes(idBytes(name, value, length));
  }

  /** The node of a version, with its length before it. */
  versionNode(name: string, value: string): void {
    this.bytes(encodeVersionNode(name, value));
  }

  /** Everything written, in a buffer of its own: it may be kept, or transferred to another thread. */
  take(): Uint8Array {
    return this.buf.slice(0, this.pos);
  }

  #checkUint32(name: string, value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
      throw new RangeError(`Cannot encode: ${name} is ${value}, not an integer from 0 to 2^32 - 1`);
    }
  }

  #refuse(name: string, bytes: number, min: number, max: number, more: string): never {
    throw new RangeError(
      `Cannot encode: ${name} has ${bytes} ${more}bytes, not ${min === max ? min : `${min} to ${max}`}`,
    );
  }
}
