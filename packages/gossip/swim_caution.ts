import type { SwimContext } from "./swim_context.ts";

/**
 * Caution after own stalls (RULES 15): a node whose timers came late, or whose main thread is blocked,
 * cannot tell a silent member from its own sleep. It turns no suspect into dead until a clean round has
 * passed: one protocol period without a late timer, in which somebody was heard.
 *
 * The same for a node that is deaf: who heard nobody at all while it waited for one, though there are
 * others, accuses nobody and declares nobody dead. Its own network is the likelier fault: an interface that
 * is full, a firewall, a socket that waits. Only after some clean but silent rounds is the silence believed:
 * two in a cluster of three, where both others may well be gone, five in one of 17 and more. Who refuses a
 * connection was heard.
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
  #silenceBelieved = false;
  #heardAt = -Infinity;

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
    this.#silenceBelieved = false;
    this.#heardAt = this.#context.now;
  }

  /**
   * Whether a silence since then says something about the one that was waited for: somebody else was heard,
   * or there is nobody else. If not, caution begins.
   */
  trusts(since: number): boolean {
    const { options, table } = this.#context;
    if (this.#heardAt >= since || table.up.length < 2 || this.#silenceBelieved) return true;
    if (options.localHealth === false) return true;
    this.#context.counters.deafRounds += 1;
    if (!this.active) this.#begin();
    return false;
  }

  /** A protocol period ends. */
  endRound(): void {
    const clean = !this.#lateThisRound && !this.#stalled;
    const heard = this.#heardThisRound || this.#context.table.up.length === 0;
    if (this.active && clean) {
      this.#silentRounds += 1;
      this.#silenceBelieved = !heard && this.#silentRounds >= this.#patience;
      if (heard || this.#silenceBelieved) this.active = false;
    }
    this.#lateThisRound = false;
    this.#heardThisRound = false;
  }

  /** Silent rounds that are not believed yet. */
  get #patience(): number {
    return Math.min(5, Math.max(2, Math.ceil(Math.log2(this.#context.table.up.length + 1))));
  }

  #begin(): void {
    this.#silentRounds = 0;
    if (this.active || this.#context.options.localHealth === false) return;
    this.active = true;
    this.onBegin();
  }
}
