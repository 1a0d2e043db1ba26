/**
 * Opaque updates on their way between the threads: many in one buffer, which is transferred, so that a
 * burst costs one message and no copy on the other side (RULES 15).
 *
 *     count of ids 2 | ids 16 each | length 4 | bytes      (repeated)
 */

/** An update and the members it goes to (or the one it came from); no ids = a broadcast. */
export interface AddressedUpdate {
  /** 32 hex digits each. */
  ids: readonly string[];
  bytes: Uint8Array;
}

/** Bytes that an update takes in a batch. */
export function batchedBytes(update: AddressedUpdate): number {
  return 2 + 16 * update.ids.length + 4 + update.bytes.length;
}

/** @throws {RangeError} when an update has more than 65,535 ids */
export function packUpdates(updates: readonly AddressedUpdate[]): ArrayBuffer {
  const buffer = new ArrayBuffer(updates.reduce((sum, update) => sum + batchedBytes(update), 0));
  const view = new DataView(buffer);
  const bytes = Buffer.from(buffer);
  let at = 0;
  for (const update of updates) {
    if (update.ids.length > 65_535)
      throw new RangeError(`Cannot send to ${update.ids.length} members`);
    view.setUint16(at, update.ids.length);
    at += 2;
    for (const id of update.ids) at += bytes.write(id, at, 16, "hex");
    view.setUint32(at, update.bytes.length);
    bytes.set(update.bytes, at + 4);
    at += 4 + update.bytes.length;
  }
  return buffer;
}

/** The bytes of the updates are views into the buffer. */
export function unpackUpdates(buffer: ArrayBuffer): AddressedUpdate[] {
  const view = new DataView(buffer);
  const bytes = Buffer.from(buffer);
  const updates: AddressedUpdate[] = [];
  for (let at = 0; at < bytes.length;) {
    const count = view.getUint16(at);
    at += 2;
    const ids: string[] = [];
    for (let n = 0; n < count; n++, at += 16) ids.push(bytes.toString("hex", at, at + 16));
    const length = view.getUint32(at);
    updates.push({ ids, bytes: new Uint8Array(buffer, at + 4, length) });
    at += 4 + length;
  }
  return updates;
}
