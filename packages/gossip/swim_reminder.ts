import type { Calls } from "./swim_calls.ts";
import type { SwimContext } from "./swim_context.ts";
import type { MemberRecord } from "./swim_members.ts";

/**
 * One that we accused hears of it again each `probeIntervalMs`, however bad our health is: in a short cut
 * all our rumors may have been lost, and then nobody else would clear it before its time is up.
 */
export class Reminder {
  #context: SwimContext;
  #calls: Calls;
  #timer = 0;

  constructor(context: SwimContext, calls: Calls) {
    this.#context = context;
    this.#calls = calls;
  }

  /** We accused somebody. */
  start(): void {
    if (this.#timer !== 0) return;
    this.#timer = this.#context.schedule(this.#context.timing.probeIntervalMs, () => {
      this.#timer = 0;
      const record = this.#context.phase === "running" ? this.#leastReminded() : undefined;
      if (record?.suspicion === undefined) return;
      record.suspicion.remindedAt = this.#context.now;
      this.#calls.look(record);
      this.start();
    });
  }

  #leastReminded(): MemberRecord | undefined {
    let least: MemberRecord | undefined;
    let at = Infinity;
    for (const record of this.#context.table.suspects) {
      const { suspicion } = record;
      if (suspicion?.own !== true || suspicion.remindedAt >= at) continue;
      least = record;
      at = suspicion.remindedAt;
    }
    return least;
  }
}
