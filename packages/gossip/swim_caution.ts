import type { SwimContext } from "./swim_context.ts";

/**
 * Caution after own stalls (RULES 15): a node whose timers came late, or whose main thread is blocked,
 * cannot tell a silent member from its own sleep. It turns no suspect into dead until a clean round has
 * passed: one protocol period without a late timer, in which somebody was heard.
 *
 * Only the worker's own lateness feeds local health, and at most once a round: a blocked main thread
 * says nothing about the probes.
 */
export class Caution {
  /** Nobody may be declared dead now. */
  active = false;

  /** Called when caution begins. */
  onBegin: () => void = () => undefined;

  #context: SwimContext;
  #lateThisRound = false;
  #heardThisRound = false;
  #stalled = false;
  #silentRounds = 0;

  constructor(context: SwimContext) {
    this.#context = context;
  }

  /** Lateness from which a timer counts as late. */
  get thresholdMs(): number {
    return Math.max(50, this.#context.timing.minProbeTimeoutMs);
  }

  /** A timer of our own came late. */
  late(): void {
    this.#context.counters.lateTimers += 1;
    if (!this.#lateThisRound) this.#context.health.add(1);
    this.#lateThisRound = true;
    this.#begin();
  }

  /** The main thread is blocked, or goes on. */
  setStalled(stalled: boolean): void {
    this.#stalled = stalled;
    if (stalled) this.#begin();
  }

  /** A packet made for this node came from a member. */
  heard(): void {
    this.#heardThisRound = true;
  }

  /** A protocol period ends. After five clean but silent ones the silence is believed. */
  endRound(): void {
    const clean = !this.#lateThisRound && !this.#stalled;
    const heard = this.#heardThisRound || this.#context.table.up.length === 0;
    if (this.active && clean) {
      this.#silentRounds += 1;
      if (heard || this.#silentRounds >= 5) this.active = false;
    }
    this.#lateThisRound = false;
    this.#heardThisRound = false;
  }

  #begin(): void {
    this.#silentRounds = 0;
    if (this.active || this.#context.options.localHealth === false) return;
    this.active = true;
    this.onBegin();
  }
}
