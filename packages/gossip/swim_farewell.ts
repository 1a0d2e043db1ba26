import type { SwimContext } from "./swim_context.ts";

const farewellRounds = 3;
const farewellFanout = 16;

/** How a node ends in order: *stopped*, which is not leaving, or *left*. */
export class Farewell {
  #context: SwimContext;

  constructor(context: SwimContext) {
    this.#context = context;
  }

  /** Says goodbye at once to as many as fit, and to random ones in a few rounds more. */
  end(state: "left" | "stopped", departed: number): void {
    const context = this.#context;
    if (context.phase === "ending" || context.phase === "ended") return;
    const silent = context.phase !== "running" || context.table.up.length === 0;
    context.phase = "ending";
    const { member } = context.self;
    const stamp = Math.max(departed, member.departed);
    context.table.replace(context.self, { ...member, state, departed: stamp });
    context.self.changedAt = Math.floor(context.now);
    if (silent) {
      this.#finish();
      return;
    }
    context.spread(context.self.member);
    this.#say(farewellRounds);
  }

  #say(rounds: number): void {
    const context = this.#context;
    const claims = [context.self.member];
    for (const record of context.table.randomUp(farewellFanout, (other) => other.bootId !== "")) {
      context.send(context.destination(record), undefined, { claims });
    }
    context.schedule(context.timing.gossipIntervalMs, () => {
      if (rounds > 1) this.#say(rounds - 1);
      else this.#finish();
    });
  }

  #finish(): void {
    this.#context.phase = "ended";
    this.#context.notify({ type: "ended", generation: this.#context.self.member.generation });
  }
}
