import type { Entry } from "@dnd/store";
import { expectPeer } from "./exchange_error.ts";
import { MAX_VALUE_BYTES, type EntryPart } from "@dnd/protocol";

/**
 * Puts the parts of a large entry together again (rule 4), one entry at a time on each stream. Memory
 * grows with what has come, never with what was announced.
 */
export class PartAssembler {
  #entry: Entry | undefined;

  // One buffer that is doubled: parts kept one by one cost 200 bytes each, and a peer may send bytes.
  #value: Uint8Array = new Uint8Array(0);
  #total = 0;
  #length = 0;

  /** Bytes held. */
  get bytes(): number {
    return this.#length;
  }

  /**
   * Takes the next part.
   *
   * @returns the entry, once it is whole
   * @throws ExchangeError if the part does not follow the one before, or the entry is too large
   */
  add(part: EntryPart): Entry | undefined {
    if (part.offset === 0) {
      expectPeer(this.#entry === undefined, "a part of an entry before the end of another");
      expectPeer(part.entry !== undefined, "a first part without its entry");
      expectPeer(part.total <= MAX_VALUE_BYTES, `an entry of ${part.total} bytes`);
      expectPeer(part.entry.deleted !== true, "a tombstone with a value");
      this.#entry = part.entry;
      this.#total = part.total;
    }
    expectPeer(this.#entry !== undefined, "a part of an entry that never began");
    expectPeer(part.offset === this.#length, `a part at ${part.offset} instead of ${this.#length}`);
    expectPeer(part.bytes.length > 0, "an empty part");
    const length = this.#length + part.bytes.length;
    expectPeer(length <= this.#total, "more bytes than an entry announced");
    if (length > this.#value.length) {
      const grown = new Uint8Array(Math.min(this.#total, Math.max(length, 2 * this.#value.length)));
      grown.set(this.#value.subarray(0, this.#length));
      this.#value = grown;
    }
    this.#value.set(part.bytes, this.#length);
    this.#length = length;
    if (length < this.#total) return undefined;
    const value = this.#value;
    const { key, version, contentType, expiresAt, deleted, extra, hash } = this.#entry;
    this.#entry = undefined;
    this.#value = new Uint8Array(0);
    this.#length = 0;
    this.#total = 0;
    return {
      key,
      value,
      version,
      ...(contentType === undefined ? {} : { contentType }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
      ...(deleted === undefined ? {} : { deleted }),
      ...(extra === undefined ? {} : { extra }),
      ...(hash === undefined ? {} : { hash }),
    };
  }
}
