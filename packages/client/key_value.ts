/// <reference lib="esnext.disposable" preserve="true" />
import type {
  BatchOperation,
  BatchResult,
  CallOptions,
  DeleteOptions,
  DeleteReceipt,
  KeyValueEntry,
  ListItem,
  ListOptions,
  ListPage,
  PutOptions,
  Receipt,
  TouchOptions,
  Version,
} from "./key_value_types.ts";
import type { Watch, WatchOptions } from "./watch.ts";

/**
 * The keys and values of a cluster: what an embedded node and the HTTP client have in common.
 *
 * Keys are 1 to 1,024 bytes of UTF-8. Every method rejects with a {@link DndError} whose `code`
 * says why; a failed write says in `outcome` what became of it. Calls are independent of each other:
 * nothing here is a transaction.
 *
 * @example
 * ```ts
 * import { createClient, type KeyValue } from "@dnd/client";
 *
 * async function rename(users: KeyValue, id: string, name: string): Promise<void> {
 *   await users.put(`user/${id}`, { name }, { ttlMs: 60_000 });
 * }
 * await using dnd = createClient({ urls: ["http://127.0.0.1:6080"] });
 * await rename(dnd, "7", "Jack");
 * ```
 */
export interface KeyValue {
  /**
   * Stores a value: a string as text, bytes as bytes, anything else as JSON.
   *
   * @throws {DndError} `invalid-key`, `key-too-large`, `invalid-argument`, `invalid-json`,
   *   `value-too-large`, `precondition-failed`, `quorum-unavailable`, `timeout`, `storage-full`, ...
   */
  put(key: string, value: unknown, options?: PutOptions): Promise<Receipt>;

  /**
   * Reads a value, decoded by its stored type; undefined if the key is absent.
   *
   * @throws {DndError} `not-ready` when the node cannot know yet whether the key exists
   */
  get<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined>;

  /** Reads a value with its type, version and expiry; undefined if the key is absent. */
  entry<T = unknown>(key: string, options?: CallOptions): Promise<KeyValueEntry<T> | undefined>;

  /** Whether the key is there. */
  has(key: string, options?: CallOptions): Promise<boolean>;

  /** Deletes a key, whether or not it exists here: it may exist on another node. */
  delete(key: string, options?: DeleteOptions): Promise<DeleteReceipt>;

  /**
   * Gives a key a new time to live, or none; the value stays.
   *
   * @returns the new version, undefined if the key is absent
   */
  touch(key: string, options?: TouchOptions): Promise<Version | undefined>;

  /**
   * Deletes all keys that start so. The prefix must not be empty. Not atomic.
   *
   * @returns how many were deleted
   */
  deletePrefix(prefix: string, options?: CallOptions): Promise<number>;

  /** One page of keys, in the order of their UTF-8 bytes. */
  list<T = unknown>(options?: ListOptions): Promise<ListPage<T>>;

  /**
   * All keys, page by page, in the order of their UTF-8 bytes. Each page is consistent in itself; a
   * key that changes meanwhile is seen before or after. `timeoutMs` is for each page.
   */
  entries<T = unknown>(
    options?: Omit<ListOptions, "delimiter">,
  ): AsyncIterableIterator<ListItem<T>>;

  /**
   * Up to 1,000 operations in one call. Not atomic: each has its own result, in their order.
   *
   * @throws {DndError} when the batch as a whole was refused or not answered
   */
  batch<T = unknown>(
    operations: readonly BatchOperation[],
    options?: CallOptions,
  ): Promise<BatchResult<T>[]>;

  /** Follows the changes on the node that answers. Started at once; see {@link Watch}. */
  watch<T = unknown>(options?: WatchOptions): Watch<T>;

  /** Resolves when the node holds a complete copy, or is alone by rule 12. */
  ready(options?: CallOptions): Promise<void>;

  /** Ends watches and waiting calls. An embedded node stops; it does not leave the cluster. */
  close(): Promise<void>;

  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void>;
}
