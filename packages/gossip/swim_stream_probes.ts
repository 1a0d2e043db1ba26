import type { SwimContext } from "./swim_context.ts";
import type { MemberRecord } from "./swim_members.ts";
import type { StreamProbeOutcome } from "./swim_types.ts";

/**
 * Stream probes on their way. A driver that never answers counts as `failed` after twice the timeout.
 */
export class StreamProbes {
  #context: SwimContext;
  #waiting: Map<number, { done: (outcome: StreamProbeOutcome) => void; timer: number }> = new Map();

  constructor(context: SwimContext) {
    this.#context = context;
  }

  /** Asks for one; `done` is called once. Returns its token. */
  start(record: MemberRecord, done: (outcome: StreamProbeOutcome) => void): number {
    const context = this.#context;
    const token = context.nextToken();
    const timeoutMs = context.timing.streamProbeTimeoutMs;
    context.counters.streamProbes += 1;
    const timer = context.schedule(2 * timeoutMs, () => this.finish(token, "failed"));
    this.#waiting.set(token, { done, timer });
    context.emit({ type: "probe-stream", peer: context.peer(record), token, timeoutMs });
    return token;
  }

  /** The outcome of one; a stale token does nothing. */
  finish(token: number, outcome: StreamProbeOutcome): void {
    const waiting = this.#waiting.get(token);
    if (waiting === undefined) return;
    this.#waiting.delete(token);
    this.#context.cancel(waiting.timer);
    waiting.done(outcome);
  }
}
