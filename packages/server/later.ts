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

  /** Settles as something else does: now, or later. */
  follow(make: () => T | PromiseLike<T>): void {
    try {
      const made = make();
      if (!isLater(made)) this.resolve(made);
      else {
        const onValue = (value: T): void => this.resolve(value);
        const onError = (error: unknown): void => this.reject(error);
        if (made instanceof Later) made.listen(onValue, onError);
        else made.then(onValue, onError);
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

  /** What a function makes of the value, at once when it comes. */
  map<A>(use: (value: T) => A): Later<A> {
    const later = new Later<A>();
    this.listen(
      (value) => later.follow(() => use(value)),
      (error) => later.reject(error),
    );
    return later;
  }

  /** As of a promise. */
  then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return new Promise<T>((resolve, reject) => this.listen(resolve, reject)).then(onValue, onError);
  }
}

/** Whether something is to be waited for. */
export function isLater<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value;
}
