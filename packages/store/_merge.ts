import type { MergeOptions, MergeResult, RefusalReason } from "./map_options.ts";
import { MAX_CHANGES, MAX_CHANGES_IN_MEMORY } from "./_sizes.ts";
import { StoredEntry } from "./stored_entry.ts";
import { aheadMs, type Core, type WriteExtras } from "./_core.ts";
import { checkEntry, checkKey, checkMeta, checkTime, checkTypes, listOf } from "./_check.ts";
import { finishEntry, stripEntry } from "./_make_entry.ts";
import { hashContent, hashKey, lastHash } from "./hash.ts";
import type { EntryChange } from "./engine.ts";
import type { Entry } from "./entry.ts";
import { compareEntries } from "./merge_entries.ts";
import { compareVersions } from "./version.ts";
import { isStripped } from "./content_hash.ts";

/**
 * Which batch has last changed a key with such a hash: a key that comes twice in one batch is looked for
 * only where it may be.
 */
const marks = new Int32Array(16384);
let lastMark = 0;

function ignore(): void {}

/** Merges entries of other replicas into a map: see `VersionedMap.merge`. */
export function mergeInto(
  core: Core,
  entries: Iterable<Entry>,
  options: MergeOptions = {},
): MergeResult[] {
  const { clock, engine, state } = core;
  const list = listOf(entries);
  const now = core.now(options);
  const { expiryNow = now, trustedNow = now, rumor, onCopy = ignore, onRefused = ignore } = options;
  checkTypes({ onCopy, onRefused }, "function");
  checkTime("trustedNow", trustedNow);
  checkTime("expiryNow", expiryNow);
  const meta = options.meta && new Map(Object.entries(options.meta));
  if (meta !== undefined) checkMeta(meta);
  let bytes = 0;
  for (const entry of list) {
    if (!(entry instanceof StoredEntry)) checkEntry(entry);
    bytes += checkKey(entry.key) + entry.value.length;
  }
  engine.admit(bytes); // nothing was changed or stamped up to here

  const trusted = Math.max(now, trustedNow);
  const maxChanges = engine.durable ? MAX_CHANGES : MAX_CHANGES_IN_MEMORY;
  const results: MergeResult[] = [];
  const reports: (() => void)[] = [];
  let changes: EntryChange[] = [];

  const flush = (last?: WriteExtras["meta"]): void => {
    const batch = changes;
    changes = [];
    lastMark = (lastMark + 1) | 0;
    core.write(batch, { now, meta: last });
    core.announce(batch);
  };

  const mergeOne = (entry: Entry): "applied" | "superseded" | RefusalReason => {
    const { key, version } = entry;
    const { time, node } = version;
    const own = node === core.node;
    if (!own && aheadMs(time, trusted) > core.maxDriftMs) return "drift"; // rule 8; rule 7: never our own
    hashKey(key); // for the fingerprint, too: nothing in between hashes another key
    const keyHash = lastHash[0] ?? 0;
    const mark = keyHash & (marks.length - 1);
    if (
      marks[mark] === lastMark &&
      changes.some((change) => change.entry?.keyHash === keyHash && change.key === key)
    ) {
      flush(); // a key that comes twice must be read as its first change left it
    }
    const held = core.readForWrite(key);
    // it may be what a reaped delete deleted (rule 1)
    if (held === undefined && rumor && time <= state.horizon) return "below-horizon";
    const isNew = !held || wins(entry, held);
    const stored = isNew ? store(core, entry, { trusted, expiryNow }) : undefined;
    if (isNew && stored === undefined) return "hash";
    if (own && isNew && time > clock.last) reports.push(() => onCopy(entry)); // rule 19
    clock.observe(time);
    if (!isNew) return "superseded";
    marks[mark] = lastMark;
    if (changes.push({ key, entry: stored, previous: held ?? undefined }) >= maxChanges) flush();
    return "applied";
  };

  for (const entry of list) {
    const result = mergeOne(entry);
    if (result === "applied" || result === "superseded") {
      core.counts[result] += 1;
      results.push(result);
      continue;
    }
    const { version } = entry;
    core.countRefused(version.node);
    const ahead = aheadMs(version.time, trusted);
    const refusal = { index: results.length, entry, reason: result, aheadMs: ahead };
    reports.push(() => onRefused(refusal));
    results.push("refused");
  }
  if (changes.length > 0 || meta !== undefined) {
    flush(meta);
  }
  for (const report of reports) report();
  return results;
}

/** The entry as it is stored from now on; `undefined` if its content is not what its hash says. */
function store(
  core: Core,
  entry: Entry,
  { trusted, expiryNow }: { readonly trusted: number; readonly expiryNow: number },
): StoredEntry | undefined {
  const { key, value, version, contentType, expiresAt, deleted, extra, hash } = entry;
  let hashHigh: number;
  let hashLow: number;
  let stripped = false;
  if (entry instanceof StoredEntry) {
    ({ hashHigh, hashLow, stripped } = entry);
  } else {
    hashContent(entry);
    hashHigh = lastHash[0] ?? 0;
    hashLow = lastHash[1] ?? 0;
    if (hash !== undefined && !isHash(hash, hashHigh, hashLow)) {
      // an expired entry comes without its value, and with the hash that it had
      stripped = isStripped(entry);
      if (!stripped || (expiresAt ?? 0) > trusted + core.maxDriftMs) return undefined;
      hashHigh = readWord(hash, 0);
      hashLow = readWord(hash, 4);
    }
  }
  core.state.counter += 1;
  const stored = finishEntry(
    {
      key,
      value: core.copy(value),
      version: { time: version.time, node: version.node },
      contentType,
      expiresAt,
      deleted,
      extra: extra?.length ? new Uint8Array(extra) : undefined,
    },
    core.state.counter,
    hashHigh,
    hashLow,
    stripped,
  );
  const expired = expiresAt !== undefined && expiresAt <= expiryNow;
  return expired && !stripped && deleted !== true ? stripEntry(stored) : stored; // rule 10: at once
}

/** Whether an entry wins over the one that is held. */
function wins(entry: Entry, held: StoredEntry): boolean {
  const { hash, version } = entry;
  const order = compareVersions(version, held.version);
  if (order !== 0) return order > 0;
  // The same write once more, which is what most of the second copies of rumors are.
  if (hash !== undefined && isHash(hash, held.hashHigh, held.hashLow)) return false;
  return compareEntries(entry, held) > 0;
}

function isHash(hash: Uint8Array, high: number, low: number): boolean {
  return readWord(hash, 0) === high && readWord(hash, 4) === low;
}

function readWord(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}
