import type { GossipNotice } from "@dnd/gossip";

/** Which of the seeds of this node have never answered: what it proves does not count before they have (rule 12). */
export class SeedWatch {
  readonly #silent: Set<string>;

  /** @param seeds `host:port`, this node's own address not among them */
  constructor(seeds: readonly string[]) {
    this.#silent = new Set(seeds);
  }

  /** Further seeds. */
  add(seeds: readonly string[]): void {
    for (const seed of seeds) this.#silent.add(seed);
  }

  /** Whether all have answered. */
  get isDone(): boolean {
    return this.#silent.size === 0;
  }

  /** @returns whether the last one that was silent has answered now */
  hear(notice: GossipNotice): boolean {
    if (notice.type !== "seed" || notice.reason !== "answered") return false;
    return this.#silent.delete(notice.seed) && this.isDone;
  }
}
