import type { Entry } from "@dnd/store";
import { compareVersions } from "@dnd/store";
import { entryBytes } from "./entry_bytes.ts";

/** One packet of rumors and those it goes to. */
export interface OutboxPacket {
  readonly to: readonly string[];
  readonly entries: readonly Entry[];
  readonly bytes: number;
}

/** An entry that is too large for a packet, and those it goes to over the peer stream. */
export interface OutboxPush {
  readonly to: readonly string[];
  readonly entry: Entry;
}

/** Entries for the peer streams, in one piece. */
export type OutboxBulk = OutboxPacket;

/** When a flush is, and whom it reaches how. */
export interface OutboxFlushOptions {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whether a write may go to this member over its peer stream now; absent: to nobody. */
  readonly isStreamed?: ((member: string) => boolean) | undefined;
}

/** What one flush gives out. */
export interface OutboxFlush {
  readonly bulks: readonly OutboxBulk[];
  readonly packets: readonly OutboxPacket[];
  readonly pushes: readonly OutboxPush[];
  /** When the next flush is due: 0 = in the next turn; `undefined` = nothing is left. */
  readonly nextInMs: number | undefined;
}

/** How an outbox behaves; the fields are those of `ReplicationOptions`. */
export interface OutboxOptions {
  readonly maxUpdateBytes: number;
  readonly directLimit: number;
  readonly fanout: number;
  readonly rounds: number;
  readonly roundIntervalMs: number;
  readonly outboxEntries: number;
  readonly outboxBytes: number;
  readonly flushPackets: number;
  readonly bulkBytes: number;
  readonly frameBytes: number;
  /** Numbers in [0, 1), for the choice of receivers. */
  readonly prng: () => number;
}

/** The counter of an encoded update: tag and up to 8 bytes. */
const UPDATE_BYTES = 9;

/** Bytes that one piece of a burst has at most: it is merged in one turn. */
const MAX_BULK_BYTES = 64 * 1024;

interface Item {
  readonly entry: Entry;
  readonly bytes: number;
  /** Who told us; absent for a write of our own. */
  readonly from: string | undefined;
  roundsLeft: number;
  dueAt: number;
}

