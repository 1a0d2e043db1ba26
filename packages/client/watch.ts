/// <reference lib="esnext.disposable" preserve="true" />
import type { ListItem, Version } from "./key_value_types.ts";

/** Options of a watch. */
export interface WatchOptions {
  /** Only keys that start so. Default: all. Not together with `key`. */
  readonly prefix?: string;
  /** Only this key. */
  readonly key?: string;
  /** Whether `put` changes carry the value. Default false. */
  readonly values?: boolean;
  /** Continue behind this change: the `id` of a change, or `event` of a receipt or page. */
  readonly after?: string;
  /** Ends the watch: the iterator is done. */
  readonly signal?: AbortSignal;
}

/** A change of one key, or the news that changes may have been missed. */
export type Change<T = unknown> =
  | ({ readonly type: "put"; readonly id: string } & ListItem<T>)
  | {
      readonly type: "delete" | "expire";
      readonly id: string;
      readonly key: string;
      readonly version: Version;
      readonly etag: string;
    }
  | {
      /** Changes may have been missed: list again. Live changes follow. */
      readonly type: "reset";
      readonly id: string | undefined;
      readonly reason: string;
    };

/** A running watch. Leaving the loop, `close()` or the signal ends it. */
export interface Watch<T = unknown> extends AsyncIterableIterator<Change<T>> {
  /**
   * Resolves when the watch is established: a change made after this is seen. Rejects when it cannot
   * be established; the iterator then rejects with the same error. Rejects with code `closed` when
   * the watch is ended before.
   */
  readonly opened: Promise<void>;
  /** The id of the last change handed out, for `after`. */
  readonly lastEventId: string | undefined;
  /** The next change; waits for it. Calls wait for each other. */
  next(): Promise<IteratorResult<Change<T>, undefined>>;
  /** Ends the watch: a waiting `next()` is done. */
  close(): Promise<void>;
  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void>;
}
