import { type Checker, type Violation, Violations } from "./checker.ts";
import type { SwimWorld } from "./swim_world.ts";

/** Liveness: in the end every running node sees exactly the running ones, in their present generation. */
export class AgreementChecker implements Checker {
  readonly name = "agreement";
  #world: SwimWorld;
  #violations = new Violations(this.name);

  constructor(world: SwimWorld) {
    this.#world = world;
  }

  get violations(): readonly Violation[] {
    return this.#violations.list;
  }

  finish(): void {
    const wrong = this.#world.disagreement();
    if (wrong !== undefined) this.#violations.add(this.#world.now, wrong);
  }
}
