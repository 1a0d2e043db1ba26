import type { Change } from "./map_options.ts";
import type { Core } from "./_core.ts";
import { eventOf } from "./_watchers.ts";

/** Committed changes after a counter (rule 9): see `VersionedMap.changesSince`. */
export function changesAfter(core: Core, after: number, limit: number): Change[] {
  const { counter, changesFloor } = core.state;
  const committed = Math.min(core.engine.committedCounter, counter);
  if (after < changesFloor || after > counter) {
    return [{ type: "reset", reason: "log-truncated", counter: Math.max(committed, changesFloor) }];
  }
  const changes: Change[] = [];
  for (const entry of core.engine.changes(after, limit)) {
    if (entry.counter > committed) break;
    changes.push(eventOf(entry));
  }
  return changes;
}
