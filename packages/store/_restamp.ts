import { aheadMs, type Core } from "./_core.ts";
import { finishEntry } from "./_make_entry.ts";
import { hashKey, lastHash } from "./hash.ts";
import type { EntryChange } from "./engine.ts";
import type { StoredEntry } from "./stored_entry.ts";
import { compareEntries } from "./merge_entries.ts";
import { stampOf } from "./version.ts";

/** Entries read at a time. */
const PAGE = 1000;

/** Gives new stamps to entries from a clock that was ahead: see `VersionedMap.restamp`. */
export function restampEntries(core: Core, trustedNow: number): StoredEntry[] {
  const far: StoredEntry[] = [];
  let highest = stampOf(trustedNow);
  let after: string | undefined;
  for (;;) {
    const page = core.engine.scan({ after, limit: PAGE });
    for (const entry of page) {
      const { time } = entry.version;
      if (aheadMs(time, trustedNow) > core.maxDriftMs) far.push(entry);
      else highest = Math.max(highest, time);
    }
    after = page.at(-1)?.key;
    if (page.length < PAGE || after === undefined) break;
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
  const { key, hashHigh, hashLow, stripped } = entry;
  core.state.counter += 1;
  hashKey(key);
  const stored = finishEntry(
    key,
    {
      ...entry,
      version: { time: core.clock.tick(trustedNow), node: core.node },
      counter: core.state.counter,
      stripped,
    },
    { keyHash: lastHash[0] ?? 0, hashHigh, hashLow },
  );
  return { key, entry: stored, previous: entry };
}
