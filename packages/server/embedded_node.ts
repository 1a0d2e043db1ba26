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
import {
  arrayCheck,
  callChecks,
  checkArgument,
  checkOperation,
  checkOptions,
  deleteChecks,
  entriesChecks,
  listChecks,
  putChecks,
  textCheck,
  touchChecks,
  type OptionChecks,
} from "@dnd/client/options";
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
    return this.change("put", options, putChecks, async () => {
      checkKey(key);
      const { bytes, contentType } = encodeValue(value, options.contentType);
      const { ttlMs, w, ifMatch, ifNoneMatch, timeoutMs, signal } = options;
      const write = { contentType, ttlMs, w, ifMatch, ifNoneMatch, timeoutMs, signal };
      return putValue(this.core, key, bytes, write);
    });
  }

  /** Reads a value; undefined if the key is absent. */
  get<T = unknown>(key: string, options: CallOptions = {}): Promise<T | undefined> {
    return this.call("get", options, callChecks, async () => {
      const entry = this.#read(key);
      return entry === undefined ? undefined : (valueOf(entry) as T);
    });
  }

  /** Reads a value with its type, version and expiry; undefined if the key is absent. */
  entry<T = unknown>(
    key: string,
    options: CallOptions = {},
  ): Promise<KeyValueEntry<T> | undefined> {
    return this.call("get an entry", options, callChecks, async () => {
      const entry = this.#read(key);
      return entry === undefined ? undefined : { ...infoOf(entry), value: valueOf(entry) as T };
    });
  }

  /** Whether the key is there. */
  has(key: string, options: CallOptions = {}): Promise<boolean> {
    return this.call(
      "look for a key",
      options,
      callChecks,
      async () => this.#read(key) !== undefined,
    );
  }

  /** Deletes a key. */
  delete(key: string, options: DeleteOptions = {}): Promise<DeleteReceipt> {
    return this.change("delete", options, deleteChecks, async () => {
      checkKey(key);
      return deleteValue(this.core, key, options);
    });
  }

  /** Gives a key a new time to live, or none. */
  touch(key: string, options: TouchOptions = {}): Promise<Version | undefined> {
    return this.change("touch", options, touchChecks, async () => {
      checkKey(key);
      const touched = beginTouch(this.core, key, options.ttlMs);
      if (touched === undefined) return undefined;
      return (await finishWrite(this.core, touched, {})).version;
    });
  }

  /** Deletes all keys that start so. */
  deletePrefix(prefix: string, options: CallOptions = {}): Promise<number> {
    return this.change("delete by prefix", options, callChecks, (signal) => {
      checkArgument("delete by prefix", "the prefix", prefix, textCheck);
      return deletePrefix(this.core, prefix, { signal });
    });
  }

  /** One page of keys. */
  list<T = unknown>(options: ListOptions = {}): Promise<ListPage<T>> {
    return this.call("list", options, listChecks, async () => {
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
    checkOptions("list entries", options, entriesChecks);
    this.core.checkServing("list entries");
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
    return this.change("send a batch", options, callChecks, async () => {
      checkArgument("send a batch", "operations", operations, arrayCheck);
      const results = await runBatch(this.core, operations.map(stepOf));
      return results.map(({ entry, ...result }) =>
        entry === undefined
          ? result
          : {
              ...result,
              contentType: entry.contentType ?? unknownType,
              size: entry.value.length,
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

  /** Runs a call that changes nothing under its options. */
  protected call<T extends CallOptions, R>(
    what: string,
    options: T,
    checks: OptionChecks<T>,
    run: (signal: AbortSignal | undefined) => Promise<R>,
  ): Promise<R> {
    return withCall(what, options, checks, (signal) => {
      this.core.checkServing(what);
      return run(signal);
    });
  }

  /** Runs a call that writes under its options. */
  protected change<T extends CallOptions, R>(
    what: string,
    options: T,
    checks: OptionChecks<T>,
    run: (signal: AbortSignal | undefined) => Promise<R>,
  ): Promise<R> {
    return withCall(what, options, checks, (signal) => {
      this.core.checkServing(what, "not-applied");
      return run(signal);
    });
  }

  #read(key: string): Entry | undefined {
    checkKey(key);
    return getValue(this.core, key);
  }
}

function stepOf(operation: BatchOperation): BatchStep {
  try {
    checkOperation(operation);
    checkKey(operation.key);
    if (operation.op !== "put") return operation;
    const { key, value, contentType, ttlMs } = operation;
    return { op: "put", key, ttlMs, ...encodeValue(value, contentType) };
  } catch (error) {
    const { key = "" } = (operation ?? {}) as Partial<BatchOperation>;
    return { op: "bad", key: String(key), error: toNodeError(error) };
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
