import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { versionToEtag, versionToMs } from "@dnd/client";
import type { ChangeFeed, FeedChange } from "../change_feed.ts";
import { timeText } from "../entry_text.ts";
import { isWatched } from "../watch_keys.ts";
import { itemJson } from "./item_json.ts";

/** What one watcher wants to see. */
export interface WatchFilter {
  readonly prefix?: string | undefined;
  readonly key?: string | undefined;
  readonly values: boolean;
}

/** How a hub works. */
export interface WatchHubOptions {
  /**
   * Bytes that wait in this process for one slow reader (default 1 MiB) before it is cut. What waits in
   * the kernel comes on top. Higher: more memory for each slow reader.
   */
  readonly maxWaitingBytes?: number;
  /** Time between two comments that keep proxies awake (default 15 s). */
  readonly heartbeatMs?: number;
}

/** Events are encoded once for all watchers of a filter and go out at most so often. */
const flushMs = 10;
/** Up to so many watchers nothing is held back. */
const promptWatchers = 32;

interface Group {
  readonly filter: WatchFilter;
  readonly watchers: Set<Watcher>;
}

interface Watcher {
  readonly response: ServerResponse;
  /** Changes up to here were made before the watch began. */
  skipTo: number;
}

/**
 * All watches of a node over HTTP. A thousand of them cost one encoding per change and filter and one
 * write per watcher and flush. A reader that does not keep up is cut: it comes back with its last id
 * and reads what it missed from the map, so that no memory is held for it.
 */
export class WatchHub {
  readonly #feed: ChangeFeed;
  readonly #maxWaitingBytes: number;
  readonly #heartbeatMs: number;
  readonly #groups = new Map<string, Group>();
  readonly #responses = new Set<ServerResponse>();
  readonly #closing = new AbortController();
  #pending: FeedChange[] = [];
  #flushTimer: ReturnType<typeof setTimeout> | ReturnType<typeof setImmediate> | undefined;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #stopListening: (() => void) | undefined;
  #cut = 0;

  /** @param feed where the changes come from */
  constructor(feed: ChangeFeed, options: WatchHubOptions = {}) {
    this.#feed = feed;
    this.#maxWaitingBytes = options.maxWaitingBytes ?? 1024 * 1024;
    this.#heartbeatMs = options.heartbeatMs ?? 15_000;
  }

  /** Open watches. */
  get size(): number {
    return this.#responses.size;
  }

  /** Readers that were cut because they were slow. */
  get cut(): number {
    return this.#cut;
  }

