import { type Checker, type Violation, Violations } from "./checker.ts";
import type { SwimWorld } from "./swim_world.ts";

/** Safety: packets, queues, tables and timers stay in their bounds. */
export class BoundsChecker implements Checker {
  readonly name = "bounds";
  #world: SwimWorld;
  #violations = new Violations(this.name);

  constructor(world: SwimWorld, options: { readonly maxDatagramBytes: number }) {
    this.#world = world;
    world.simulation.network.onDatagram = (from, _to, bytes) => {
      if (bytes.length <= options.maxDatagramBytes) return;
      this.#violations.add(world.now, `${from.address} sent ${bytes.length} bytes in one packet`);
    };
  }

  get violations(): readonly Violation[] {
    return this.#violations.list;
  }

  check(): void {
    for (const node of this.#world.running()) {
      const { members, ended, rumors, timers, waiting } = node.swim.sizes();
      const bounds: [string, number, number][] = [
        ["members", members, 16_384],
        ["ended members", ended, 4_096],
        ["rumors", rumors, 4 * members + 512],
        ["timers", timers, 5 * members + 600],
        ["answers waited for", waiting, members + 512],
        ["accusations", node.swim.accusations().length, 256],
      ];
      for (const [what, size, bound] of bounds) {
        if (size <= bound) continue;
        this.#violations.add(this.#world.now, `${node.host.address} has ${size} ${what}`);
      }
    }
  }
}
