/** What lmdb allocates, once in a process, when it first opens a file. */
const KEY_BUFFER_BYTES = 4096;

/** The largest length that a damaged page can claim for a key, and what lmdb adds to it. */
const ROOM_BYTES = 65_536 + 64;

let hasRun = false;

/**
 * Opens an lmdb file. The first time, its buffer for keys gets room behind it: a cursor copies a key there
 * before it checks the length that the page says (lmdb 3.5, cursor.cpp, `returnEntry`). No option of
 * lmdb's reaches that buffer, so the allocation is answered with a larger one, while `open` runs and
 * nothing else does.
 */
export function withRoomyKeyBuffer<T>(open: () => T): T {
  if (hasRun) return open();
  hasRun = true;
  const allocUnsafeSlow = Buffer.allocUnsafeSlow.bind(Buffer);
  const original = Object.getOwnPropertyDescriptor(Buffer, "allocUnsafeSlow");
  Buffer.allocUnsafeSlow = (size) =>
    size === KEY_BUFFER_BYTES
      ? Buffer.from(new ArrayBuffer(KEY_BUFFER_BYTES + ROOM_BYTES), 0, KEY_BUFFER_BYTES)
      : allocUnsafeSlow(size);
  try {
    return open();
  } finally {
    if (original !== undefined) Object.defineProperty(Buffer, "allocUnsafeSlow", original);
  }
}
