import type { Entry, StoredEntry } from "@dnd/store";
import { compareVersions } from "@dnd/store";
import { utf8Bytes } from "./entry_bytes.ts";
import type { SizedFrame } from "./entry_frames.ts";
import { entryFrames } from "./entry_frames.ts";
import { expectPeer } from "./exchange_error.ts";
import type { ExchangeHost, ExchangeTerms } from "./_exchange_host.ts";
import {
  comparableHeads,
  fingerprintOf,
  isReapable,
  packFingerprints,
  unpackFingerprints,
} from "./_exchange_host.ts";
import { peekSafely } from "./replica_map.ts";
import type { LeafItem, LeafList, DigestReply } from "@dnd/protocol";
import type { PeerFrame, ReplicationFrame } from "./wire.ts";

interface Node {
  readonly level: number;
  readonly index: number;
}

/** A node whose list is awaited. */
interface Listed {
  readonly items: Map<string, LeafItem>;

  /** About what they take in memory. */
  itemBytes: number;
  readonly missing: Uint8Array[];

  /** Bytes of fingerprints that were sent, and so can be missing there. */
  missingBytes: number;
}

/** The level of the leaves, and the deepest that an index of 32 bits reaches. */
const LEAF_LEVEL = 3;
const DEEPEST = 6;

/** Requests that wait for their answers at most. */
const MAX_ASKS = 4;
const MAX_LISTS = 64;
const MAX_WANTS = 8;

/** Items of unfinished lists, and bytes of them: a peer that never ends one is cut off. */
const MAX_LISTED_ITEMS = 500_000;
const MAX_LISTED_BYTES = 64 * 1024 * 1024;
const ITEM_BYTES = 64;

/** Keys that wait to be asked for, from which on no list is asked for: a peer that lists anything fills no memory. */
const MAX_KEYS = 8192;

const INDEXES_PER_ASK = 64;
const LEAVES_PER_WANT = 128;
const KEYS_PER_WANT = 512;
const KEY_BYTES_PER_WANT = 64 * 1024;

/**
 * The driving side of a comparison. It asks for the sums below the root, goes down where they differ
 * from its own, and ends at leaves. There it has three ways:
 *
 * - its own leaf is empty: it wants the whole leaf, unlisted (a joining node copies so, in leaf order);
 * - the peer's is empty: it sends its own, unlisted;
 * - else it sends the fingerprints of its entries, 8 bytes each. The peer answers with what it holds
 *   beyond them (key and version) and with the fingerprints it does not know. So of equal entries in a
 *   differing leaf only 8 bytes travel, of differing ones both versions, and of values only those
 *   that win.
 *
 * Everything is pipelined: several requests are on their way at any time.
 *
 * Who missed reaped deletes takes the peer's state below its horizon (rule 1), with one exception: of a key
 * that the peer still holds, in an older version. Had anything newer than that been reaped, the peer would
 * have had it, and not hold what it deleted; so nothing that was forgotten speaks against ours, which wins
 * as always. A value is sent as it is. A delete (or what expired) at or below the horizon would be reaped
 * where it arrives, and the older version come back from the next replica: nobody's `seen` speaks of what a
 * node wrote that was not a member yet. So it is *retained*: the tombstone says that it stays until
 * the horizon has passed the present too, and by then everybody has exchanged with us.
 *
 * Who holds next to nothing begins with a copy: see {@linkcode CopyCursor}. The walk finds what that has missed.
 */
export class ExchangeWalk {
  readonly #host: ExchangeHost;
  readonly #peer: string;
  readonly #terms: ExchangeTerms;
  readonly #asks: Node[] = [{ level: 0, index: 0 }];
  readonly #asked = new Set<string>();
  #askReplies = 0;
  readonly #lists: Node[] = [];
  readonly #listed = new Map<string, Listed>();
  #listedItems = 0;
  #listedBytes = 0;
  readonly #leaves: number[] = [];
  readonly #keys: string[] = [];
  readonly #wanted = new Map<number, number>();
  #sequence = 0;
  readonly #sends: string[] = [];
  #sending: Generator<SizedFrame, void, void> | undefined;
  #young = 0;
  #copyAfter: string | undefined;
  #copying: number | undefined;

