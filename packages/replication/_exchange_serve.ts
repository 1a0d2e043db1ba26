import type { Entry } from "@dnd/store";
import { StoredEntry } from "@dnd/store/engine";
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
import type { Init, LeafItem, LeafList, LeafSums } from "@dnd/protocol";
import type { PeerFrame } from "./wire.ts";

/** Requests that may wait to be served. */
const MAX_REQUESTS = 256;

/** Bytes of them: twice what a walk has under way when every leaf that it lists is as large as can be. */
const MAX_REQUEST_BYTES = 16 * 1024 * 1024;

/** Entries read at a time for a copy. */
const COPY_PAGE = 256;

/** Bytes of an item of a list beside its key. */
const ITEM_BYTES = 48;

/**
 * The answering side of a comparison: serves requests in the order in which they came, one frame at a
 * time as the stream takes them. It keeps nothing between requests.
 */
export class ExchangeServe {
  readonly #host: ExchangeHost;
  readonly #terms: ExchangeTerms;
  readonly #requests: PeerFrame[] = [];
  #requestBytes = 0;
  #serving: Generator<SizedFrame, void, void> | undefined;
  #young = 0;
  #isCopying = false;

  constructor(host: ExchangeHost, terms: ExchangeTerms) {
    this.#host = host;
    this.#terms = terms;
  }

  /** Whether anything was left out because it is young (rule 11). */
  get young(): boolean {
    return this.#young > 0;
  }

  /** Whether every request has been served. */
  get idle(): boolean {
    return this.#requests.length === 0 && this.#serving === undefined;
  }

