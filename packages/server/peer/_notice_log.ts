import type { GossipNotice } from "@dnd/gossip";
import type { NodeLogger } from "../node_logger.ts";

/** The second line about the same comes so long after the first; each further one after twice the time. */
const firstGapMs = 10_000;
const longestGapMs = 600_000;
/** Who was not heard of for so long was in order meanwhile: a seed that is silent is called each 10 s (rule 20). */
const forgetMs = 60_000;
/** Seeds and addresses of which something is kept. */
const mostKept = 1000;

interface Told {
  nextAt: number;
  gapMs: number;
  lastAt: number;
  leftOut: number;
}

/**
 * A line of the log for what the membership layer notices, again and again: a seed that is away for a night is
 * called thousands of times, and named some fifty times.
 */
export class NoticeLog {
  readonly #logger: NodeLogger;
  readonly #told = new Map<string, Told>();

  constructor(logger: NodeLogger) {
    this.#logger = logger;
  }

  /** @param now ms of a monotonic clock */
  tell(notice: GossipNotice, now: number): void {
    if (notice.type === "seed" && notice.reason === "answered") return;
    const leftOut = this.#admit(kindOf(notice), now);
    if (leftOut === undefined) return;
    const more = leftOut === 0 ? {} : { leftOut };
    if (notice.type === "seed") {
      const { seed, reason } = notice;
      const why = reason === "silent" ? "it does not answer" : "its name has no address";
      const text = `seed ${seed} cannot be reached: ${why}; it is called again`;
      this.#logger.warn({ seed, reason, ...more }, text);
    } else {
      const { address, code, detail } = notice;
      this.#logger.warn({ address, code, ...more }, `${address} refuses this node: ${detail}`);
    }
  }

  /** How many lines were left out before this one; undefined: this one is too. */
  #admit(kind: string, now: number): number | undefined {
    const told = this.#told.get(kind);
    if (told === undefined || now - told.lastAt >= forgetMs) {
      if (this.#told.size >= mostKept) this.#told.clear();
      this.#told.set(kind, {
        ...{ nextAt: now + firstGapMs, gapMs: firstGapMs },
        ...{ lastAt: now, leftOut: 0 },
      });
      return 0;
    }
    told.lastAt = now;
    if (now < told.nextAt) {
      told.leftOut += 1;
      return undefined;
    }
    const { leftOut } = told;
    told.leftOut = 0;
    told.gapMs = Math.min(longestGapMs, told.gapMs * 2);
    told.nextAt = now + told.gapMs;
    return leftOut;
  }
}

function kindOf(notice: GossipNotice): string {
  return notice.type === "seed"
    ? `${notice.seed} ${notice.reason}`
    : `${notice.address} ${notice.code}`;
}
