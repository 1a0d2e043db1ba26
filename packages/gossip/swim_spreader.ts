import type { SwimContext } from "./swim_context.ts";

/**
 * Packets that carry nothing but rumors, to a few members at random in each gossip period, as long as
 * there are rumors. At rest nothing is sent. (SWIM piggybacks on pings only; with a period of a second
 * a rumor would take many seconds to get round.)
 */
export class Spreader {
  #context: SwimContext;
  #armed = false;
  #lastAt = -Infinity;

  constructor(context: SwimContext) {
    this.#context = context;
  }

  /** Wakes from now on when rumors are queued. */
  attach(): void {
    this.#context.onRumors = () => this.wake();
  }

  /** There are rumors. */
  wake(): void {
    if (this.#armed || this.#context.phase === "new") return;
    this.#armed = true;
    const { now, timing, prng } = this.#context;
    const rested = now - this.#lastAt >= timing.gossipIntervalMs;
    const wait = rested ? 0.25 * prng() : 0.75 + 0.5 * prng();
    this.#context.schedule(timing.gossipIntervalMs * wait, () => {
      this.#armed = false;
      if (this.#context.phase === "ended") return;
      this.#lastAt = this.#context.now;
      this.send(this.#context.timing.gossipFanout);
      if (this.#context.rumors.size > 0 && this.#context.table.up.length > 0) this.wake();
    });
  }

  /** Sends one packet of rumors to each of so many members. */
  send(fanout: number): void {
    const context = this.#context;
    for (const record of context.table.randomUp(fanout, (other) => other.bootId !== "")) {
      if (context.rumors.size === 0) return;
      context.send(context.destination(record), undefined);
    }
  }
}
