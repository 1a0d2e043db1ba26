/** Timers that can all be ended at once, and whose actions never throw into the event loop. */
export class GuardedTimers {
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #onFault: (error: Error) => void;
  #closed = false;

  /** @param onFault told what an action threw */
  constructor(onFault: (error: Error) => void) {
    this.#onFault = onFault;
  }

  after(ms: number, action: () => void): void {
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.guard(action);
    }, ms);
    this.#timers.add(timer);
  }

  every(ms: number, action: () => void): void {
    if (!this.#closed) this.#timers.add(setInterval(() => this.guard(action), ms));
  }

  /** A timer that fails would leave a node that looks alive and does nothing: somebody is told instead. */
  guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#onFault(error as Error);
    }
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
