/** What ends one request: its time, its caller's signal, or the client that closes. */
export class RequestClock {
  readonly #controller: AbortController = new AbortController();
  readonly #running: Set<RequestClock>;
  readonly #callerSignal: AbortSignal | undefined;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #onAbort: () => void = () => this.#controller.abort();
  #timedOut = false;

  /**
   * Starts at once.
   *
   * @param running where the request is listed until it is cleared
   * @param signal the caller's signal
   * @param ms time in milliseconds, Infinity for none
   */
  constructor(running: Set<RequestClock>, signal: AbortSignal | undefined, ms: number) {
    this.#running = running;
    this.#callerSignal = signal;
    running.add(this);
    if (ms !== Infinity) {
      this.#timer = setTimeout(() => {
        this.#timedOut = true;
        this.abort();
      }, ms);
    }
    if (signal?.aborted === true) this.abort();
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Ends the request when it fires. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it was the time that ended it. */
  get timedOut(): boolean {
    return this.#timedOut;
  }

  /** Ends the request. */
  abort(): void {
    this.#controller.abort();
  }

  /** From now on the request may take as long as it likes. */
  stopTimer(): void {
    clearTimeout(this.#timer);
  }

  /** Forgets the request: nothing ends it any more. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#callerSignal?.removeEventListener("abort", this.#onAbort);
    this.#running.delete(this);
  }
}
