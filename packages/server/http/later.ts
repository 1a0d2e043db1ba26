type Taker<T> = (value: T) => void;

/**
 * A value that comes later: a promise for one listener, which is told at once and not by way of the
 * queue of microtasks. `await` works too. Half of what the answer to a small write costs in
 * JavaScript is promises otherwise.
 */
export class Later<T> implements PromiseLike<T> {
  #settled: { readonly value: T } | { readonly error: unknown } | undefined;
  #onValue: Taker<T> | undefined;
  #onError: Taker<unknown> | undefined;

  /** The value is there. What comes after the first settlement is not heard. */
  resolve(value: T): void {
    if (this.#settled !== undefined) return;
    this.#settled = { value };
    this.#onValue?.(value);
  }

  /** It will not be there. */
  reject(error: unknown): void {
    if (this.#settled !== undefined) return;
    this.#settled = { error };
    this.#onError?.(error);
  }

  /** Settles as something else does: now, or with its promise. */
  follow(make: () => T | Promise<T>): void {
    try {
      const made = make();
      if (!(made instanceof Promise)) this.resolve(made);
      else {
        made.then(
          (value) => this.resolve(value),
          (error: unknown) => this.reject(error),
        );
      }
    } catch (error) {
      this.reject(error);
    }
  }

  /** Hears of the settlement: at once if it has happened. Only one listener is kept. */
  listen(onValue: Taker<T>, onError: Taker<unknown>): void {
    const settled = this.#settled;
    if (settled === undefined) {
      this.#onValue = onValue;
      this.#onError = onError;
    } else if ("error" in settled) onError(settled.error);
    else onValue(settled.value);
  }

  /** As of a promise. */
  then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return new Promise<T>((resolve, reject) => this.listen(resolve, reject)).then(onValue, onError);
  }
}
