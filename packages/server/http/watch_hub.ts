import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { ChangeFeed, FeedChange } from "../change_feed.ts";
import { isWatched } from "../watch_keys.ts";
import { FrameCache, FrameOutput, WatchPacket, changeFrame, resetFrame } from "./watch_frames.ts";
import { WatchGroups, type WatchFilter, type WatchGroup } from "./watch_groups.ts";

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

/**
 * Events are encoded once for all watchers of a filter. They wait so long for further ones at least, and longer
 * the more writes the last flush took: what a write costs hardly depends on how much is in it.
 */
const minFlushMs = 10;
const maxFlushMs = 40;
const writesPerMs = 25;
/** Up to so many watchers nothing is held back. */
const promptWatchers = 32;

/** Watchers that are written to between two looks at the clock, and how long a turn of that may take. */
const sliceWatchers = 16;
const sliceMs = 2;

interface Watcher {
  readonly response: ServerResponse;
  /** Changes up to here were made before the watch began. */
  readonly skipTo: number;
  /** How many changes had been taken when it joined: it has read those itself. */
  readonly joinedAt: number;
}

/** What some watchers are sent. */
interface Delivery {
  readonly packet: WatchPacket;
  readonly watchers: readonly Watcher[];
}

/**
 * All watches of a node over HTTP. A thousand of them cost one encoding per change and one write per
 * watcher and flush, and a flush lets the event loop go every few milliseconds, so that requests are
 * answered meanwhile; what changes in this time goes out with the next one. A reader that does not keep
 * up is cut: it comes back with its last id and reads what it missed from the map, so that no memory
 * is held for it.
 */
export class WatchHub {
  readonly #feed: ChangeFeed;
  readonly #maxWaitingBytes: number;
  readonly #heartbeatMs: number;
  readonly #groups = new WatchGroups<Watcher>();
  readonly #responses = new Set<ServerResponse>();
  readonly #closing = new AbortController();
  #pending: FeedChange[] = [];
  /** Changes that were taken and are not pending any more. */
  #flushed = 0;
  #flushing = false;
  /** Writes of the last flush. */
  #writes = 0;
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
      let { counter, expiries } = start;
      for (;;) {
        // Between the last page and joining there is no pause: nothing falls into the gap.
        const gone = this.#feed.expiredFrom(expiries, counter);
        expiries = gone.next;
        const missed = gone.changes.filter(({ key }) => isWatched(key, filter));
        if (missed.length > 0) response.write(this.#frames(missed, filter.values));
        leave = this.#join(response, filter, counter);
        if (leave !== undefined) break;
        const page = this.#feed.page(counter);
        counter = page.counter;
        const reset = page.gap
          ? resetFrame(this.#feed.idOf(counter), "the change log does not reach back so far")
          : "";
        const wanted = page.changes.filter(({ key }) => isWatched(key, filter));
        const text = reset + this.#frames(wanted, filter.values);
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
    this.#stopListening?.();
  }

  /** Joins the live feed; undefined while changes before it are still to be read. */
  #join(response: ServerResponse, filter: WatchFilter, counter: number): (() => void) | undefined {
    if (counter < this.#feed.cursor) return undefined;
    // Changes that wait to go out have been read already.
    const joinedAt = this.#flushed + this.#pending.length;
    const leave = this.#groups.add({ response, skipTo: counter, joinedAt }, filter);
    this.#stopListening ??= this.#feed.listen((changes) => this.#take(changes));
    return () => {
      leave();
      if (this.#groups.size > 0) return;
      this.#stopListening?.();
      this.#stopListening = undefined;
      this.#flushed += this.#pending.length;
      this.#pending = [];
    };
  }

  #take(changes: readonly FeedChange[]): void {
    for (const change of changes) this.#pending.push(change);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushing || this.#pending.length === 0) return;
    this.#flushing = true;
    if (this.#responses.size <= promptWatchers) setImmediate(() => this.#flush());
    else {
      const pauseMs = Math.min(maxFlushMs, Math.max(minFlushMs, this.#writes / writesPerMs));
      setTimeout(() => this.#flush(), pauseMs);
    }
  }

  #flush(): void {
    const changes = this.#pending;
    const first = this.#flushed;
    this.#pending = [];
    this.#flushed += changes.length;
    const deliveries = this.#address(changes, first);
    this.#writes = deliveries.reduce((sum, { watchers }) => sum + watchers.length, 0);
    this.#deliver(deliveries, 0, 0);
  }

  /**
   * Who is sent what.
   *
   * @param first how many changes were taken before these
   */
  #address(changes: readonly FeedChange[], first: number): Delivery[] {
    const frames = new FrameCache((counter) => this.#feed.idOf(counter));
    const seen = new Map<WatchGroup<Watcher>, number[]>();
    changes.forEach(({ key }, index) => {
      this.#groups.forEach(key, (group) => {
        const list = seen.get(group);
        if (list === undefined) seen.set(group, [index]);
        else list.push(index);
      });
    });
    const least = changes.find(({ type }) => type !== "expire")?.counter ?? Infinity;
    const deliveries: Delivery[] = [];
    for (const [{ filter, watchers }, list] of seen) {
      const packetFor = (skipTo: number, joinedAt: number): WatchPacket => {
        const output = new FrameOutput();
        for (const index of list) {
          const change = changes[index];
          if (change === undefined || first + index < joinedAt) continue;
          if (change.type !== "expire" && change.counter <= skipTo) continue;
          frames.addTo(output, change, filter.values);
        }
        return output.packet;
      };
      const all: Watcher[] = [];
      for (const watcher of watchers) {
        const { skipTo, joinedAt } = watcher;
        if (skipTo < least && joinedAt <= first) all.push(watcher);
        else deliveries.push({ packet: packetFor(skipTo, joinedAt), watchers: [watcher] });
      }
      if (all.length > 0) deliveries.push({ packet: packetFor(0, 0), watchers: all });
    }
    return deliveries;
  }

  /** Writes to watchers, a slice at a time, from one of a delivery on. */
  #deliver(deliveries: readonly Delivery[], from: number, fromWatcher: number): void {
    const until = performance.now() + sliceMs;
    let written = 0;
    for (let index = from; index < deliveries.length; index += 1) {
      const delivery = deliveries[index];
      if (delivery === undefined) continue;
      const { packet, watchers } = delivery;
      for (let at = index === from ? fromWatcher : 0; at < watchers.length; at += 1) {
        if (written === sliceWatchers) {
          if (performance.now() > until) {
            setImmediate(() => this.#deliver(deliveries, index, at));
            return;
          }
          written = 0;
        }
        const watcher = watchers[at];
        if (watcher !== undefined) this.#write(watcher.response, packet);
        written += 1;
      }
    }
    this.#flushing = false;
    this.#flushSoon();
  }

  #write(response: ServerResponse, packet: WatchPacket): void {
    if (response.destroyed || response.writableEnded) return;
    if (response.writableLength > this.#maxWaitingBytes) {
      this.#cut += 1;
      response.destroy();
      return;
    }
    packet.writeTo(response);
  }

  #frames(changes: readonly FeedChange[], values: boolean): string {
    return changes
      .map((change) => changeFrame(change, this.#feed.idOf(change.counter), values))
      .join("");
  }

  #startHeartbeat(): void {
    if (this.#heartbeat !== undefined || this.#closing.signal.aborted) return;
    const comment = new WatchPacket([":\n\n"]);
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
