import type { EntriesOptions } from "./map_options.ts";
import type { Core } from "./_core.ts";
import type { Entry } from "./entry.ts";
import { InputTypeError } from "./errors.ts";
import { checkCount } from "./check.ts";

/** Entries read at a time, where many of them may be of no interest. */
const PAGE = 1000;

/** A sorted listing: see `VersionedMap.entries`. */
export function listEntries(core: Core, options: EntriesOptions): Entry[] {
  const { prefix, from, before, limit = Infinity, all = false } = options;
  const now = all ? 0 : core.now(options);
  checkCount("limit", limit, 0);
  for (const name of ["prefix", "from", "after", "before"] as const) {
    const text: unknown = options[name];
    if (text === undefined || typeof text === "string") continue;
    throw new InputTypeError("invalid-argument", `Invalid ${name}: not a string`);
  }
  const found: Entry[] = [];
  let { after } = options;
  while (found.length < limit) {
    const size = Math.min(PAGE, limit - found.length);
    const page = core.engine.scan({ prefix, from, after, before, limit: size });
    for (const entry of page) {
      const { expiresAt } = entry;
      const live =
        entry.deleted !== true && (expiresAt === undefined || (expiresAt > now && !entry.stripped));
      if (all || live) found.push(entry);
    }
    after = page.at(-1)?.key;
    if (page.length < size || after === undefined) break;
  }
  return found;
}
