import type { Core } from "./_core.ts";
import type { EntryChange } from "./engine.ts";
import type { Entry } from "./entry.ts";
import type { StoredEntry } from "./stored_entry.ts";
import type { Version } from "./version.ts";
import { compareVersions, msOf } from "./version.ts";
import { eventOf } from "./_watchers.ts";
import { SLICE } from "./_sizes.ts";
import { checkKey, checkObject } from "./_check.ts";
import { stripEntry } from "./_make_entry.ts";

/** Strips what has expired: see `VersionedMap.expire`. */
export function expireEntries(core: Core, now: number, limit: number): StoredEntry[] {
  const expired: StoredEntry[] = [];
  while (expired.length < limit) {
    const slice = core.engine.due("expiry", now, Math.min(SLICE, limit - expired.length));
    if (slice.length === 0) break;
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
  let written = false;
  while (count < limit) {
    const slice = core.engine.due("reap", state.horizon, Math.min(SLICE, limit - count));
    if (slice.length === 0) break;
    removeEntries(core, slice);
    count += slice.length;
    written = true;
  }
  if (rises && !written) core.write([]);
  return count;
}

/** Takes entries out without a trace: see `VersionedMap.forget`. */
export function forgetEntries(
  core: Core,
  entries: Iterable<{ readonly key: string; readonly version: Version }>,
): Entry[] {
  const held = new Map<string, StoredEntry>();
  for (const { key, version } of entries) {
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
