import type { Content } from "./hash.ts";
import type { Entry } from "./entry.ts";
import fc from "fast-check";
import { stampOf } from "./version.ts";

/** A moment in 2027. */
export const NOW = 1_800_000_000_000;

/** The first stamp of it. */
export const STAMP: number = stampOf(NOW);

/** Bytes of a text. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Text of bytes. */
export function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** Bytes as lower-case hex. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/**
 * The canonical encoding of a content (rule 5), as the essay in hash.ts says it: what its hash is made of,
 * and what decides between two entries of one version.
 */
export function encodeContent(content: Content): Uint8Array {
  const { value, contentType = "", expiresAt = 0, extra = new Uint8Array(0) } = content;
  const typeEnd = 12 + ((contentType.length + 3) & ~3);
  const extraEnd = typeEnd + ((extra.length + 3) & ~3);
  const bytes = new Uint8Array(extraEnd + value.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(expiresAt / 0x100000000));
  view.setUint8(0, content.deleted === true ? 1 : 0);
  view.setUint32(4, expiresAt % 0x100000000);
  view.setUint32(8, extra.length);
  view.setUint8(8, contentType.length);
  bytes.set(bytesOf(contentType), 12);
  bytes.set(extra, typeEnd);
  bytes.set(value, extraEnd);
  return bytes;
}

/** HalfSipHash-2-4 with 64 bits under the fixed key, written as plainly as possible, with BigInt. */
export function halfSipHash(bytes: Uint8Array): bigint {
  const mask = 0xffffffffn;
  const rotate = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (32n - by))) & mask;
  const key = new DataView(Uint8Array.from(bytesOf("dnd hash")).buffer);
  const key0 = BigInt(key.getUint32(0, true));
  const key1 = BigInt(key.getUint32(4, true));
  let v0 = key0;
  let v1 = key1 ^ 0xeen;
  let v2 = 0x6c796765n ^ key0;
  let v3 = 0x74656462n ^ key1;
  const rounds = (count: number): void => {
    for (let i = 0; i < count; i += 1) {
      v0 = (v0 + v1) & mask;
      v1 = rotate(v1, 5n) ^ v0;
      v0 = rotate(v0, 16n);
      v2 = (v2 + v3) & mask;
      v3 = rotate(v3, 8n) ^ v2;
      v0 = (v0 + v3) & mask;
      v3 = rotate(v3, 7n) ^ v0;
      v2 = (v2 + v1) & mask;
      v1 = rotate(v1, 13n) ^ v2;
      v2 = rotate(v2, 16n);
    }
  };
  const padded = new Uint8Array(4 * (Math.floor(bytes.length / 4) + 1));
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length & 255;
  const view = new DataView(padded.buffer);
  for (let i = 0; i < padded.length; i += 4) {
    const word = BigInt(view.getUint32(i, true));
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  v2 ^= 0xeen;
  rounds(4);
  const high = v1 ^ v3;
  v1 ^= 0xddn;
  rounds(4);
  return (high << 32n) | (v1 ^ v3);
}

/** Keys: few, so that they meet again, and strange ones. */
export const anyKey: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("a", "b", "c", "a/b", "a/c") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("__proto__", "constructor", "toString", "\uffee", "\u{1f600}", "\0"),
  },
);

/** Values of up to 8 bytes. */
export const anyValue: fc.Arbitrary<Uint8Array> = fc.uint8Array({ maxLength: 8 });

/** Entries whose stamps are few, so that they tie, and that do not expire. */
export const anyEntry: fc.Arbitrary<Entry> = fc
  .record({
    key: anyKey,
    time: fc.integer({ min: STAMP, max: STAMP + 5 }),
    node: fc.constantFrom("a", "b", "c"),
    value: anyValue,
    contentType: fc.option(fc.constantFrom("text/plain", "application/json"), { nil: undefined }),
    expiresAt: fc.option(fc.integer({ min: NOW + 1, max: NOW + 4 }), { nil: undefined }),
    extra: fc.option(fc.uint8Array({ minLength: 1, maxLength: 3 }), { nil: undefined }),
    deleted: fc.boolean(),
  })
  .map(({ key, time, node, value, contentType, expiresAt, extra, deleted }) => ({
    key,
    version: { time, node },
    ...(extra === undefined ? {} : { extra }),
    ...(deleted
      ? { value: new Uint8Array(), deleted }
      : {
          value,
          ...(contentType === undefined ? {} : { contentType }),
          ...(expiresAt === undefined ? {} : { expiresAt }),
        }),
  }));

/** How many runs a property gets: ten times as many in the full run. */
export function runs(count: number): { numRuns: number } {
  return { numRuns: process.env["DND_FULL"] === "1" ? 10 * count : count };
}
