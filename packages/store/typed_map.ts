import type { EntriesOptions, NowOptions, PutOptions } from "./map_options.ts";
import type { Codec } from "./codec.ts";
import type { Entry } from "./entry.ts";
import { checkCount, checkObject, convert, describe } from "./_check.ts";
import type { VersionedMap } from "./versioned_map.ts";

/**
 * A map of values of one kind: a {@linkcode VersionedMap} seen through a codec. Several may look at the
 * same map.
 *
 * @example
 * ```ts
 * import { text, TypedMap, VersionedMap } from "@dnd/store";
 *
 * const names = new TypedMap(new VersionedMap({ node: "a", clock: Date.now }), text);
 * names.put("user1", "Jack");
 * const [first] = [...names.entries({ prefix: "user" })]; // ["user1", "Jack"]
 * ```
 */
export class TypedMap<T> {
  /** The map below: merge, watch, digest and all else are there. */
  declare readonly map: VersionedMap;

  /** How values become bytes. */
  declare readonly codec: Codec<T>;

  /** @throws {InputTypeError} `invalid-argument` if one of them is none */
  constructor(map: VersionedMap, codec: Codec<T>) {
    checkObject("map", map);
    checkObject("codec", codec);
    this.map = map;
    this.codec = codec;
  }

  /**
   * Puts a value, under the codec's content type unless another one is given.
   *
   * @throws {InputTypeError} if the value cannot be encoded, or its schema refuses it; nothing was stored
   * @throws what `VersionedMap.put` throws
   */
  put(key: string, value: T, options: PutOptions = {}): Entry {
    const { contentType = this.codec.contentType } = options;
    return this.map.put(key, this.codec.encode(value), { ...options, contentType });
  }

  /**
   * The value of a key.
   *
   * @throws {InputTypeError} that names the key, if the stored bytes are no such value
   */
  get(key: string, options?: NowOptions): T | undefined {
    const entry = this.map.get(key, options);
    return entry === undefined ? undefined : this.#decode(entry);
  }

  /** Whether the key has a value. */
  has(key: string, options?: NowOptions): boolean {
    return this.map.has(key, options);
  }

  /** Deletes a key: see `VersionedMap.delete`. */
  delete(key: string, options?: NowOptions): Entry {
    return this.map.delete(key, options);
  }

  /** Keys and values, sorted by the keys' UTF-8 bytes; read a page at a time. */
  *entries(options: Omit<EntriesOptions, "all"> = {}): Generator<[key: string, value: T], void> {
    let { limit = Infinity, after } = options;
    checkCount("limit", limit, 0);
    while (limit > 0) {
      const page = this.map.entries({ ...options, after, limit: Math.min(limit, 256) });
      if (page.length === 0) return;
      limit -= page.length;
      for (const entry of page) {
        after = entry.key;
        yield [after, this.#decode(entry)];
      }
    }
  }

  #decode({ key, value }: Entry): T {
    return convert(`value of ${describe(key)}`, value, "what the codec reads", () =>
      this.codec.decode(value),
    );
  }
}