  /** Takes a request; returns whether it was one. */
  handle(frame: PeerFrame): boolean {
    switch (frame.type) {
      case "digestRequest":
      case "leafSums":
      case "leafWant":
      case "want":
        checkRequest(frame);
        expectPeer(this.#requests.length < MAX_REQUESTS, "too many requests at a time");
        this.#requestBytes += requestBytes(frame);
        expectPeer(this.#requestBytes <= MAX_REQUEST_BYTES, "too many bytes of requests at a time");
        this.#requests.push(frame);
        return true;
      case "copyWant":
        expectPeer(!this.#isCopying, "two copies at a time");
        this.#isCopying = true;
        this.#requests.push(frame);
        return true;
      default:
        return false;
    }
  }

  /** The next frame to send. */
  next(): SizedFrame | undefined {
    for (;;) {
      if (this.#serving === undefined) {
        const request = this.#requests.shift();
        if (request === undefined) return undefined;
        this.#requestBytes -= requestBytes(request);
        this.#serving = this.#serve(request);
      }
      const { value } = this.#serving.next();
      if (value !== undefined) return value;
      this.#serving = undefined;
    }
  }

  *#serve(request: PeerFrame): Generator<SizedFrame, void, void> {
    switch (request.type) {
      case "digestRequest": {
        const { level, indexes } = request;
        const children = indexes.map((index) => this.#host.map.digestChildren(level, index));
        const bytes = 24 + children.length * 264;
        yield {
          frame: { type: "digestReply", level, indexes, children },
          bytes,
          entries: 0,
        };
        return;
      }
      case "leafSums":
        yield* this.#list(request);
        return;
      case "leafWant":
        yield* this.#frames(this.#leafEntries(request.leaves));
        yield sent(request.sequence, []);
        return;
      case "copyWant":
        yield* this.#frames(this.#entriesAfter(request.after));
        this.#isCopying = false;
        yield sent(request.sequence, []);
        return;
      case "want": {
        const gone: string[] = [];
        yield* this.#frames(this.#wanted(request.keys, gone));
        yield sent(request.sequence, gone);
        return;
      }
      default:
        return;
    }
  }

  *#list(sums: LeafSums): Generator<SizedFrame, void, void> {
    const { level, index } = sums;
    const unknown = new Set(unpackFingerprints(sums.fingerprints));
    const { heads, young } = comparableHeads(this.#host.map, this.#terms, { level, index });
    this.#young += young;
    const ours = heads.filter((head) => !unknown.has(fingerprintOf(head)));
    const all = this.#host.map.digestEntries(level, index);
    for (const head of all) unknown.delete(fingerprintOf(head));
    // What we do not know is mostly older than a young one of ours: told of that, the peer does not send it.
    if (unknown.size > 0 && young > 0) {
      ours.push(...all.filter(({ version }) => version.time > this.#terms.cutoff));
    }
    const missing = packNames(unknown);
    let items: Init<LeafItem>[] = [];
    let bytes = 24 + missing.length;
    let first = true;
    for (const head of ours) {
      const size = ITEM_BYTES + utf8Bytes(head.key);
      if (bytes + size > this.#host.options.frameBytes && items.length > 0) {
        yield list({ level, index, items, missing: first ? missing : NONE, last: false }, bytes);
        first = false;
        items = [];
        bytes = 24;
      }
      const { time, node } = head.version;
      items.push({ key: head.key, time, node, contentHash: hashOf(head) });
      bytes += size;
    }
    yield list({ level, index, items, missing: first ? missing : NONE, last: true }, bytes);
  }

  #frames(source: Iterable<Entry>): Generator<SizedFrame, void, void> {
    const { map, options } = this.#host;
    return entryFrames(source, { frameBytes: options.frameBytes, counter: map.counter });
  }

  *#leafEntries(leaves: readonly number[]): Generator<Entry, void, void> {
    for (const index of leaves) {
      const { heads, young } = comparableHeads(this.#host.map, this.#terms, { level: 3, index });
      this.#young += young;
      for (const head of heads) {
        const entry = peekSafely(this.#host.map, head.key);
        if (entry !== undefined) yield entry;
      }
    }
  }

  /** Read page by page, so that what is written meanwhile is taken as it is when its turn comes. */
  *#entriesAfter(key: string): Generator<Entry, void, void> {
    const { map } = this.#host;
    let after = key;
    for (;;) {
      const page = map.entries({ after, limit: COPY_PAGE, all: true });
      for (const entry of page) {
        if (entry.version.time > this.#terms.cutoff) this.#young += 1;
        else if (!(entry instanceof StoredEntry && isReapable(entry, this.#terms.horizon))) {
          yield entry;
        }
      }
      const last = page.at(-1);
      if (last === undefined || page.length < COPY_PAGE) return;
      after = last.key;
    }
  }

  *#wanted(keys: readonly string[], gone: string[]): Generator<Entry, void, void> {
    for (const key of keys) {
      const entry = peekSafely(this.#host.map, key);
      if (entry === undefined || isReapable(entry, this.#terms.horizon)) gone.push(key);
      else yield entry;
    }
  }
}

const NONE: Uint8Array = new Uint8Array(0);

function sent(sequence: number, gone: readonly string[]): SizedFrame {
  const bytes = gone.reduce((sum, key) => sum + utf8Bytes(key) + 3, 24);
  return { frame: { type: "sent", sequence, gone }, bytes, entries: 0 };
}

function list(message: Init<LeafList>, bytes: number): SizedFrame {
  return { frame: { type: "leafList", ...message }, bytes, entries: 0 };
}

function hashOf(head: { readonly hashHigh: number; readonly hashLow: number }): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, head.hashHigh);
  view.setInt32(4, head.hashLow);
  return bytes;
}

function packNames(names: ReadonlySet<string>): Uint8Array {
  const heads: { fingerprintHigh: number; fingerprintLow: number }[] = [];
  for (const name of names) {
    const [high, low] = name.split(":");
    heads.push({ fingerprintHigh: Number(high), fingerprintLow: Number(low) });
  }
  return packFingerprints(heads);
}

/** About what a request takes in memory. */
function requestBytes(frame: PeerFrame): number {
  switch (frame.type) {
    case "digestRequest":
      return 64 + frame.indexes.length * 8;
    case "leafSums":
      return 64 + frame.fingerprints.length;
    case "leafWant":
      return 64 + frame.leaves.length * 8;
    case "want":
      return frame.keys.reduce((sum, key) => sum + key.length, 64);
    default:
      return 64;
  }
}

function checkRequest(frame: PeerFrame): void {
  switch (frame.type) {
    case "digestRequest": {
      const { level, indexes } = frame;
      expectPeer(
        level <= 5 && indexes.length > 0 && indexes.length <= Math.min(64, 32 ** level),
        "a request out of bounds",
      );
      for (const index of indexes)
        expectPeer(index < 32 ** level, `index ${index} of level ${level}`);
      return;
    }
    case "leafSums": {
      const { level, index, fingerprints } = frame;
      expectPeer(
        level >= 3 && level <= 6 && index < 32 ** level,
        `leaf ${index} of level ${level}`,
      );
      expectPeer(fingerprints.length % 8 === 0, "fingerprints of a wrong length");
      return;
    }
    case "leafWant":
      expectPeer(frame.leaves.length <= 1024, "too many leaves at a time");
      for (const leaf of frame.leaves) expectPeer(leaf < 32768, `leaf ${leaf}`);
      return;
    case "want":
      expectPeer(frame.keys.length <= 1024, "too many keys at a time");
      return;
    default:
      return;
  }
}
