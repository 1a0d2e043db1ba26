import { stampOf } from "@dnd/store";
import type { Context } from "./_context.ts";
import { notify, promiseLimit } from "./_context.ts";
import type { Promises } from "./_promises.ts";
import type { Readiness } from "./_readiness.ts";
import type { Rumors } from "./_rumors.ts";

/** Two clocks that disagree are told of once in so long. */
const TELL_MS = 60_000;

/** The parts that a wrong clock touches. */
export interface ClockCheckParts {
  readonly promises: Promises;
  readonly readiness: Readiness;
  readonly rumors: Rumors;
}

/**
 * Rule 8: a node beyond the drift is not ready and says so; once its clock is right again, what it holds
 * that far ahead gets new stamps.
 */
export class ClockCheck {
  readonly #context: Context;
  readonly #parts: ClockCheckParts;
  #disagreedAt = -Infinity;

  constructor(context: Context, parts: ClockCheckParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Somebody's clock was heard. */
  run(now: number): void {
    const { time, map, table, metrics, options } = this.#context;
    const { promises, readiness, rumors } = this.#parts;
    const { skewed } = time;
    if (skewed !== readiness.skewed) {
      readiness.setSkewed(skewed);
      notify(this.#context, { type: "skewed", skewed, offsetMs: time.aheadMs() });
    }
    const disagreement = time.disagreement();
    if (disagreement !== undefined && now - this.#disagreedAt > TELL_MS) {
      this.#disagreedAt = now;
      notify(this.#context, { type: "clock-disagreement", ...disagreement });
    }
    if (skewed || Math.abs(time.aheadMs()) > options.maxDriftMs) return;
    if (!time.confirmed) return;
    const trustedNow = time.trusted(now);
    if (map.clock({ now }) <= stampOf(trustedNow + options.maxDriftMs)) return;
    const entries = map.restamp({ now, trustedNow });
    table.lower(promiseLimit(this.#context, now));
    promises.persist(now);
    metrics.restamped += entries.length;
    notify(this.#context, { type: "restamped", entries: entries.length });
    rumors.tell(entries, now);
  }
}
