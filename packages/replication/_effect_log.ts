import type { ReplicationEffect } from "./replication_effect.ts";

type Callback = (now: number) => void;

/**
 * What comes of an input: effects in their order, and behind them one mark of the commit that somebody waits
 * for, if anybody does.
 */
export class EffectLog {
  #effects: ReplicationEffect[] = [];
  #callbacks: Callback[] = [];
  readonly #marks = new Map<number, Callback[]>();
  #mark = 0;

  emit(effect: ReplicationEffect): void {
    this.#effects.push(effect);
  }

  /** Calls back once all that the map holds now is durable. */
  onCommitted(callback: Callback): void {
    this.#callbacks.push(callback);
  }

  /** Runs an action; returns what it emitted. */
  run(action: () => void): ReplicationEffect[] {
    action();
    if (this.#callbacks.length > 0) {
      this.#mark += 1;
      this.#marks.set(this.#mark, this.#callbacks);
      this.#callbacks = [];
      this.#effects.push({ type: "commit", mark: this.#mark });
    }
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Everything up to this mark is durable. */
  handleCommitted(mark: number, now: number): void {
    for (const [held, callbacks] of [...this.#marks]) {
      if (held > mark) break;
      this.#marks.delete(held);
      for (const callback of callbacks) callback(now);
    }
  }
}
