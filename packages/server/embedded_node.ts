import {
  checkKey,
  decodeValue,
  encodeValue,
  versionToEtag,
  versionToMs,
  type BatchOperation,
  type BatchResult,
  type CallOptions,
  type DeleteOptions,
  type DeleteReceipt,
  type KeyValue,
  type KeyValueEntry,
  type ListItem,
  type ListOptions,
  type ListPage,
  type PutOptions,
  type Receipt,
  type TouchOptions,
  type Version,
  type Watch,
  type WatchOptions,
} from "@dnd/client";
import type { Entry } from "@dnd/store";
import { deletePrefix } from "./delete_prefix.ts";
import { deleteValue } from "./delete_value.ts";
import { unknownType } from "./entry_text.ts";
import { getValue } from "./get_value.ts";
import { listKeys } from "./list_keys.ts";
import type { NodeCore } from "./node_core.ts";
import { toNodeError } from "./node_error.ts";
import { putValue } from "./put_value.ts";
import { runBatch, type BatchStep } from "./run_batch.ts";
import { beginTouch } from "./touch_value.ts";
import { watchKeys } from "./watch_keys.ts";
import { finishWrite } from "./write.ts";
import { withCall } from "./with_call.ts";

/**
 * The {@link KeyValue} interface over a node in the same process: values are encoded and decoded here,
 * and nothing is shared with the caller.
 */
export abstract class EmbeddedNode implements KeyValue {
  /** The node underneath. */
  protected abstract readonly core: NodeCore;

  /** Stores a value. */
  put(key: string, value: unknown, options: PutOptions = {}): Promise<Receipt> {
    return withCall(options, async () => {
      checkKey(key);
      const { bytes, contentType } = encodeValue(value, options.contentType);
      return putValue(this.core, key, bytes, { ...options, contentType });
    });
  }

  /** Reads a value; undefined if the key is absent. */
  get<T = unknown>(key: string, options: CallOptions = {}): Promise<T | undefined> {
    return withCall(options, async () => {
      const entry = this.#read(key);
      return entry === undefined ? undefined : (valueOf(entry) as T);
    });
  }

  /** Reads a value with its type, version and expiry; undefined if the key is absent. */
  entry<T = unknown>(
    key: string,
    options: CallOptions = {},
  ): Promise<KeyValueEntry<T> | undefined> {
    return withCall(options, async () => {
      const entry = this.#read(key);
      return entry === undefined ? undefined : { ...infoOf(entry), value: valueOf(entry) as T };
    });
  }

  /** Whether the key is there. */
  has(key: string, options: CallOptions = {}): Promise<boolean> {
    return withCall(options, async () => this.#read(key) !== undefined);
  }

  /** Deletes a key. */
  delete(key: string, options: DeleteOptions = {}): Promise<DeleteReceipt> {
    return withCall(options, async () => {
      checkKey(key);
      return deleteValue(this.core, key, options);
    });
  }

  /** Gives a key a new time to live, or none. */
  touch(key: string, options: TouchOptions = {}): Promise<Version | undefined> {
    return withCall(options, async () => {
      checkKey(key);
      const touched = beginTouch(this.core, key, options.ttlMs);
      if (touched === undefined) return undefined;
      return (await finishWrite(this.core, touched, {})).version;
    });
  }

  /** Deletes all keys that start so. */
  deletePrefix(prefix: string, options: CallOptions = {}): Promise<number> {
    return withCall(options, (signal) => deletePrefix(this.core, prefix, { signal }));
  }

  /** One page of keys. */
  list<T = unknown>(options: ListOptions = {}): Promise<ListPage<T>> {
    return withCall(options, async () => {
      const page = listKeys(this.core, options);
      return {
        items: page.entries.map((entry): ListItem<T> =>
          options.values === true
            ? { ...infoOf(entry), value: valueOf(entry) as T }
            : infoOf(entry),
        ),
        prefixes: page.prefixes,
        event: page.event,
        ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
      };
    });
  }

  /** All keys, page by page. */
  async *entries<T = unknown>(
    options: Omit<ListOptions, "delimiter"> = {},
  ): AsyncGenerator<ListItem<T>, void, void> {
    let { cursor } = options;
    do {
      const page: ListPage<T> = await this.list<T>({
        ...options,
        ...(cursor === undefined ? {} : { cursor }),
      });
      yield* page.items;
      ({ cursor } = page);
    } while (cursor !== undefined);
  }

  /** Up to 1,000 operations, each with a result of its own. */
  batch<T = unknown>(
    operations: readonly BatchOperation[],
    options: CallOptions = {},
  ): Promise<BatchResult<T>[]> {
    return withCall(options, async () => {
      const results = await runBatch(this.core, operations.map(stepOf));
      return results.map(({ entry, ...result }) =>
        entry === undefined
          ? result
          : {
              ...result,
              contentType: entry.contentType ?? unknownType,
              value: valueOf(entry) as T,
            },
      );
    });
  }

  /** Follows the changes of this node. */
  watch<T = unknown>(options: WatchOptions = {}): Watch<T> {
    return watchKeys<T>(this.core, options);
  }

  /** Resolves when the node holds a complete copy, or is alone by rule 12. */
  abstract ready(options?: CallOptions): Promise<void>;

  /** Stops the node; it does not leave the cluster. */
  abstract close(): Promise<void>;

  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #read(key: string): Entry | undefined {
    checkKey(key);
    return getValue(this.core, key);
  }
}

function stepOf(operation: BatchOperation): BatchStep {
  if (operation.op !== "put") return operation;
  const { key, value, contentType, ttlMs } = operation;
  try {
    return { op: "put", key, ttlMs, ...encodeValue(value, contentType) };
  } catch (error) {
    return { op: "bad", key, error: toNodeError(error) };
  }
}

/** Bytes are copied: entries belong to the map. */
function valueOf(entry: Entry): unknown {
  const value = decodeValue(entry.value, entry.contentType ?? unknownType);
  return value === entry.value ? new Uint8Array(entry.value) : value;
}

function infoOf(entry: Entry & { readonly size?: number }) {
  const { key, version, value, expiresAt } = entry;
  return {
    key,
    version,
    etag: versionToEtag(version),
    contentType: entry.contentType ?? unknownType,
    size: entry.size ?? value.length,
    modifiedAt: versionToMs(version),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}
