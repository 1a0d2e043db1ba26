import { StorageError } from "@dnd/store";
import type { ReplicaMap } from "./replica_map.ts";

/** The name under which it is kept in the map. */
const META = "replication-copied";

/** A copy of fewer entries is left to the walk. */
const LEAST_KEYS = 64;

/** Bytes copied between two times that it is kept: what comes after is copied again after a crash. */
const KEEP_BYTES = 8 * 1024 * 1024;

/**
 * How far the first copy has come (rule 12). Who holds next to nothing asks for everything in the order of
 * keys: a tree of keys on disk then grows at one end, and each of its pages is written once, where entries
 * in the order of their hashes change a page each. A copy that was cut goes on after the last key that came,
 * whoever serves it then, also after a restart. It is a hint only: what was missed, or written meanwhile, is
 * found by the walk that follows.
 */
export class CopyCursor {
  readonly #map: ReplicaMap;
  #after: string | undefined;
  #isOver = false;
  #unkept = 0;

  constructor(map: ReplicaMap) {
    this.#map = map;
  }

  /** Reads how far a copy had come before a restart. */
  load(): void {
    const bytes = this.#map.getMeta(META);
    if (bytes !== undefined) this.#after = new TextDecoder().decode(bytes);
  }

  /**
   * The key after which a copy begins or goes on; `undefined`: not worth it, or over.
   *
   * @param keys how many this node holds, and how many the peer does
   */
  next(keys: { readonly own: number; readonly peer: number }): string | undefined {
    if (this.#isOver || this.#after !== undefined) return this.#after;
    const { own, peer } = keys;
    return peer - own >= LEAST_KEYS && own * 8 <= peer ? "" : undefined;
  }

  /** Everything up to this key has come, and was merged. */
  note(key: string, bytes: number, now: number): void {
    this.#after = key;
    this.#unkept += bytes;
    if (this.#unkept < KEEP_BYTES) return;
    this.#unkept = 0;
    // In order with the entries: what it says to have come is on disk if it is.
    this.#keep(new TextEncoder().encode(key), now);
  }

  /** The last key has come, or nothing is copied any more. */
  end(now: number): void {
    this.#after = undefined;
    this.#isOver = true;
    this.#unkept = 0;
    if (this.#map.getMeta(META) !== undefined) this.#keep(undefined, now);
  }

  #keep(bytes: Uint8Array | undefined, now: number): void {
    try {
      this.#map.setMeta(META, bytes, { now });
    } catch (error) {
      if (!(error instanceof StorageError)) throw error; // a full disk: it is a hint only
    }
  }
}
