import { invalid } from "./_check.ts";
import { InputRangeError } from "./errors.ts";
import { MAX_STAMP } from "./limits.ts";
import { stampOf } from "./version.ts";

/**
 * A hybrid logical clock: stamps rise with the wall clock when it runs, and one by one when it stands
 * still or goes back, so they never repeat and never come before one that was seen. More than 4,096
 * stamps in one millisecond carry over into the next.
 *
 * Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots" (2014); the two parts share one
 * safe integer here, see `Version.time`.
 *
 * @example
 * ```ts
 * import { HybridClock } from "@dnd/store/engine";
 *
 * const clock = new HybridClock();
 * const first = clock.tick(1_800_000_000_000);
 * const second = clock.tick(1_799_999_999_000); // the wall clock went back: second === first + 1
 * ```
 */
export class HybridClock {
  /** The highest stamp issued or seen. Set back after the entries it had stamped were stamped anew (rule 8). */
  last: number;

  /** @param last the highest stamp issued or seen so far */
  constructor(last: number = 0) {
    this.last = last;
  }

  /**
   * The stamp that {@linkcode tick} would issue.
   *
   * @param now milliseconds since 1970
   * @throws {InputRangeError} if no safe integer is left for it (after the year 2095); nothing changed
   */
  peek(now: number): number {
    const wall = stampOf(now);
    const stamp = wall > this.last ? wall : this.last + 1;
    if (stamp >= MAX_STAMP) {
      throw invalid("now", now, "a time before 2095", InputRangeError);
    }
    return stamp;
  }

  /**
   * Issues a stamp above all before.
   *
   * @param now milliseconds since 1970
   * @throws {InputRangeError} as {@linkcode peek}
   */
  tick(now: number): number {
    return (this.last = this.peek(now));
  }

  /** Takes note of a stamp that was seen: later ones will be above it. */
  observe(stamp: number): void {
    if (stamp > this.last) this.last = stamp;
  }
}
