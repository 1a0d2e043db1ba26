import { aheadMs, type Core } from "./_core.ts";
import { finishEntry, makeEntry, newMarks } from "./_make_entry.ts";
import type { EntryChange } from "./engine.ts";
import { scanAll } from "./_list_entries.ts";
import { NO_BYTES, type StoredEntry } from "./stored_entry.ts";
import { compareEntries } from "./merge_entries.ts";
import { stampOf } from "./version.ts";

/** Gives new stamps to entries from a clock that was ahead: see `VersionedMap.restamp`. */
export function restampEntries(core: Core, trustedNow: number): StoredEntry[] {
  const far: StoredEntry[] = [];
  let highest = stampOf(trustedNow);
  for (const entry of scanAll(core)) {
    const { time } = entry.version;
    if (aheadMs(time, trustedNow) > core.maxDriftMs) far.push(entry);
    else highest = Math.max(highest, time);
  }
  if (far.length === 0 && aheadMs(core.clock.last, trustedNow) <= core.maxDriftMs) return [];
  core.clock.reset(highest);
  const changes = far.sort(compareEntries).map((entry) => restamp(core, entry, trustedNow));
  core.write(changes, { now: trustedNow, lowerCeiling: true });
  core.announce(changes);
  return changes.map((change) => change.entry);
}

function restamp(
  core: Core,
  entry: StoredEntry,
  trustedNow: number,
): EntryChange & { readonly entry: StoredEntry } {
  const { key, hashHigh, hashLow, stripped, expiresAt = 0 } = entry;
  core.state.counter += 1;
  if (stripped && expiresAt > trustedNow) {
    // The wrong clock took it for expired. Nobody else would believe that of this expiry, and the value
    // is gone: what is left is that the key is absent.
    const version = { time: core.clock.tick(trustedNow), node: core.node };
    const content = { value: NO_BYTES, deleted: true as const };
    const gone = makeEntry(key, { ...content, version, counter: core.state.counter });
    return { key, entry: gone, previous: entry };
  }
  const stored = finishEntry(
    { ...entry, version: { time: core.clock.tick(trustedNow), node: core.node } },
    newMarks(core.state.counter, hashHigh, hashLow, stripped),
  );
  return { key, entry: stored, previous: entry };
}
