import { type Checker, type Violation, Violations } from "./checker.ts";
import type { SwimWorld } from "./swim_world.ts";

/** What a node sends at rest, per second. */
export interface Load {
  readonly packets: number;
  readonly bytes: number;
}

/**
 * Constant load: from {@linkcode begin} to the end no node sends more packets per second than the bound,
 * whatever the size of the cluster.
 */
export class LoadChecker implements Checker {
  readonly name = "constant load";
  #world: SwimWorld;
  #bound: number;
  #violations = new Violations(this.name);
  #beganAt = 0;
  #packets = 0;
  #bytes = 0;

  constructor(world: SwimWorld, options: { readonly maxPacketsPerSecond: number }) {
    this.#world = world;
    this.#bound = options.maxPacketsPerSecond;
  }

  get violations(): readonly Violation[] {
    return this.#violations.list;
  }

  /** The cluster is at rest from now on. */
  begin(): void {
    const { datagrams, bytes } = this.#world.simulation.network.counters;
    this.#beganAt = this.#world.now;
    this.#packets = datagrams;
    this.#bytes = bytes;
  }

  /** Per running node and second since {@linkcode begin}. */
  load(): Load {
    const { datagrams, bytes } = this.#world.simulation.network.counters;
    const seconds = Math.max(0.001, (this.#world.now - this.#beganAt) / 1_000);
    const nodes = Math.max(1, this.#world.running().length);
    return {
      packets: (datagrams - this.#packets) / seconds / nodes,
      bytes: (bytes - this.#bytes) / seconds / nodes,
    };
  }

  finish(): void {
    const { packets } = this.load();
    if (packets <= this.#bound) return;
    const text = `${packets.toFixed(1)} packets per node and second, at most ${this.#bound}`;
    this.#violations.add(this.#world.now, text);
  }
}
