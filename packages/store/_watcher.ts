import type { Change, EntryEvent, ResetReason, WatchOptions } from "./map_options.ts";

/** What a watcher is made from. */
export interface WatcherOptions extends WatchOptions {
  /** The highest counter that is durable. */
  readonly committed: () => number;

  /** The highest counter. */
  readonly counter: () => number;

  /** The next committed changes after a counter; none when that is all. */
  readonly page: (after: number) => Change[];
  readonly onEnd: () => void;
  readonly onReset: () => void;
}

const END = { done: true, value: undefined } as const;

type Result = IteratorResult<Change, undefined>;

/**
 * One reader of changes. Changes wait in a bounded buffer until they are committed and asked for; when
 * the buffer is full, all of it is replaced by one `reset`, and it goes on from there.
 *
 * One that begins in the past reads the map's own log page by page until it has caught up, and only then
 * fills its buffer: however much was missed, no more than a page of it is in memory.
 */
export class Watcher implements AsyncIterableIterator<Change, undefined> {
  readonly #options: WatcherOptions;
  /** What came last, in order, and before it what comes next, in reverse. */
  #buffer: Change[] = [];
  #next: Change[] = [];
  #bytes = 0;
  /** Where the next page begins, while it catches up. */
  #cursor: number | undefined;
  #waiting: ((result: Result | Promise<Result>) => void)[] = [];
  #ended = false;
  #error: Error | undefined;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#cursor = options.after;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }

  async next(): Promise<Result> {
    const value = this.#ready();
    if (value !== undefined) return { done: false, value };
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
    if (this.#ended) return END;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async return(): Promise<Result> {
    this.end();
    this.#clear();
    this.#cursor = undefined;
    return END;
  }

  /** Takes in a change, if it is of interest. */
  push(change: EntryEvent): void {
    if (this.#cursor !== undefined || !this.#wants(change)) return;
    const waiting = this.#buffer.length + this.#next.length;
    const bytes = this.#bytes + bytesOf(change);
    const { bufferSize = 1024, bufferBytes = 16777216 } = this.#options;
    if (waiting >= bufferSize || (waiting > 0 && bytes > bufferBytes)) {
      this.reset("slow-reader", change.counter);
      return;
    }
    this.#bytes = bytes;
    this.#buffer.push(change);
  }

  /** Replaces everything that waits by a `reset`. */
  reset(reason: ResetReason, counter: number): void {
    if (this.#cursor !== undefined) return; // its next page begins with a reset if it must
    this.#clear();
    this.#buffer.push({ type: "reset", reason, counter });
    this.#options.onReset();
  }

  /** Gives out what is committed to those who wait. */
  release(): void {
    while (this.#waiting.length > 0) {
      const change = this.#ready();
      if (change === undefined) return;
      this.#waiting.shift()?.({ done: false, value: change });
    }
  }

  /** Ends the watch with an error. */
  fail(error: Error): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#error = error;
    else waiting(Promise.reject(error));
    this.end();
  }

  /** Ends the watch: what is committed is still given out. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const resolve of this.#waiting) resolve(END);
    this.#waiting = [];
    this.#options.onEnd();
  }

  #wants(change: Change): boolean {
    if (change.type === "reset") return true;
    const { prefix = "", key = change.key } = this.#options;
    return change.key === key && change.key.startsWith(prefix);
  }

  #ready(): Change | undefined {
    if (this.#cursor !== undefined) this.#catchUp(this.#cursor);
    if (this.#next.length === 0) {
      this.#next = this.#buffer.reverse();
      this.#buffer = [];
    }
    const change = this.#next.at(-1);
    if (change === undefined || change.counter > this.#options.committed()) return undefined;
    this.#next.pop();
    this.#bytes -= bytesOf(change);
    return change;
  }

  /** Reads on in the map's log until something of interest was found, or all of it was read. */
  #catchUp(from: number): void {
    let cursor = from;
    while (this.#buffer.length + this.#next.length === 0) {
      const page = this.#options.page(cursor);
      cursor = page.at(-1)?.counter ?? cursor;
      this.#cursor = cursor;
      if (page.length === 0) {
        if (this.#options.committed() >= this.#options.counter()) this.#cursor = undefined;
        return;
      }
      for (const change of page) {
        if (!this.#wants(change)) continue;
        this.#buffer.push(change);
        this.#bytes += bytesOf(change);
      }
    }
  }

  #clear(): void {
    this.#buffer = [];
    this.#next = [];
    this.#bytes = 0;
  }
}

function bytesOf(change: Change): number {
  return change.type === "reset" ? 0 : change.entry.value.length;
}
