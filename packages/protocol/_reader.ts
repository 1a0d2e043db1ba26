import { readShortUtf8, SHORT_STRING } from "./_utf8.ts";
import { toHex } from "./_hex.ts";
import { DecodeError } from "./decode_error.ts";
import { HASH_BYTES, MEMORY_FACTOR, NODE_ID_BYTES } from "./limits.ts";
import { readVersionNodeText } from "./version_node.ts";

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The value of every `bytes` field that has none. Nothing can be written into it. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

// What V8 takes for things, in bytes (measured on Node 20 and 24, rounded up).
const OBJECT_COST = 24;
const FIELD_COST = 8;
const BYTES_COST = 216;
const HASH_COST = 112;
const STRING_COST = 24;
/** Of an item in a list that grows while it is filled. */
export const SLOT_COST = 20;

/** Copies of at most so many bytes share chunks of the other size: a kept one keeps no more than its chunk. */
const SMALL_BYTES = 256;
const CHUNK_BYTES = 2048;

// Ids of nodes come in great numbers and few kinds: the text of the ones seen last is kept. Both arrays
// have one place for each of 256 values of a small hash.
const ID_PLACES = 256;
const idBytes = new Uint8Array(ID_PLACES * 16);
const idText: (string | undefined)[] = new Array<string | undefined>(ID_PLACES).fill(undefined);

// What is left for things that only live while a message is decoded.
const GARBAGE_FACTOR = 2;

// What a message may take whatever its size: a few members with one byte of metadata each are more than
// 16 times their bytes, and still nothing.
const BASE_BUDGET = 4096;

/** What an object with this many fields takes. */
export function objectCost(fields: number): number {
  return OBJECT_COST + fields * FIELD_COST;
}

