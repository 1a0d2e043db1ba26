import type { Entry } from "@dnd/store";
import type { ReplicationEffect } from "./replication_effect.ts";

type Callback = (now: number) => void;

/**
 * What comes of an input: effects in their order, and behind them one mark of the commit that somebody waits
 * for, if anybody does.
 */
export class EffectLog {
  #effects: ReplicationEffect[] = [];
  #callbacks: Callback[] = [];
  /** Of this input, by peer. */
  readonly #aside = new Map<string, Entry[]>();
  readonly #marks = new Map<number, Callback[]>();
  #mark = 0;

  emit(effect: ReplicationEffect): void {
    if (effect.type !== "set-aside") {
      this.#effects.push(effect);
      return;
    }
    // A leaf each, and each is a sync of the host's file: what one input brings is one.
    const held = this.#aside.get(effect.peer);
    if (held !== undefined) {
      for (const entry of effect.entries) held.push(entry);
      return;
    }
    const entries = [...effect.entries];
    this.#aside.set(effect.peer, entries);
    this.#effects.push({ ...effect, entries });
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
    this.#aside.clear();
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
