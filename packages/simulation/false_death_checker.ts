import { type Checker, type Violation, Violations } from "./checker.ts";
import type { SwimWorld } from "./swim_world.ts";

/**
 * Safety: nobody is declared dead who runs in that generation and had no trouble lately, by somebody who
 * had none. Trouble is any fault that touched a host: paused, slow, restarted, cut off. It counts for
 * `graceMs` after its end, because suspicions that began in it may end later.
 */
export class FalseDeathChecker implements Checker {
  readonly name = "no false death";

  /** Deaths of processes that ran, troubled or not. */
  ofRunning = 0;

  /** Violations found, also those beyond the list. */
  count = 0;
  #violations = new Violations(this.name);

  constructor(world: SwimWorld, options: { readonly graceMs: number }) {
    world.observers.push((event, node) => {
      if (event.type !== "dead") return;
      const subject = world.hostOf(event.member.id);
      if (subject === undefined || subject.state !== "running") return;
      const { now } = world;
      const { swim, id } = world.node(subject);
      if (swim.member(id)?.generation !== event.member.generation) return;
      this.ofRunning += 1;
      const calm = (index: number): boolean => {
        const at = world.troubledAt[index] ?? -1;
        return at < 0 || now - at > options.graceMs;
      };
      if (!calm(subject.index) || !calm(node.host.index)) return;
      this.count += 1;
      this.#violations.add(now, `${node.host.address} holds ${subject.address} dead, which runs`);
    });
  }

  get violations(): readonly Violation[] {
    return this.#violations.list;
  }
}
