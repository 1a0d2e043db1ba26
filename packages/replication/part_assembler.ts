import type { Entry } from "@dnd/store";
import { expectPeer } from "./exchange_error.ts";
import { MAX_VALUE_BYTES, type EntryPart } from "@dnd/protocol";

/**
 * Puts the parts of a large entry together again (rule 4), one entry at a time on each stream. Memory
 * grows with what has come, never with what was announced.
 */
export class PartAssembler {
  #entry: Entry | undefined;
  #parts: Uint8Array[] = [];
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
      this.#entry = part.entry;
      this.#total = part.total;
    }
    expectPeer(this.#entry !== undefined, "a part of an entry that never began");
    expectPeer(part.offset === this.#length, `a part at ${part.offset} instead of ${this.#length}`);
    expectPeer(part.bytes.length > 0, "an empty part");
    this.#length += part.bytes.length;
    expectPeer(this.#length <= this.#total, "more bytes than an entry announced");
    this.#parts.push(part.bytes);
    if (this.#length < this.#total) return undefined;
    const value = new Uint8Array(this.#total);
    let offset = 0;
    for (const bytes of this.#parts) {
      value.set(bytes, offset);
      offset += bytes.length;
    }
    const { key, version, contentType, expiresAt, deleted, extra, hash } = this.#entry;
    this.#entry = undefined;
    this.#parts = [];
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
