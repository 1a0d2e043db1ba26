// Copies of small values share buffers. Each buffer of its own lies outside of the heap of JavaScript, and costs
// more to make and to collect than everything else that is done with a hundred bytes. What is copied
// here lives for the time of a commit or of an answer, so its neighbours do not keep it alive for long.
import { NO_BYTES } from "@dnd/store/engine";

const SLAB_BYTES = 16 * 1024;

/** Longer values have a buffer of their own. */
const MAX_SMALL = 1024;

/** Up to this length it is faster to copy bytes one by one than to make a view of them first. */
const SHORT_BYTES = 256;

let slab = new ArrayBuffer(SLAB_BYTES);
let used = 0;

/** A copy of a part of some bytes. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  if (length <= 0) return NO_BYTES;
  const target = take(length);
  if (length > SHORT_BYTES) target.set(bytes.subarray(start, end));
  else for (let i = 0; i < length; i += 1) target[i] = bytes[start + i] ?? 0;
  return target;
}

function take(length: number): Uint8Array {
  if (length > MAX_SMALL) return new Uint8Array(length);
  if (used + length > SLAB_BYTES) {
    slab = new ArrayBuffer(SLAB_BYTES);
    used = 0;
  }
  const target = new Uint8Array(slab, used, length);
  used += length;
  return target;
}
