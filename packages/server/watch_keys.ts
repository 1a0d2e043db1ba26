import {
  checkKey,
  decodeValue,
  DndError,
  versionToEtag,
  versionToMs,
  type Change,
  type Watch,
  type WatchOptions,
} from "@dnd/client";
import { checkOptions, watchChecks } from "@dnd/client/options";
import type { FeedChange, FeedStart } from "./change_feed.ts";
import { unknownType } from "./entry_text.ts";
import type { NodeCore } from "./node_core.ts";
import { invalidArgument } from "./node_error.ts";

/** Changes that wait for a slow reader; beyond, they are read again from the map, or reset. */
const maxBuffered = 1024;

/** The same in bytes of their values: a waiting change keeps its entry in memory. */
const maxBufferedBytes = 4 * 1024 * 1024;

/** Whether a change is for a watch of this prefix or key. */
export function isWatched(
  key: string,
  filter: { readonly prefix?: string | undefined; readonly key?: string | undefined },
): boolean {
  return filter.key === undefined ? key.startsWith(filter.prefix ?? "") : key === filter.key;
}

/** Follows the committed changes of a node. */
export function watchKeys<T>(node: NodeCore, options: WatchOptions): Watch<T> {
  return new NodeWatch<T>(node, options);
}

type Reset = Extract<Change, { type: "reset" }>;

class NodeWatch<T> implements Watch<T> {
  readonly opened: Promise<void>;
  readonly #node: NodeCore;
  readonly #options: WatchOptions;
  readonly #error: Error | undefined;
  readonly #stopListening: () => void = () => undefined;
  readonly #onAbort = (): void => this.#end();
  #buffer: (FeedChange | Reset)[] = [];
  #bufferedBytes = 0;
  /** Set while the reader is behind the listeners: changes above it are read from the map. */
  #behind: number | undefined;
  #waiting: ((result: IteratorResult<Change<T>>) => void)[] = [];
  #ended = false;
  #lastEventId: string | undefined;

  constructor(node: NodeCore, given: WatchOptions) {
    this.#node = node;
    try {
      checkOptions("watch", given, watchChecks);
      if (given.key !== undefined) checkKey(given.key);
      node.checkServing("watch");
    } catch (error) {
      this.#error = error as Error;
    }
    const options = this.#error === undefined ? given : {};
    this.#options = options;
    if (options.prefix !== undefined && options.key !== undefined) {
      this.#error = invalidArgument("Cannot watch: give a prefix or a key, not both");
    }
    if (this.#error !== undefined) {
      this.opened = Promise.reject(this.#error);
      this.opened.catch(() => undefined);
      return;
    }
    if (options.signal?.aborted === true) {
      this.#ended = true;
      const never = "Cannot watch: it ended before it was established";
      this.opened = Promise.reject(new DndError("closed", never));
      this.opened.catch(() => undefined);
      return;
    }
    this.opened = Promise.resolve();
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    const start = node.feed.startAfter(options.after);
    const end = (): void => this.#end();
    this.#stopListening = node.feed.listen((changes) => this.#take(changes), end);
    this.#begin(start);
  }

  /** Changes up to here were made before the watch began, but are not committed yet. */
  #skipTo = 0;

  /** While the reader is behind: what has expired from here on was not told. */
  #expiries = 0;

  get lastEventId(): string | undefined {
    return this.#lastEventId;
  }

  next(): Promise<IteratorResult<Change<T>>> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#buffer.length === 0 && this.#behind !== undefined && !this.#ended) this.#catchUp();
    const change = this.#buffer.shift();
    if (change !== undefined && change.type !== "reset") {
      this.#bufferedBytes -= change.entry.value.length;
    }
    if (change !== undefined) return Promise.resolve({ done: false, value: this.#handOut(change) });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async return(): Promise<IteratorResult<Change<T>>> {
    this.#end();
    return { done: true, value: undefined };
  }

  async close(): Promise<void> {
    this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #handOut(waiting: FeedChange | Reset): Change<T> {
    const change = waiting.type === "reset" ? waiting : this.#dress(waiting);
    if (change.id !== undefined) this.#lastEventId = change.id;
    return change;
  }

  #take(changes: readonly FeedChange[]): void {
    if (this.#behind !== undefined) return;
    for (const change of changes) {
      if (change.type !== "expire" && change.counter <= this.#skipTo) continue;
      if (!isWatched(change.key, this.#options)) continue;
      this.#push(change);
    }
    if (this.#buffer.length > maxBuffered || this.#bufferedBytes > maxBufferedBytes) {
      // A slow reader: what waits is dropped, and read again from the map when it comes.
      this.#buffer = [];
      this.#bufferedBytes = 0;
      if (this.#lastEventId === undefined) {
        this.#skipTo = changes.at(-1)?.counter ?? 0;
        this.#push({
          type: "reset",
          id: this.#node.feed.idOf(this.#skipTo),
          reason: "the reader was too slow",
        });
      } else this.#begin(this.#node.feed.startAfter(this.#lastEventId));
    }
  }

  #begin(start: FeedStart): void {
    const { feed } = this.#node;
    const { counter, reset } = start;
    if (reset !== undefined) this.#push({ type: "reset", id: feed.idOf(counter), reason: reset });
    else if (counter < feed.cursor) {
      this.#behind = counter;
      this.#expiries = start.expiries;
    } else {
      if (counter > feed.cursor) this.#skipTo = counter;
      this.#addExpired(start.expiries, counter);
    }
  }

  /** @returns where the next look begins */
  #addExpired(from: number, counter: number): number {
    const { changes, next } = this.#node.feed.expiredFrom(from, counter);
    for (const change of changes) {
      if (isWatched(change.key, this.#options)) this.#add(change);
    }
    return next;
  }

  /** Reads the next changes from the map, until one is found or the listeners are reached. */
  #catchUp(): void {
    while (this.#behind !== undefined && this.#buffer.length === 0) {
      const from: number = this.#behind;
      this.#expiries = this.#addExpired(this.#expiries, from);
      const { changes, counter, gap } = this.#node.feed.page(from);
      if (gap) {
        this.#buffer.push({
          type: "reset",
          id: this.#node.feed.idOf(counter),
          reason: "the change log does not reach back so far",
        });
      }
      for (const change of changes) {
        if (isWatched(change.key, this.#options)) this.#add(change);
      }
      this.#behind = counter >= this.#node.feed.cursor || counter === from ? undefined : counter;
    }
  }

  #add(change: FeedChange): void {
    this.#buffer.push(change);
    this.#bufferedBytes += change.entry.value.length;
  }

  #push(change: FeedChange | Reset): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) {
      if (change.type === "reset") this.#buffer.push(change);
      else this.#add(change);
    } else waiting({ done: false, value: this.#handOut(change) });
  }

  #dress(change: FeedChange): Change<T> {
    const { entry, key } = change;
    const id = this.#node.feed.idOf(change.counter);
    const { version } = entry;
    const etag = versionToEtag(version);
    if (change.type !== "put") return { type: change.type, id, key, version, etag };
    const contentType = entry.contentType ?? unknownType;
    return {
      type: "put",
      id,
      key,
      version,
      etag,
      contentType,
      size: entry.value.length,
      modifiedAt: versionToMs(version),
      ...(entry.expiresAt === undefined ? {} : { expiresAt: entry.expiresAt }),
      ...(this.#options.values === true
        ? { value: decodeValue(new Uint8Array(entry.value), contentType) as T }
        : {}),
    };
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopListening();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#buffer = [];
    this.#bufferedBytes = 0;
    for (const waiting of this.#waiting.splice(0)) waiting({ done: true, value: undefined });
  }
}
