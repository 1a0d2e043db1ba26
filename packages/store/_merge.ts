import type { MergeOptions, MergeResult, Refusal, RefusalReason } from "./map_options.ts";
import { aheadMs, type Core } from "./_core.ts";
import { checkEntry, checkKey, checkTime } from "./_check.ts";
import { finishEntry, newMarks, stripEntry } from "./_make_entry.ts";
import { hashContent, hashKey, lastHash } from "./hash.ts";
import { StoredEntry } from "./stored_entry.ts";
import type { EntryChange } from "./engine.ts";
import type { Entry } from "./entry.ts";
import { compareEntries } from "./merge_entries.ts";

/** A batch is written when it has so many changes, however many entries are merged in one call. */
const MAX_CHANGES = 4096;

/**
 * Which merge has last changed a key with such a hash: a key that comes twice in one merge is looked for
 * only where it may be.
 */
const marks = new Int32Array(16384);
let lastMark = 0;

const NOTHING: ReturnType<Core["readForWrite"]> = { previous: undefined, damaged: false };

/** Merges entries of other replicas into a map: see `VersionedMap.merge`. */
export function mergeInto(
  core: Core,
  entries: Iterable<Entry>,
  options: MergeOptions = {},
): MergeResult[] {
  const list = Array.isArray(entries) ? (entries as readonly Entry[]) : [...entries];
  const now = core.now(options);
  if (options.trustedNow !== undefined) checkTime("trustedNow", options.trustedNow);
  let bytes = 0;
  for (const entry of list) {
    if (!(entry instanceof StoredEntry)) checkEntry(entry);
    checkKey(entry.key);
    bytes += entry.value.length;
  }
  core.engine.admit(bytes); // nothing was changed or stamped up to here
  return new Merge(core, now, options).run(list);
}

class Merge {
  readonly #core: Core;
  readonly #now: number;
  readonly #trustedNow: number;
  readonly #expiryNow: number;
  readonly #options: MergeOptions;
  readonly #results: MergeResult[] = [];
  readonly #refusals: Refusal[] = [];
  readonly #copies: Entry[] = [];
  #changes: EntryChange[] = [];

  constructor(core: Core, now: number, options: MergeOptions) {
    this.#core = core;
    this.#now = now;
    this.#trustedNow = Math.max(now, options.trustedNow ?? 0);
    this.#expiryNow = options.expiryNow ?? now;
    this.#options = options;
  }

