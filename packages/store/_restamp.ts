import { aheadMs, type Core } from "./_core.ts";
import { finishEntry, makeEntry } from "./_make_entry.ts";
import { NO_BYTES, type StoredEntry } from "./stored_entry.ts";
import { compareEntries } from "./merge_entries.ts";
import { scanAll } from "./_list_entries.ts";
import { stampOf } from "./version.ts";

/** Gives new stamps to entries from a clock that was ahead: see `VersionedMap.restamp`. */
export function restampEntries(core: Core, trustedNow: number): StoredEntry[] {
  const { clock, maxDriftMs, node, state } = core;
  const far: StoredEntry[] = [];
  let highest = stampOf(trustedNow);
  for (const entry of scanAll(core)) {
    const { time } = entry.version;
    if (aheadMs(time, trustedNow) > maxDriftMs) far.push(entry);
    else highest = Math.max(highest, time);
  }
  if (far.length === 0 && aheadMs(clock.last, trustedNow) <= maxDriftMs) return far;
  clock.last = highest;
  // One that the wrong clock gave would forget every delete from now on at once; an hour is the grace of rule 1.
  state.horizon = Math.min(state.horizon, stampOf(trustedNow - 3_600_000));
  const changes = far.sort(compareEntries).map((previous) => {
    const { key, hashHigh, hashLow, stripped, expiresAt = 0 } = previous;
    const version = { time: clock.tick(trustedNow), node };
    state.counter += 1;
    // The wrong clock took it for expired: nobody else would believe that of this expiry, and the value
    // is gone. What is left is that the key is absent.
    const entry =
      stripped && expiresAt > trustedNow
        ? makeEntry({ key, value: NO_BYTES, version, deleted: true }, state.counter)
        : finishEntry({ ...previous, version }, state.counter, hashHigh, hashLow, stripped);
    return { key, entry, previous };
  });
  core.write(changes, { now: trustedNow, lowerCeiling: true });
  core.announce(changes);
  return changes.map(({ entry }) => entry);
}
