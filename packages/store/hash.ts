/**
 * The three hashes of an entry. They are frozen: they decide what is on disk and on the wire, and two
 * replicas can only be compared if both use the same ones. {@linkcode ALGORITHM} numbers them.
 *
 * | hash | over | what it is for |
 * |---|---|---|
 * | key hash | the key's UTF-8 bytes | upper half: its place in the digest tree: leaf = upper 15 bits, parts of a leaf = the next ones |
 * | content hash | the canonical encoding of all but key and version | record checksum; travels with the entry |
 * | fingerprint | key, stamp, node and content hash together | what is XORed into the sums of the tree |
 *
 * **Which hash.** HalfSipHash-2-4 with 64 bits of output, under a fixed and public key. It works on
 * 32-bit lanes, which is all that JavaScript computes fast: 64-bit hashes (xxHash64, SipHash, wyhash)
 * need BigInt or pairs of numbers and run at a tenth of the speed, and no digest of the platform is
 * synchronous everywhere.
 *
 * **What the adversary can do.** Keys come from users, and the function must be the same on every
 * replica, so it is public and anybody can compute it. With any public function, keys that share one of
 * the 32,768 leaves are found by trying 32,768 each; the map bounds what that costs (a leaf above 256
 * entries is compared by sums over the next 5 bits, rule 6). What a weak function adds is families of
 * keys that agree in *all* 64 bits at no cost: FNV, Murmur and xxHash have them, whatever the seed, and
 * no further bits would split such a leaf. No shortcut of that kind is known here: to collide in n bits
 * costs about 2^(n/2) tries, as it should.
 *
 * **Why one hash for the fingerprint** (rule 5). Sums are XORs. If a fingerprint were itself an XOR of
 * a part for the key and a part for the stamp, four entries (two keys, two stamps, crosswise) would
 * cancel, and two replicas that differ would look equal. The same goes for any linear checksum, CRC
 * above all. So the parts go through the mixer together, and every entry of a batch has a stamp of its
 * own; the stamp is not the client's to choose.
 *
 * **Why 64 bits.** Accidents: two different sets of entries agree with probability 2^-64.
 *
 * The key goes first into the fingerprint, in the words in which it goes into the key hash, so one pass
 * over the key serves both. As byte strings:
 *
 * ```text
 * key hash     key
 * fingerprint  key, zeros up to length 3 mod 4, the lowest byte of the key's length,
 *              stamp (u64 little-endian), content hash (upper half, lower half: u32 little-endian each),
 *              node id, zeros up to a multiple of 4, length of the node id (u16 le), of the key (u16 le)
 * content      deleted (0 or 1), expiresAt or 0 (7 bytes, big-endian), length of the content type (u8),
 *              length of the extra bytes (u24 big-endian), content type, zeros up to a multiple of 4,
 *              extra bytes, zeros up to a multiple of 4, value
 * ```
 *
 * The first output word is the upper half of the 64 bits, the second the lower half.
 *
 * Further reading: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012); Wagner, "A
 * generalized birthday problem" (2002), for sums of hashes.
 *
 * @module
 */
import {
  absorb,
  absorbEnd,
  begin,
  layAscii,
  layBytes,
  result,
  swap,
  words,
} from "./_half_sip_hash.ts";
import { LONE_SURROGATE } from "./_lone_surrogate.ts";
import { MAX_KEY_BYTES } from "./limits.ts";

/** The number of the hash functions and their key, on disk and in the hello (rule 5). */
export const ALGORITHM = 1;

/** A hash as two signed 32-bit halves; overwritten by the next call that hashes. */
export const lastHash: Int32Array = result;

/** What an entry says beside its key and version. */
export interface Content {
  readonly value: Uint8Array;
  readonly contentType?: string | undefined;
  readonly expiresAt?: number | undefined;
  readonly deleted?: boolean | undefined;
  readonly extra?: Uint8Array | undefined;
}

const encoder = new TextEncoder();
const keyBytes = new Uint8Array(MAX_KEY_BYTES);
const keyState = new Int32Array(4);
let keyLength = 0;

/** What follows the key in a fingerprint; the node's id is laid out once, as mostly the next is of it, too. */
const tail = new Int32Array(16);
let tailNode = "";
let tailEnd = 4;

/** The key that was hashed last, and what came out. */
let hashedKey: string | undefined;
let hashedHigh = 0;

/**
 * Hashes a key into the first word of {@linkcode lastHash}, the half that is used, and keeps the state for
 * {@linkcode hashFingerprint}.
 *
 * @returns the length of the key in bytes of UTF-8; -1 if it is longer than 1,024, -2 if it holds a
 * lone surrogate. Nothing was hashed then.
 */
export function hashKey(key: string): number {
  if (key === hashedKey) {
    result[0] = hashedHigh;
    return keyLength;
  }
  let length = key.length;
  if (length > MAX_KEY_BYTES) return -1;
  begin();
  if (layAscii(key, 0) < 0) {
    if (LONE_SURROGATE.test(key)) return -2;
    const { read, written } = encoder.encodeInto(key, keyBytes);
    if (read < length) return -1;
    length = layBytes(keyBytes, written, 0);
  }
  absorbEnd(length, 0, keyState);
  keyLength = length;
  absorb(0, words, 1);
  hashedKey = key;
  hashedHigh = result[0] ?? 0;
  return length;
}

/** Hashes what follows the key of the last {@linkcode hashKey} into {@linkcode lastHash}. */
export function hashFingerprint(
  time: number,
  node: string,
  hashHigh: number,
  hashLow: number,
): void {
  if (node !== tailNode) {
    tailEnd = (layAscii(node, 4) + 3) >> 2;
    tail.set(words.subarray(0, tailEnd));
    tailNode = node;
  }
  tail[0] = time | 0;
  tail[1] = time / 0x100000000;
  tail[2] = hashHigh;
  tail[3] = hashLow;
  tail[tailEnd] = node.length | (keyLength << 16);
  tail[tailEnd + 1] = (4 * ((keyLength >>> 2) + 1 + tailEnd + 1)) << 24;
  absorb(tailEnd + 2, tail, 2, keyState);
}

/** Hashes the canonical encoding of a content into {@linkcode lastHash}. */
export function hashContent(content: Content): void {
  const { value, contentType, expiresAt, extra } = content;
  begin();
  words[0] = words[1] = words[2] = 0;
  let end = 12;
  if (content.deleted) words[0] = 1;
  if (expiresAt !== undefined) {
    words[0] |= swap(Math.floor(expiresAt / 0x100000000));
    words[1] = swap(expiresAt);
  }
  if (contentType !== undefined) {
    words[2] = contentType.length;
    end = layAscii(contentType, 3);
  }
  if (extra !== undefined) {
    words[2] |= swap(extra.length);
    end = layBytes(extra, extra.length, (end + 3) >> 2);
  }
  absorbEnd(layBytes(value, value.length, (end + 3) >> 2));
}

/** Signed words, as of a hash its two halves, as bytes, big-endian. */
export function toBytes(wordsOf: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(4 * wordsOf.length);
  for (let i = 0; i < bytes.length; i += 1)
    bytes[i] = (wordsOf[i >> 2] ?? 0) >>> (24 - 8 * (i & 3));
  return bytes;
}