  /** @param copyAfter begin with a copy of what comes after this key */
  constructor(host: ExchangeHost, peer: string, terms: ExchangeTerms, copyAfter?: string) {
    this.#host = host;
    this.#peer = peer;
    this.#terms = terms;
    this.#copyAfter = copyAfter;
  }

  /** Whether the entries that come are those of a copy, in the order of their keys. */
  get isCopying(): boolean {
    return this.#copying !== undefined;
  }

  /** Whether anything was left out because it is young (rule 11). */
  get young(): boolean {
    return this.#young > 0;
  }

  /** Whether all that differs has been settled. */
  get done(): boolean {
    return (
      this.#asks.length === 0 &&
      this.#askReplies === 0 &&
      this.#lists.length === 0 &&
      this.#listed.size === 0 &&
      this.#leaves.length === 0 &&
      this.#keys.length === 0 &&
      this.#wanted.size === 0 &&
      this.#sends.length === 0 &&
      this.#sending === undefined
    );
  }

  /** The next frame to send; `undefined`: nothing until an answer comes. */
  next(): SizedFrame | undefined {
    if (this.#copyAfter !== undefined) return this.#copy(this.#copyAfter);
    if (this.#copying !== undefined) return undefined;
    return this.#ask() ?? this.#wantLeaves() ?? this.#list() ?? this.#want() ?? this.#send();
  }

  /** Takes an answer; returns whether it was one. */
  handle(frame: PeerFrame, now: number): boolean {
    switch (frame.type) {
      case "digestReply":
        this.#handleSums(frame, now);
        return true;
      case "leafList":
        this.#handleList(frame, now);
        return true;
      case "sent":
        expectPeer(this.#wanted.delete(frame.sequence), "an answer that was not asked for");
        if (frame.sequence === this.#copying) {
          this.#copying = undefined;
          this.#host.copied(undefined, 0, now);
        }
        return true;
      default:
        return false;
    }
  }

  #copy(after: string): SizedFrame {
    this.#copyAfter = undefined;
    const sequence = this.#request();
    this.#copying = sequence;
    return control({ type: "copyWant", sequence, after }, utf8Bytes(after));
  }

  #ask(): SizedFrame | undefined {
    const first = this.#asks[0];
    if (first === undefined || this.#askReplies >= MAX_ASKS) return undefined;
    const { level } = first;
    const indexes: number[] = [];
    while (indexes.length < INDEXES_PER_ASK && this.#asks[0]?.level === level) {
      const node = this.#asks.shift() as Node;
      indexes.push(node.index);
      this.#asked.add(`${level}/${node.index}`);
    }
    this.#askReplies += 1;
    return control({ type: "digestRequest", level, indexes }, indexes.length * 5);
  }

  #handleSums(reply: DigestReply, now: number): void {
    const { level, indexes, children } = reply;
    expectPeer(indexes.length === children.length && indexes.length > 0, "sums without indexes");
    this.#askReplies -= 1;
    for (const [i, index] of indexes.entries()) {
      expectPeer(this.#asked.delete(`${level}/${index}`), "sums that were not asked for");
      const theirs = children[i];
      expectPeer(theirs !== undefined && theirs.length === 256, "sums of a wrong length");
      const ours = this.#host.map.digestChildren(level, index);
      for (let child = 0; child < 32; child += 1) {
        const state = compareSums(ours, theirs, child * 8);
        if (state !== "equal")
          this.#descend({ level: level + 1, index: index * 32 + child }, state, now);
      }
    }
  }

  #descend(node: Node, state: "different" | "ours-empty" | "theirs-empty", now: number): void {
    if (node.level < LEAF_LEVEL) {
      this.#asks.push(node);
    } else if (state === "ours-empty" && node.level === LEAF_LEVEL) {
      this.#leaves.push(node.index);
    } else if (state === "theirs-empty") {
      this.#settle(node, { items: new Map(), missing: undefined }, now);
    } else {
      const { length } = this.#host.map.digestEntries(node.level, node.index);
      (length > this.#host.options.leafSplitEntries && node.level < DEEPEST
        ? this.#asks
        : this.#lists
      ).push(node);
    }
  }

  #wantLeaves(): SizedFrame | undefined {
    if (this.#leaves.length === 0 || this.#wanted.size >= MAX_WANTS) return undefined;
    const leaves = this.#leaves.splice(0, LEAVES_PER_WANT);
    const sequence = this.#request();
    return control({ type: "leafWant", sequence, leaves }, leaves.length * 3);
  }

  #list(): SizedFrame | undefined {
    if (this.#listed.size >= MAX_LISTS || this.#keys.length >= MAX_KEYS) return undefined;
    const node = this.#lists.shift();
    if (node === undefined) return undefined;
    const { heads, young } = comparableHeads(this.#host.map, this.#terms, node);
    this.#young += young;
    // What does not fit is taken for missing and offered by the peer: dearer, not wrong.
    const most = Math.floor(this.#host.options.frameBytes / 8);
    const fingerprints = packFingerprints(heads.slice(0, most));
    this.#listed.set(`${node.level}/${node.index}`, {
      items: new Map(),
      itemBytes: 0,
      missing: [],
      missingBytes: fingerprints.length,
    });
    return control({ type: "leafSums", ...node, fingerprints }, fingerprints.length);
  }

  #handleList(list: LeafList, now: number): void {
    const name = `${list.level}/${list.index}`;
    const open = this.#listed.get(name);
    expectPeer(open !== undefined, "a list that was not asked for");
    this.#listedItems -= open.items.size;
    let itemBytes = 0;
    for (const item of list.items) {
      open.items.set(item.key, item);
      itemBytes += item.key.length + ITEM_BYTES;
    }
    open.itemBytes += itemBytes;
    this.#listedItems += open.items.size;
    this.#listedBytes += itemBytes;
    const isBounded =
      this.#listedItems <= MAX_LISTED_ITEMS && this.#listedBytes <= MAX_LISTED_BYTES;
    expectPeer(isBounded, "a list without end");
    expectPeer(list.missing.length % 8 === 0, "fingerprints of a wrong length");
    open.missingBytes -= list.missing.length;
    expectPeer(open.missingBytes >= 0, "more fingerprints than were sent");
    if (list.missing.length > 0) open.missing.push(list.missing);
    expectPeer(list.last || list.items.length > 0, "a part of a list with nothing in it");
    if (!list.last) return;
    this.#listed.delete(name);
    this.#listedItems -= open.items.size;
    this.#listedBytes -= open.itemBytes;
    const missing = new Set<string>();
    for (const bytes of open.missing) for (const sum of unpackFingerprints(bytes)) missing.add(sum);
    const { items } = open;
    this.#settle({ level: list.level, index: list.index }, { items, missing }, now);
  }

