import type { GossipNode } from "@dnd/gossip";
import {
  SUMMARY_ANCHORED,
  SUMMARY_AWAITS_SEEDS,
  SUMMARY_DROPPED,
  SUMMARY_READY,
} from "@dnd/protocol";
import type { Replicator } from "@dnd/replication";
import type { NodeLogger } from "../node_logger.ts";

/** How often the clock goes into the pings when nothing changes. */
const everyMs = 250;
/** How long after a change at the latest; a thousand changes in this time are one. */
const delayMs = 20;

/** What a {@linkcode SummaryTeller} works with. */
export interface SummaryTellerParts {
  readonly replicator: Pick<Replicator, "summary" | "status">;
  readonly gossip: Pick<GossipNode, "setSummary" | "setFlags">;
  readonly logger: NodeLogger;
  readonly now: () => number;
  /** The node is ready, and was not. */
  readonly onReady: () => void;
}

/**
 * Keeps what pings and acks say of this node up to date (rule 11): soon after a change, and now and then for its clock.
 * Every ping that leaves in between says the same.
 */
export class SummaryTeller {
  readonly #parts: SummaryTellerParts;
  readonly #timer: ReturnType<typeof setInterval>;
  #soon: ReturnType<typeof setTimeout> | undefined;
  #toldReady: boolean | undefined;
  #toldSkewed: boolean | undefined;

  /** Tells it at once for the first time. */
  constructor(parts: SummaryTellerParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.tell(), everyMs);
    this.tell();
  }

  /** What is said has changed, perhaps. */
  soon(): void {
    this.#soon ??= setTimeout(() => this.tell(), delayMs);
  }

  tell(): void {
    const { replicator, gossip, logger, now } = this.#parts;
    clearTimeout(this.#soon);
    this.#soon = undefined;
    try {
      const { clock, counter, digest, algorithm, scope, horizon, seen, flags } =
        replicator.summary(now());
      const ready = (flags & SUMMARY_READY) !== 0;
      gossip.setSummary({
        ...{ clock, counter, digest, algorithm, scope, horizon, seen, ready },
        dropped: (flags & SUMMARY_DROPPED) !== 0,
        anchored: (flags & SUMMARY_ANCHORED) !== 0,
        awaitsSeeds: (flags & SUMMARY_AWAITS_SEEDS) !== 0,
      });
      this.#tellFlags(ready, replicator.status().skewed);
    } catch (error) {
      // A failed storage ends the node by its own way.
      logger.debug({ err: error }, "the summary could not be made");
    }
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
  }

  #tellFlags(ready: boolean, skewed: boolean): void {
    if (ready === this.#toldReady && skewed === this.#toldSkewed) return;
    this.#toldReady = ready;
    this.#toldSkewed = skewed;
    if (ready) this.#parts.onReady();
    this.#parts.gossip.setFlags({ ready, skewed }).catch(() => undefined);
  }
}
