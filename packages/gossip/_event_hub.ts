/** Callbacks that must not disturb each other or who calls them. */
export class Listeners<T> {
  readonly #listeners = new Set<(event: T) => void>();
  readonly #onError: (error: unknown) => void;

  /** @param onError told what a callback threw; the others are still called */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** @returns a function that takes the callback off again */
  add(listener: (event: T) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(event: T): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}

interface Reader<T> {
  queue: T[];
  lost: number;
  wake: (() => void)[];
  done: boolean;
}

/** Options of {@linkcode EventHub}. */
export interface EventHubOptions<T> {
  /** Events that wait for one reader, at least 1. */
  bound: number;
  /** Makes the event that a reader gets in the place of those it lost. */
  lost: (count: number) => T;
  onListenerError: (error: unknown) => void;
}

/**
 * Hands events to callbacks and to async iterators. Each iterator has a buffer of its own with a bound: a
 * reader that is too slow loses its oldest events and is told how many, the others lose nothing.
 */
export class EventHub<T> {
  readonly #options: EventHubOptions<T>;
  readonly #readers = new Set<Reader<T>>();
  readonly #listeners: Listeners<T>;
  #closed = false;

  constructor(options: EventHubOptions<T>) {
    this.#options = options;
    this.#listeners = new Listeners(options.onListenerError);
  }

  /** @returns a function that takes the callback off again */
  listen(listener: (event: T) => void): () => void {
    return this.#listeners.add(listener);
  }

  emit(event: T): void {
    this.#listeners.emit(event);
    for (const reader of this.#readers) {
      if (reader.queue.length >= this.#options.bound) {
        reader.queue.shift();
        reader.lost += 1;
      }
      reader.queue.push(event);
      wakeUp(reader);
    }
  }

  /** Ends all readers after what waits for them; later ones end at once. */
  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) {
      reader.done = true;
      wakeUp(reader);
    }
  }

  /** Starts buffering at once, not at the first `next()`. */
  events(): AsyncIterableIterator<T> {
    const reader: Reader<T> = { queue: [], lost: 0, wake: [], done: this.#closed };
    if (!this.#closed) this.#readers.add(reader);
    const end = (): IteratorResult<T> => {
      reader.done = true;
      reader.lost = 0;
      reader.queue.length = 0;
      this.#readers.delete(reader);
      wakeUp(reader);
      return { done: true, value: undefined };
    };
    const next = async (): Promise<IteratorResult<T>> => {
      for (;;) {
        if (reader.lost > 0) {
          const count = reader.lost;
          reader.lost = 0;
          return { done: false, value: this.#options.lost(count) };
        }
        const value = reader.queue.shift();
        if (value !== undefined) return { done: false, value };
        if (reader.done) return end();
        await new Promise<void>((resolve) => reader.wake.push(resolve));
      }
    };
    return {
      next,
      return: async () => end(),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}

function wakeUp(reader: { wake: (() => void)[] }): void {
  for (const resolve of reader.wake.splice(0)) resolve();
}
