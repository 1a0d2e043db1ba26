import { heartbeatMs } from "./_engine_protocol.ts";

/**
 * Tells from the host's heartbeat whether its thread is blocked (RULES 15): the delay monitor of a blocked
 * thread cannot tell itself.
 *
 * The age of a beat is counted in ticks of the watching thread that came in time. When the whole process
 * was frozen both threads are late, and the host gets its chance to beat before it is called stalled.
 */
export class HeartbeatWatch {
  readonly #stalledAfterMs: number;
  #beats: number;
  #missed = 0;
  #lastTick: number;

  /** @param beats the host's count now */
  constructor(stalledAfterMs: number, beats: number, now: number) {
    this.#stalledAfterMs = stalledAfterMs;
    this.#beats = beats;
    this.#lastTick = now;
  }

  /** One look, every {@linkcode heartbeatMs}. @returns whether the host is stalled */
  look(beats: number, now: number): boolean {
    const late = now - this.#lastTick > 3 * heartbeatMs;
    this.#lastTick = now;
    if (beats !== this.#beats) this.#missed = 0;
    else if (!late) this.#missed += 1;
    this.#beats = beats;
    return this.#missed * heartbeatMs >= this.#stalledAfterMs;
  }
}
