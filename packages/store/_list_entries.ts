import type { EntriesOptions } from "./map_options.ts";
import type { Core } from "./_core.ts";
import type { Entry } from "./entry.ts";
import type { StoredEntry } from "./stored_entry.ts";
import { PAGE } from "./_sizes.ts";
import { checkCount, checkObject, checkTypes } from "./_check.ts";

/** A sorted listing: see `VersionedMap.entries`. */
export function listEntries(core: Core, options: EntriesOptions): Entry[] {
  checkObject("options", options);
  const {
    prefix = "",
    from = "",
    after = "",
    before = "",
    limit = Infinity,
    all = false,
  } = options;
  const now = all ? 0 : core.now(options);
  checkCount("limit", limit, 0);
  checkTypes({ prefix, from, after, before });
  const found: Entry[] = [];
  for (const entry of scanAll(core, options, limit)) {
    if (!all && !isLive(entry, now)) continue;
    if (found.push(entry) >= limit) break;
  }
  return found;
}

/** All entries of a range, read a page at a time; nothing may be written meanwhile. */
export function* scanAll(
  core: Core,
  range: EntriesOptions = {},
  limit: number = PAGE,
): Iterable<StoredEntry> {
  const size = Math.min(PAGE, limit);
  let cursor = range.after;
  for (;;) {
    const page = core.engine.scan({ ...range, after: cursor, limit: size });
    yield* page;
    cursor = page.at(-1)?.key;
    if (page.length < size || cursor === undefined) return;
  }
}

/** Whether an entry reads as there: neither deleted nor expired. */
export function isLive(entry: StoredEntry, now: number): boolean {
  if (entry.deleted) return false;
  return entry.expiresAt === undefined || (entry.expiresAt > now && !entry.stripped);
}