/**
 * Reads the protobuf wire format from bytes of a stranger.
 *
 * protobufjs has a reader too, but it makes a `Long` of each uint64, cuts a wide uint32 in silence,
 * hands out views into the buffer, and bounds neither items nor memory. Each of these is a rule here, so
 * the reader is ours; the schema, the writer and the second opinion in the tests are protobufjs's.
 *
 * Every method throws {@linkcode DecodeError} and nothing else.
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  #budget: number;
  #chunk: Uint8Array = NO_BYTES;
  #chunkUsed = 0;

  /** Where the next byte is read. */
  position = 0;

  /** Where the message being read ends. */
  end: number;

  constructor(bytes: Uint8Array) {
    // Not what extends Uint8Array: a Buffer's slice is a view.
    this.#bytes =
      bytes.constructor === Uint8Array
        ? bytes
        : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    this.end = bytes.length;
    this.#budget = bytes.length * (MEMORY_FACTOR - GARBAGE_FACTOR) + BASE_BUDGET;
  }

  /** Takes `cost` bytes from the memory that this input may cause; to be called before they are taken. */
  charge(cost: number): void {
    this.#budget -= cost;
    if (this.#budget < 0) {
      throw new DecodeError(
        "too-many",
        `Cannot decode: the items in ${this.#bytes.length} bytes would take more than ${MEMORY_FACTOR} times as many`,
      );
    }
  }

  #fail(message: string): never {
    throw new DecodeError("malformed", `Cannot decode: ${message} at byte ${this.position}`);
  }

  /** A tag: field number * 8 + wire type. */
  tag(): number {
    const tag = this.uint32();
    if (tag >>> 3 === 0) this.#fail("a field with number 0");
    return tag;
  }

  /** A varint below 2^32; a wider one is refused, not cut. */
  uint32(): number {
    const bytes = this.#bytes;
    let position = this.position;
    const end = this.end;
    if (position < end) {
      const byte = bytes[position] ?? 0;
      if (byte < 0x80) {
        this.position = position + 1;
        return byte;
      }
    }
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (position >= end) this.#fail("cut in the middle of a number");
      const byte = bytes[position++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) this.#fail("a uint32 of 2^32 or more");
        this.position = position;
        return value;
      }
      scale *= 128;
    }
    return this.#fail("a number of more than 10 bytes");
  }

  /** A varint that is a safe integer (RULES 14). */
  uint64(): number {
    const bytes = this.#bytes;
    const end = this.end;
    let position = this.position;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (position >= end) this.#fail("cut in the middle of a number");
      const byte = bytes[position++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) {
          throw new DecodeError(
            "unsafe-integer",
            `Cannot decode: a uint64 of 2^53 or more at byte ${this.position}`,
          );
        }
        this.position = position;
        return value;
      }
      scale *= 128;
    }
    return this.#fail("a number of more than 10 bytes");
  }

  /** Four bytes, the lowest first. */
  fixed32(): number {
    const start = this.position;
    this.#skipBytes(4);
    const bytes = this.#bytes;
    return (
      ((bytes[start] ?? 0) |
        ((bytes[start + 1] ?? 0) << 8) |
        ((bytes[start + 2] ?? 0) << 16) |
        ((bytes[start + 3] ?? 0) << 24)) >>>
      0
    );
  }

  /** A bool; by the wire format every varint but 0 is true. */
  bool(): boolean {
    const start = this.position;
    this.#skipVarint();
    for (let i = start; i < this.position; i++)
      if (((this.#bytes[i] ?? 0) & 0x7f) !== 0) return true;
    return false;
  }

  /** The length of what follows, which is known to be there. */
  length(): number {
    const length = this.uint32();
    if (length > this.end - this.position) this.#fail(`${length} bytes announced, fewer there`);
    return length;
  }

  /** A length within limits, of a field that is named in the error. */
  limitedLength(name: string, min: number, max: number): number {
    const length = this.length();
    if (length < min || length > max) {
      this.#fail(`${name} of ${length} bytes, not ${min === max ? min : `${min} to ${max}`},`);
    }
    return length;
  }

  /** Strict UTF-8. */
  string(length: number): string {
    const start = this.position;
    const end = start + length;
    this.position = end;
    if (length === 0) return "";
    if (length <= SHORT_STRING) {
      // Longer than 12 it may be kept in pieces.
      this.charge(STRING_COST + length * (length <= 12 ? 2 : 6));
      return readShortUtf8(this.#bytes, start, end) ?? this.#failUtf8(start);
    }
    this.charge(STRING_COST + 2 * length);
    try {
      return strictUtf8.decode(this.#bytes.subarray(start, end));
    } catch {
      return this.#failUtf8(start);
    }
  }

  #failUtf8(start: number): never {
    throw new DecodeError("invalid-utf8", `Cannot decode: not UTF-8 at byte ${start}`);
  }

  /** A copy of 8 bytes. */
  hash(): Uint8Array {
    this.charge(HASH_COST);
    return this.#copySmall(HASH_BYTES);
  }

  /** A copy: what was received may be overwritten, or be kept alive by one small field. */
  bytes(length: number): Uint8Array {
    if (length === 0) return NO_BYTES;
    this.charge(BYTES_COST + length);
    if (length <= SMALL_BYTES) return this.#copySmall(length);
    const start = this.position;
    this.position = start + length;
    return this.#bytes.slice(start, start + length);
  }

  /**
   * A copy in a chunk that those of one message share. An array of its own is 208 bytes of V8 beside its content,
   * and a piece of memory outside of its heap that is allocated, tracked and freed: more than all else that is
   * done to decode a hundred bytes.
   */
  #copySmall(length: number): Uint8Array {
    if (this.#chunkUsed + length > this.#chunk.length) {
      this.#chunk = new Uint8Array(Math.min(this.#bytes.length - this.position, CHUNK_BYTES));
      this.#chunkUsed = 0;
    }
    const bytes = this.#bytes;
    const to = this.#chunk;
    const start = this.position;
    const used = this.#chunkUsed;
    for (let i = 0; i < length; i++) to[used + i] = bytes[start + i] ?? 0;
    this.position = start + length;
    this.#chunkUsed = used + length;
    return to.subarray(used, used + length);
  }

  /** The hex digits of some bytes. */
  hex(length: number): string {
    this.charge(STRING_COST + 2 * length);
    const start = this.position;
    this.position = start + length;
    return toHex(this.#bytes, start, length);
  }

  /** A node id: 16 bytes as 32 hex digits, the same string for the same id while it is in use. */
  nodeId(): string {
    const bytes = this.#bytes;
    const start = this.position;
    const place = ((bytes[start] ?? 0) * 31 + (bytes[start + 15] ?? 0)) & (ID_PLACES - 1);
    const kept = idText[place];
    if (kept !== undefined) {
      let i = 0;
      while (i < 16 && bytes[start + i] === idBytes[place * 16 + i]) i++;
      if (i === 16) {
        this.position = start + 16;
        return kept;
      }
    }
    const text = this.hex(16);
    for (let i = 0; i < 16; i++) idBytes[place * 16 + i] = bytes[start + i] ?? 0;
    idText[place] = text;
    return text;
  }

  /** The node of a version: 16 bytes, or an id of another kind as text (`version_node.ts`). */
  versionNode(name: string, length: number): string {
    if (length === NODE_ID_BYTES) return this.nodeId();
    const text = readVersionNodeText(this.bytes(length));
    return text ?? this.#fail(`${name} of ${length} bytes that is no id`);
  }

  /** How many varints a packed list of this many bytes has. */
  countPacked(length: number): number {
    let count = 0;
    const bytes = this.#bytes;
    for (let i = this.position; i < this.position + length; i++) {
      if ((bytes[i] ?? 0) < 0x80) count++;
    }
    this.charge(count * FIELD_COST);
    return count;
  }

  #skipVarint(): void {
    for (let i = 0; i < 10; i++) {
      if (this.position >= this.end) this.#fail("cut in the middle of a number");
      if ((this.#bytes[this.position++] ?? 0) < 0x80) return;
    }
    this.#fail("a number of more than 10 bytes");
  }

  /** Passes over a field. Groups (wire types 3 and 4) are not part of this protocol. */
  skip(wireType: number): void {
    switch (wireType) {
      case 0:
        return this.#skipVarint();
      case 1:
        return this.#skipBytes(8);
      case 2:
        return this.#skipBytes(this.length());
      case 5:
        return this.#skipBytes(4);
      default:
        this.#fail(`wire type ${wireType}`);
    }
  }

  #skipBytes(length: number): void {
    if (length > this.end - this.position) this.#fail(`${length} bytes announced, fewer there`);
    this.position += length;
  }

  /** A length outside the limits of its field. */
  badLength(name: string, length: number): never {
    return this.#fail(`${name} of ${length} bytes`);
  }

  /** A known field in another wire type than its own. */
  wrongType(name: string, wireType: number): never {
    return this.#fail(`${name} in wire type ${wireType}`);
  }

  /** A field that may be there once is there again: two decoders could differ on which one counts. */
  twice(name: string): never {
    return this.#fail(`${name} twice`);
  }

  /** A field without which the message has no meaning is not there. */
  missing(name: string): never {
    return this.#fail(`no ${name}`);
  }

  /** A field with a value that it cannot have. */
  refuse(problem: string): never {
    return this.#fail(problem);
  }

  /** More items than a list may have. */
  tooMany(name: string, max: number): never {
    throw new DecodeError("too-many", `Cannot decode: more than ${max} ${name}`);
  }

  /**
   * The unknown fields of the message that was read from `start` on, joined, in a second pass: joining
   * them one by one would cost the square of their number.
   */
  unknown(
    start: number,
    total: number,
    limits: { readonly maxBytes: number; readonly isKnown: (field: number) => boolean },
  ): Uint8Array {
    const { maxBytes, isKnown } = limits;
    if (total > maxBytes) this.#fail(`${total} bytes of unknown fields, at most ${maxBytes},`);
    this.charge(BYTES_COST + total);
    const joined = new Uint8Array(total);
    const bytes = this.#bytes;
    let length = 0;
    this.position = start;
    while (this.position < this.end) {
      const from = this.position;
      const tag = this.tag();
      this.skip(tag & 7);
      if (isKnown(tag >>> 3)) continue;
      const size = this.position - from;
      if (size > 64) joined.set(bytes.subarray(from, this.position), length);
      else for (let i = 0; i < size; i++) joined[length + i] = bytes[from + i] ?? 0;
      length += size;
    }
    return joined;
  }
}
