import type { SwimEvent } from "./swim_types.ts";

/** Seeds of a node, at most; further ones are called once, and not again. */
export const MAX_SEEDS = 64;

/**
 * Which seeds of a node have never answered: what it holds may be without the cluster that they belong to.
 *
 * @example
 * ```ts
 * import { SeedWatch } from "@dnd/gossip";
 * const watch = new SeedWatch(["10.0.0.7:5000"]);
 * watch.hear({ type: "seed", seed: "10.0.0.7:5000", reason: "answered" }); // true: that was the last one
 * ```
 */
export class SeedWatch {
  readonly #named = new Set<string>();
  readonly #silent = new Set<string>();

  /** @param seeds `host:port` as the node was given them, its own address not among them */
  constructor(seeds: readonly string[]) {
    this.add(seeds);
  }

  /** Further seeds, or the same ones again. */
  add(seeds: readonly string[]): void {
    for (const seed of seeds) {
      if (this.#named.size >= MAX_SEEDS && !this.#named.has(seed)) continue;
      this.#named.add(seed);
      this.#silent.add(seed);
    }
  }

  /** Whether all have answered. */
  get isDone(): boolean {
    return this.#silent.size === 0;
  }

  /** @returns whether the last one that was silent has answered now */
  hear(event: SwimEvent): boolean {
    if (event.type !== "seed" || event.reason !== "answered") return false;
    return this.#silent.delete(event.seed) && this.isDone;
  }
}
