import type { Core } from "./_core.ts";
import type { EntryChange, TimeIndex } from "./engine.ts";
import type { Entry } from "./entry.ts";
import type { StoredEntry } from "./stored_entry.ts";
import type { Version } from "./version.ts";
import { compareVersions, msOf } from "./version.ts";
import { eventOf } from "./_watchers.ts";
import { SLICE } from "./_sizes.ts";
import { checkKey, checkObject, listOf } from "./_check.ts";
import { stripEntry } from "./_make_entry.ts";

/** Strips what has expired: see `VersionedMap.expire`. */
export function expireEntries(core: Core, now: number, limit: number): StoredEntry[] {
  const expired: StoredEntry[] = [];
  for (const slice of dueSlices(core, "expiry", { upTo: now, limit })) {
    core.write(slice.map((previous) => change(previous, stripEntry(previous))));
    for (const entry of slice) {
      expired.push(entry);
      core.watchers.push({ ...eventOf(entry), type: "expire" });
    }
  }
  core.watchers.release();
  return expired;
}

/** Forgets what the horizon has passed: see `VersionedMap.reap`. */
export function reapEntries(core: Core, horizon: number, limit: number): number {
  const { state } = core;
  const rises = horizon > state.horizon;
  if (rises) state.horizon = horizon;
  let count = expireEntries(core, msOf(state.horizon), limit).length;
  for (const slice of dueSlices(core, "reap", { upTo: state.horizon, limit: limit - count })) {
    removeEntries(core, slice);
    count += slice.length;
  }
  if (rises) core.write([]); // also when nothing was due: it is durable
  return count;
}

/** Entries of an index that are due, in slices, until none is left or there were enough. */
function* dueSlices(
  { engine }: Core,
  index: TimeIndex,
  { upTo, limit }: { readonly upTo: number; readonly limit: number },
): Iterable<StoredEntry[]> {
  for (let left = limit; left > 0;) {
    const slice = engine.due(index, upTo, Math.min(SLICE, left));
    if (slice.length === 0) return;
    yield slice;
    left -= slice.length;
  }
}

/** Takes entries out without a trace: see `VersionedMap.forget`. */
export function forgetEntries(
  core: Core,
  entries: Iterable<{ readonly key: string; readonly version: Version }>,
): Entry[] {
  const held = new Map<string, StoredEntry>();
  for (const item of listOf(entries)) {
    checkObject("entry", item);
    const { key, version } = item;
    checkKey(key);
    checkObject("version", version);
    const entry = core.readForWrite(key);
    if (entry && compareVersions(entry.version, version) === 0) held.set(key, entry);
  }
  const removed = [...held.values()];
  if (removed.length === 0) return removed;
  removeEntries(core, removed);
  const { counter } = core.state;
  core.watchers.each((watcher) => watcher.reset("log-truncated", counter)); // no tombstone says that they went
  return removed;
}

function removeEntries(core: Core, entries: readonly StoredEntry[]): void {
  const { state } = core;
  for (const { counter } of entries) state.changesFloor = Math.max(state.changesFloor, counter);
  core.write(entries.map((previous) => change(previous, undefined)));
}

function change(previous: StoredEntry, entry: StoredEntry | undefined): EntryChange {
  return { key: previous.key, entry, previous };
}