  /**
   * Decides for each entry of a node who has to get what.
   *
   * @param theirs `items`: what the peer holds and we do not; `missing`: fingerprints that it does not
   * hold, `undefined`: all of ours
   */
  #settle(
    node: Node,
    {
      items,
      missing,
    }: { readonly items: Map<string, LeafItem>; readonly missing: Set<string> | undefined },
    now: number,
  ): void {
    const { heads, young } = comparableHeads(this.#host.map, this.#terms, node);
    if (missing === undefined) this.#young += young;
    const aside: Entry[] = [];
    const retained: Entry[] = [];
    for (const head of heads) {
      if (missing !== undefined && !missing.has(fingerprintOf(head))) continue;
      const theirs = items.get(head.key);
      const order = theirs === undefined ? 1 : compareVersions(head.version, theirs);
      // Of equal versions with different content both travel; the merge decides (rule 5).
      if (order < 0) continue;
      const isNewer = theirs !== undefined && order > 0;
      const below = this.#terms.below && head.version.time <= this.#terms.horizon;
      const entry = below || this.#terms.joins ? peekSafely(this.#host.map, head.key) : undefined;
      if (below && !isNewer) {
        // We missed reaped deletes: below the peer's horizon the peer is right (rule 1).
        if (entry !== undefined && compareVersions(entry.version, head.version) === 0) {
          aside.push(entry);
        }
        continue;
      }
      if (isNewer) items.delete(head.key);
      if (this.#terms.joins && entry !== undefined && isGone(entry)) retained.push(entry);
      this.#sends.push(head.key);
    }
    if (aside.length > 0) this.#host.setAside(this.#peer, aside);
    for (const item of items.values()) {
      if (item.time > this.#terms.cutoff) {
        this.#young += 1; // on its way as a rumor: it only shows that ours is older
        continue;
      }
      const held = peekSafely(this.#host.map, item.key);
      if (held === undefined || compareVersions(held.version, item) <= 0) {
        this.#keys.push(item.key);
      } else if (isReapable(held, this.#terms.horizon)) {
        retained.push(held);
        this.#sends.push(item.key);
      }
    }
    if (retained.length > 0) this.#host.retain(retained, this.#terms.horizon, now);
  }

  #want(): SizedFrame | undefined {
    if (this.#keys.length === 0 || this.#wanted.size >= MAX_WANTS) return undefined;
    const keys: string[] = [];
    let bytes = 0;
    while (keys.length < KEYS_PER_WANT && bytes < KEY_BYTES_PER_WANT) {
      const key = this.#keys.shift();
      if (key === undefined) break;
      keys.push(key);
      bytes += utf8Bytes(key) + 3;
    }
    return control({ type: "want", sequence: this.#request(), keys }, bytes);
  }

  #send(): SizedFrame | undefined {
    if (this.#sending === undefined) {
      if (this.#sends.length === 0) return undefined;
      const { map, options } = this.#host;
      this.#sending = entryFrames(this.#drain(), {
        frameBytes: options.frameBytes,
        counter: map.counter,
      });
    }
    const { value } = this.#sending.next();
    if (value !== undefined) return value;
    this.#sending = undefined;
    return this.#send();
  }

  *#drain(): Generator<Entry, void, void> {
    for (const key of this.#sends.splice(0)) {
      const entry = peekSafely(this.#host.map, key);
      if (entry !== undefined && !isReapable(entry, this.#terms.horizon)) yield entry;
    }
  }

  #request(): number {
    this.#sequence += 1;
    this.#wanted.set(this.#sequence, 1);
    return this.#sequence;
  }
}

/** Whether an entry is reaped some day. */
function isGone(entry: StoredEntry): boolean {
  return isReapable(entry, Infinity);
}

function control(frame: ReplicationFrame, bytes: number): SizedFrame {
  return { frame, bytes: bytes + 24, entries: 0 };
}

function compareSums(
  ours: Uint8Array,
  theirs: Uint8Array,
  offset: number,
): "equal" | "different" | "ours-empty" | "theirs-empty" {
  let equal = true;
  let oursEmpty = true;
  let theirsEmpty = true;
  for (let i = offset; i < offset + 8; i += 1) {
    if (ours[i] !== theirs[i]) equal = false;
    if (ours[i] !== 0) oursEmpty = false;
    if (theirs[i] !== 0) theirsEmpty = false;
  }
  if (equal) return "equal";
  return oursEmpty ? "ours-empty" : theirsEmpty ? "theirs-empty" : "different";
}
