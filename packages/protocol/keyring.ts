import { Buffer } from "node:buffer";
import { createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import { fromHex } from "./_hex.ts";
import { BOOT_ID_BYTES, NODE_ID_BYTES } from "./limits.ts";

/** Bytes of a ring key. */
export const KEY_BYTES = 32;

const BASE64_OF_32_BYTES = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

const NO_SALT = Buffer.alloc(0);

function derive(key: KeyObject, info: Uint8Array, bytes: number): Buffer {
  return Buffer.from(hkdfSync("sha256", key, NO_SALT, info, bytes));
}

/**
 * The pre-shared key of peer streams (TLS 1.3 PSK): `HKDF-SHA256(ring key, "dnd stream")`, 32 bytes
 * (RULES 13).
 *
 * @param key a ring key, 32 bytes
 */
export function streamPsk(key: Uint8Array | KeyObject): Buffer {
  const object = key instanceof Uint8Array ? createSecretKey(key) : key;
  return derive(object, Buffer.from("dnd stream"), KEY_BYTES);
}

/**
 * The keys of a cluster. The first one seals; all of them open. It never changes: a rotation puts another
 * keyring in its place. Keys are not visible from outside, nor when it is printed.
 *
 * Rotating without losing a packet takes three steps, each on all nodes before the next:
 * accept (add the new key as the last line), use (move it to the first), retire (remove the old one).
 *
 * @example
 * ```ts
 * import { Keyring } from "@dnd/protocol/sealing";
 *
 * const text = "# made by dnd keygen\nq83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=\n";
 * const keyring = Keyring.parse(text);
 * keyring.ids.length; // 1
 * ```
 */
export class Keyring {
  /** The ids of the keys, 8 hex digits each, in their order. */
  readonly ids: readonly string[];
  readonly #keys = new Map<string, KeyObject>();

  /**
   * @param keys at least one, 32 bytes each, all different
   * @throws {RangeError} if they are not; the message says which one by its position, never the key
   */
  constructor(keys: readonly Uint8Array[]) {
    if (keys.length === 0) throw new RangeError("A keyring needs at least one key");
    const ids: string[] = [];
    for (const [index, key] of keys.entries()) {
      if (key.length !== KEY_BYTES) {
        throw new RangeError(`Key ${index + 1} has ${key.length} bytes, not ${KEY_BYTES}`);
      }
      const object = createSecretKey(key);
      const id = derive(object, Buffer.from("dnd key id"), 4).toString("hex");
      const before = ids.indexOf(id);
      if (before !== -1) throw new RangeError(`Key ${index + 1} is the same as key ${before + 1}`);
      ids.push(id);
      this.#keys.set(id, object);
    }
    this.ids = ids;
  }

  /**
   * Reads a key file: one base64 key of 32 bytes a line, the first one seals. Empty lines and lines that
   * start with `#` are passed over.
   *
   * @throws {SyntaxError} with the number of the line and what is wrong with it, never with its content
   */
  static parse(text: string): Keyring {
    if (typeof text !== "string") throw new TypeError("Cannot read the key file: give its text");
    const keys: Uint8Array[] = [];
    const seen = new Map<string, number>();
    for (const [index, raw] of text
      .replace(/^\ufeff/, "")
      .split("\n")
      .entries()) {
      const line = raw.trim();
      if (line === "" || line.startsWith("#")) continue;
      const refuse = (problem: string): never => {
        throw new SyntaxError(`Cannot read the key file: line ${index + 1} ${problem}`);
      };
      if (!/^[A-Za-z0-9+/]*={0,2}$/.test(line)) {
        refuse("is not base64 (one key a line, nothing else)");
      }
      if (!BASE64_OF_32_BYTES.test(line)) {
        const bytes = Buffer.from(line, "base64").length;
        refuse(
          bytes === KEY_BYTES
            ? "is not base64 as it should be written: 43 characters and one ="
            : `has a key of ${bytes} bytes, not ${KEY_BYTES}`,
        );
      }
      const key = Buffer.from(line, "base64");
      if (key.every((byte) => byte === key[0])) refuse("has a key that repeats one byte");
      const before = seen.get(line);
      if (before !== undefined) refuse(`repeats line ${before}`);
      seen.set(line, index + 1);
      keys.push(key);
    }
    if (keys.length === 0) throw new SyntaxError("Cannot read the key file: there is no key in it");
    return new Keyring(keys);
  }

  /** The id of the key that seals. */
  get sealingId(): string {
    return this.ids[0] ?? "";
  }

  /** Whether a key is here. */
  has(id: string): boolean {
    return this.#keys.has(id);
  }

  /**
   * The key for the packets of one process: `HKDF-SHA256(ring key, "dnd packet" | node id | boot id)`.
   * No two processes share one, so each may count its nonces from 0.
   *
   * @param id of the ring key
   * @param nodeId of the sender, 32 hex digits
   * @param bootId of the sender, 16 hex digits
   * @returns `undefined` if there is no such ring key
   */
  packetKey(id: string, nodeId: string, bootId: string): KeyObject | undefined {
    const key = this.#keys.get(id);
    if (key === undefined) return undefined;
    const info = Buffer.concat([
      Buffer.from("dnd packet"),
      fromHex("A node id", nodeId, NODE_ID_BYTES),
      fromHex("A boot id", bootId, BOOT_ID_BYTES),
    ]);
    return createSecretKey(derive(key, info, KEY_BYTES));
  }

  /**
   * The pre-shared key for peer streams; its identity in the TLS handshake is the id of the ring key.
   *
   * @param id of the ring key. Default: the first one
   * @returns `undefined` if there is no such key
   */
  streamPsk(id: string = this.sealingId): Buffer | undefined {
    const key = this.#keys.get(id);
    return key === undefined ? undefined : streamPsk(key);
  }
}