  run(entries: readonly Entry[]): MergeResult[] {
    const { meta } = this.#options;
    lastMark = (lastMark + 1) | 0;
    for (const entry of entries) this.#merge(entry);
    if (this.#changes.length > 0 || meta !== undefined) this.#flush(true);
    for (const refusal of this.#refusals) this.#options.onRefused?.(refusal);
    for (const entry of this.#copies) this.#options.onCopy?.(entry);
    return this.#results;
  }

  #merge(entry: Entry): void {
    const core = this.#core;
    const { key, version } = entry;
    const own = version.node === core.node;
    const ahead = aheadMs(version.time, this.#trustedNow);
    if (ahead > core.maxDriftMs && !own) {
      this.#refuse(entry, "drift", ahead); // rule 8; rule 7: never our own
      return;
    }
    hashKey(key); // for the fingerprint, too: nothing in between hashes another key
    const keyHash = lastHash[0] ?? 0;
    const mark = keyHash & (marks.length - 1);
    if (marks[mark] === lastMark) this.#flushIfChanged(key, keyHash);
    const { previous, damaged } =
      core.engine.mayHold?.(keyHash) === false ? NOTHING : core.readForWrite(key);
    if (previous === undefined && !damaged && this.#options.rumor === true) {
      if (version.time <= core.state.horizon) {
        this.#refuse(entry, "below-horizon", ahead); // rule 1: it may be what a reaped delete deleted
        return;
      }
    }
    if (previous !== undefined && !wins(entry, previous)) {
      core.clock.observe(version.time);
      core.superseded += 1;
      this.#results.push("superseded");
      return;
    }
    const stored = this.#store(entry);
    if (stored === undefined) {
      this.#refuse(entry, "hash", ahead);
      return;
    }
    if (own && version.time > core.clock.last) this.#copies.push(entry); // rule 19
    core.clock.observe(version.time);
    core.applied += 1;
    this.#results.push("applied");
    this.#changes.push({ key, entry: stored, previous });
    marks[mark] = lastMark;
    if (this.#changes.length >= MAX_CHANGES) this.#flush(false);
  }

  /** The entry as it is stored from now on; `undefined` if its content is not what its hash says. */
  #store(entry: Entry): StoredEntry | undefined {
    const { version, contentType, expiresAt, extra, hash } = entry;
    const core = this.#core;
    let hashHigh: number;
    let hashLow: number;
    let stripped = false;
    if (entry instanceof StoredEntry) {
      ({ hashHigh, hashLow, stripped } = entry);
    } else {
      hashContent(entry);
      hashHigh = lastHash[0] ?? 0;
      hashLow = lastHash[1] ?? 0;
      if (hash !== undefined) {
        const high = readWord(hash, 0);
        const low = readWord(hash, 4);
        if (high !== hashHigh || low !== hashLow) {
          if (!this.#mayBeStripped(entry)) return undefined;
          stripped = true;
          hashHigh = high;
          hashLow = low;
        }
      }
    }
    core.state.counter += 1;
    const stored = finishEntry(
      {
        key: entry.key,
        value: core.copy(entry.value),
        version: { time: version.time, node: version.node },
        contentType,
        expiresAt,
        deleted: entry.deleted,
        extra: extra === undefined || extra.length === 0 ? undefined : new Uint8Array(extra),
      },
      newMarks(core.state.counter, hashHigh, hashLow, stripped),
    );
    const expired = expiresAt !== undefined && expiresAt <= this.#expiryNow;
    return expired && !stripped && stored.deleted !== true ? stripEntry(stored) : stored; // rule 10: at once
  }

  /** An expired entry comes without its value, and with the hash that it had. */
  #mayBeStripped({ value, contentType, expiresAt, extra, deleted }: Entry): boolean {
    if (deleted === true || value.length > 0 || contentType !== undefined || extra !== undefined)
      return false;
    return expiresAt !== undefined && expiresAt <= this.#trustedNow + this.#core.maxDriftMs;
  }

  #refuse(entry: Entry, reason: RefusalReason, ahead: number): void {
    const index = this.#results.length;
    this.#core.countRefused(entry.version.node);
    this.#results.push("refused");
    if (this.#options.onRefused === undefined) return;
    this.#refusals.push({ index, entry, reason, aheadMs: ahead });
  }

  /** A key that comes twice must be read as its first change left it. */
  #flushIfChanged(key: string, keyHash: number): void {
    for (const change of this.#changes) {
      if (change.entry?.keyHash !== keyHash || change.key !== key) continue;
      this.#flush(false);
      return;
    }
  }

  #flush(last: boolean): void {
    const changes = this.#changes;
    const { meta } = this.#options;
    this.#changes = [];
    if (changes.length === 0 && !last) return;
    this.#core.write(changes, {
      now: this.#now,
      meta: last && meta !== undefined ? new Map(Object.entries(meta)) : undefined,
    });
    this.#core.announce(changes);
  }
}

/** Whether an entry wins over the one that is held. */
function wins(entry: Entry, held: StoredEntry): boolean {
  const { time, node } = entry.version;
  if (time !== held.version.time) return time > held.version.time;
  if (node !== held.version.node) return node > held.version.node;
  // The same write once more, which is what most of the second copies of rumors are.
  if (entry.hash !== undefined && isHash(entry.hash, held)) return false;
  return compareEntries(entry, held) > 0;
}

function isHash(hash: Uint8Array, { hashHigh, hashLow }: StoredEntry): boolean {
  return readWord(hash, 0) === hashHigh && readWord(hash, 4) === hashLow;
}

function readWord(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}