  /**
   * Serves one watch until the client or the hub ends it. The head is out already.
   *
   * @param after the id behind which to continue
   */
  async serve(
    response: ServerResponse,
    filter: WatchFilter,
    options: { readonly after: string | undefined; readonly signal: AbortSignal },
  ): Promise<void> {
    const ended = AbortSignal.any([options.signal, this.#closing.signal]);
    if (ended.aborted) return;
    this.#responses.add(response);
    this.#startHeartbeat();
    const start = this.#feed.startAfter(options.after);
    // With the id, a reader that is cut before its first event misses nothing when it comes back.
    response.write(`: dnd\nretry: 1000\n\nid: ${this.#feed.idOf(start.counter)}\n\n`);
    if (start.reset !== undefined) {
      response.write(resetFrame(this.#feed.idOf(start.counter), start.reset));
    }
    let leave: (() => void) | undefined;
    try {
      let counter = start.counter;
      for (;;) {
        // Between the last page and joining there is no pause: nothing falls into the gap.
        leave = this.#join(response, filter, counter);
        if (leave !== undefined) break;
        const page = this.#feed.page(counter);
        counter = page.counter;
        let text = page.gap
          ? resetFrame(this.#feed.idOf(counter), "the change log does not reach back so far")
          : "";
        for (const change of page.changes) {
          if (isWatched(change.key, filter)) text += this.#frame(change, filter.values);
        }
        if (text !== "" && !response.write(text)) await once(response, "drain", { signal: ended });
      }
      await new Promise<void>((resolve) => {
        ended.addEventListener("abort", () => resolve(), { once: true });
      });
    } catch (error) {
      if (!ended.aborted) throw error;
    } finally {
      leave?.();
      this.#responses.delete(response);
      if (this.#responses.size === 0) this.#stopHeartbeat();
    }
  }

  /** Ends all watches. */
  close(): void {
    this.#closing.abort();
    this.#stopHeartbeat();
    this.#groups.clear();
    this.#stopListening?.();
  }

  /** Joins the live feed; undefined while changes before it are still to be read. */
  #join(response: ServerResponse, filter: WatchFilter, counter: number): (() => void) | undefined {
    if (this.#stopListening !== undefined && this.#pending.length > 0) this.#flush();
    if (counter < this.#feed.cursor) return undefined;
    const name = JSON.stringify([filter.key ?? null, filter.prefix ?? "", filter.values]);
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { filter, watchers: new Set() };
      this.#groups.set(name, group);
    }
    const { watchers } = group;
    const watcher: Watcher = { response, skipTo: counter > this.#feed.cursor ? counter : 0 };
    watchers.add(watcher);
    this.#stopListening ??= this.#feed.listen((changes) => this.#take(changes));
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0) this.#groups.delete(name);
      if (this.#groups.size === 0) {
        this.#stopListening?.();
        this.#stopListening = undefined;
        this.#pending = [];
      }
    };
  }

  #take(changes: readonly FeedChange[]): void {
    for (const change of changes) this.#pending.push(change);
    if (this.#flushTimer !== undefined) return;
    if (this.#responses.size <= promptWatchers) {
      this.#flushTimer = setImmediate(() => this.#flush());
    } else this.#flushTimer = setTimeout(() => this.#flush(), flushMs);
  }

  #flush(): void {
    this.#flushTimer = undefined;
    const changes = this.#pending;
    this.#pending = [];
    if (changes.length === 0) return;
    const frames: Record<"true" | "false", (string | undefined)[]> = { true: [], false: [] };
    for (const { filter, watchers } of this.#groups.values()) {
      const encoded = frames[filter.values ? "true" : "false"];
      const pick = (above: number): Buffer => {
        let text = "";
        changes.forEach((change, index) => {
          if (change.counter <= above && change.type !== "expire") return;
          if (!isWatched(change.key, filter)) return;
          text += encoded[index] ??= this.#frame(change, filter.values);
        });
        return Buffer.from(text);
      };
      let shared: Buffer | undefined;
      const last = changes.at(-1)?.counter ?? 0;
      for (const watcher of watchers) {
        const bytes = watcher.skipTo === 0 ? (shared ??= pick(0)) : pick(watcher.skipTo);
        if (watcher.skipTo <= last) watcher.skipTo = 0;
        if (bytes.length > 0) this.#write(watcher.response, bytes);
      }
    }
  }

  #write(response: ServerResponse, bytes: Buffer): void {
    if (response.destroyed) return;
    if (response.writableLength > this.#maxWaitingBytes) {
      this.#cut += 1;
      response.destroy();
      return;
    }
    response.write(bytes);
  }

  #frame({ type, key, entry, counter }: FeedChange, values: boolean): string {
    const data =
      type === "put"
        ? itemJson(entry, values)
        : JSON.stringify({
            key,
            etag: versionToEtag(entry.version),
            modified: timeText(versionToMs(entry.version)),
          });
    return `event: ${type}\nid: ${this.#feed.idOf(counter)}\ndata: ${data}\n\n`;
  }

  #startHeartbeat(): void {
    if (this.#heartbeat !== undefined || this.#closing.signal.aborted) return;
    const comment = Buffer.from(":\n\n");
    this.#heartbeat = setInterval(() => {
      for (const response of this.#responses) this.#write(response, comment);
    }, this.#heartbeatMs);
    this.#heartbeat.unref();
  }

  #stopHeartbeat(): void {
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }
}

function resetFrame(id: string, reason: string): string {
  return `event: reset\nid: ${id}\ndata: ${JSON.stringify({ reason })}\n\n`;
}