/**
 * The entries that still have to be told, one for each key: a newer version takes the place of the
 * older one, so a key that is written a thousand times in a turn costs one rumor.
 *
 * In a small cluster a write goes to everybody at once: over the peer stream where one is open and nothing
 * waits for it, which saves two changes of thread and their wake-ups at each end, else in a packet. Each receiver
 * passes what was new to it on to one other in packets, a round later, when many are in one and nobody
 * waits for this thread: a lost packet, or a stream that was cut, is healed by a second way. In a
 * large one each node that learns an entry tells `fanout` others in each of `rounds` rounds: with
 * `f` tellings each, a part of about `e^-f` of the nodes hears nothing (4 x 2: one in 3,000), and the
 * exchange brings it to those. (Demers et al., "Epidemic algorithms for replicated database
 * maintenance", section 1.4.)
 *
 * A burst in a small cluster goes over the peer streams: what fills more than a few packets costs less there,
 * is not lost where a buffer overflows, and need not be passed on.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #items = new Map<string, Item>();
  /** Items that were added for later, the first due first: a flush does not look at them before. */
  readonly #later = new Map<string, Item>();
  #bytes = 0;
  #laterBytes = 0;
  #dropped = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Entries that wait. */
  get size(): number {
    return this.#items.size + this.#later.size;
  }

  /** Bytes of the entries that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Entries that found no room so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Adds an entry, or replaces an older version of its key.
   *
   * @param options `from`: who told it; `dueAt`: when to tell it, no more than one round from now
   * @returns whether it will be told; `false`: there was no room, the exchange has to bring it
   */
  add(
    entry: Entry,
    options: { readonly from?: string; readonly now: number; readonly dueAt?: number },
  ): boolean {
    const held = this.#items.get(entry.key) ?? this.#later.get(entry.key);
    if (held !== undefined) {
      if (compareVersions(held.entry.version, entry.version) >= 0) return true;
      this.#remove(held);
    }
    const bytes = entryBytes(entry);
    if (
      this.size >= this.#options.outboxEntries ||
      this.#bytes + bytes > this.#options.outboxBytes
    ) {
      this.#dropped += 1;
      return false;
    }
    const { from, now, dueAt = now } = options;
    const item = { entry, bytes, from, roundsLeft: this.#options.rounds, dueAt };
    if (dueAt > now) {
      this.#later.set(entry.key, item);
      this.#laterBytes += bytes;
    } else this.#items.set(entry.key, item);
    this.#bytes += bytes;
    return true;
  }

  /**
   * Fills packets with what is due.
   *
   * @param members the other members that can be told
   */
  flush(members: readonly string[], options: OutboxFlushOptions): OutboxFlush {
    if (members.length === 0) {
      this.#later.clear();
      this.#laterBytes = 0;
      this.#items.clear(); // nobody to tell: whoever comes later copies by exchange
      this.#bytes = 0;
      return { bulks: [], packets: [], pushes: [], nextInMs: undefined };
    }
    const { now, isStreamed } = options;
    const small = members.length <= this.#options.directLimit;
    const order = this.#shuffle(members);
    const groups = new Map<string, { to: readonly string[]; items: Item[]; bytes: number }>();
    const packets: OutboxPacket[] = [];
    const pushes: OutboxPush[] = [];
    const bulks: OutboxBulk[] = [];
    let rest = order;
    if (small && this.#bytes - this.#laterBytes > this.#options.bulkBytes)
      this.#takeBulks(order, bulks);
    else if (small && isStreamed !== undefined) {
      const streamed = order.filter(isStreamed);
      rest = order.filter((id) => !streamed.includes(id));
      if (streamed.length > 0) this.#takeBulks(streamed, bulks, rest.length > 0);
    }
    const close = (group: { to: readonly string[]; items: Item[]; bytes: number }): void => {
      if (group.items.length === 0) return;
      const entries = group.items.map((item) => item.entry);
      packets.push({ to: group.to, entries, bytes: group.bytes });
      group.items = [];
      group.bytes = UPDATE_BYTES;
    };
    let nextInMs = this.#takeLater(now);
    for (const item of this.#items.values()) {
      const waitMs = this.#waitMs(item, now);
      if (waitMs > 0) {
        nextInMs = Math.min(nextInMs ?? Infinity, waitMs);
        continue;
      }
      if (packets.length >= this.#options.flushPackets) {
        nextInMs = 0;
        break;
      }
      const isLarge = item.bytes + UPDATE_BYTES > this.#options.maxUpdateBytes;
      const isOwn = item.from === undefined;
      const to = this.#receivers(isOwn && !isLarge ? rest : order, item, small);
      if (to.length > 0) {
        if (isLarge) {
          pushes.push({ to, entry: item.entry });
        } else {
          const name = to.join();
          let group = groups.get(name);
          if (group === undefined)
            groups.set(name, (group = { to, items: [], bytes: UPDATE_BYTES }));
          if (group.bytes + item.bytes + UPDATE_BYTES > this.#options.maxUpdateBytes) close(group);
          group.items.push(item);
          group.bytes += item.bytes;
        }
      }
      item.roundsLeft -= 1;
      if (small || item.roundsLeft <= 0 || isLarge) this.#remove(item);
      else {
        item.dueAt = now + this.#options.roundIntervalMs;
        nextInMs = Math.min(nextInMs ?? Infinity, this.#options.roundIntervalMs);
      }
    }
    for (const group of groups.values()) close(group);
    return { bulks, packets, pushes, nextInMs };
  }

  /** How long it is until an item is due; 0 also if it is more than a round: then the clock was set back. */
  #waitMs({ dueAt }: Item, now: number): number {
    const waitMs = dueAt - now;
    return waitMs > 0 && waitMs <= this.#options.roundIntervalMs ? waitMs : 0;
  }

  /** Takes what has waited for its time. @returns how long the rest waits */
  #takeLater(now: number): number | undefined {
    for (const item of this.#later.values()) {
      const waitMs = this.#waitMs(item, now);
      if (waitMs > 0) return waitMs;
      this.#later.delete(item.entry.key);
      this.#laterBytes -= item.bytes;
      this.#items.set(item.entry.key, item);
    }
    return undefined;
  }

  /** Takes all writes of this node that fit into packets, in frames; `keep`: others get them in packets. */
  #takeBulks(to: readonly string[], bulks: OutboxBulk[], keep = false): void {
    const { maxUpdateBytes, frameBytes } = this.#options;
    const most = Math.min(frameBytes, MAX_BULK_BYTES);
    let entries: Entry[] = [];
    let bytes = UPDATE_BYTES;
    for (const item of this.#items.values()) {
      if (item.from !== undefined || item.bytes + UPDATE_BYTES > maxUpdateBytes) continue;
      if (!keep) this.#remove(item);
      if (bytes + item.bytes > most && entries.length > 0) {
        bulks.push({ to, entries, bytes });
        entries = [];
        bytes = UPDATE_BYTES;
      }
      entries.push(item.entry);
      bytes += item.bytes;
    }
    if (entries.length > 0) bulks.push({ to, entries, bytes });
  }

  #receivers(order: readonly string[], item: Item, small: boolean): readonly string[] {
    const { from } = item;
    if (from === undefined) return small ? order : order.slice(0, this.#options.fanout);
    // Large entries travel on the peer stream, which loses nothing: in a small cluster one telling is enough.
    if (small && item.bytes + UPDATE_BYTES > this.#options.maxUpdateBytes) return [];
    const limit = small ? 1 : this.#options.fanout;
    const to: string[] = [];
    for (const id of order) {
      if (to.length === limit) break;
      if (id !== from && id !== item.entry.version.node) to.push(id);
    }
    return to;
  }

  #shuffle(members: readonly string[]): readonly string[] {
    const order = [...members];
    for (let i = order.length - 1; i > 0; i -= 1) {
      const j = Math.floor(this.#options.prng() * (i + 1));
      const a = order[i] as string;
      order[i] = order[j] as string;
      order[j] = a;
    }
    return order;
  }

  #remove(item: Item): void {
    if (!this.#items.delete(item.entry.key)) {
      this.#later.delete(item.entry.key);
      this.#laterBytes -= item.bytes;
    }
    this.#bytes -= item.bytes;
  }
}
