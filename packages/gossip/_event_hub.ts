/** Told to a reader instead of the events that did not fit its buffer. */
export interface LostEvents {
  type: "lost";
  /** How many events were dropped. Read `members()` again. */
  count: number;
}

interface Reader<T> {
  queue: (T | LostEvents)[];
  wake: (() => void) | undefined;
  done: boolean;
}

/**
 * Hands events to callbacks and to async iterators. Each iterator has a buffer of its own with a bound: a
 * reader that is too slow loses its oldest events and is told how many, the others lose nothing.
 */
export class EventHub<T> {
  readonly #readers = new Set<Reader<T>>();
  readonly #listeners = new Set<(event: T) => void>();
  readonly #bound: number;
  readonly #onListenerError: (error: unknown) => void;
  #closed = false;

  /**
   * @param bound events that wait for one reader, at least 1
   * @param onListenerError told what a callback threw; the others are still called
   */
  constructor(bound: number, onListenerError: (error: unknown) => void) {
    this.#bound = bound;
    this.#onListenerError = onListenerError;
  }

  /** @returns a function that takes the callback off again */
  listen(listener: (event: T) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(event: T): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#onListenerError(error);
      }
    }
    for (const reader of this.#readers) {
      if (reader.queue.length >= this.#bound) dropOldest(reader.queue);
      reader.queue.push(event);
      reader.wake?.();
    }
  }

  /** Ends all readers after what waits for them; later ones end at once. */
  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) {
      reader.done = true;
      reader.wake?.();
    }
  }

  /** Starts buffering at once, not at the first `next()`. */
  events(): AsyncIterableIterator<T | LostEvents> {
    const reader: Reader<T> = { queue: [], wake: undefined, done: this.#closed };
    if (!this.#closed) this.#readers.add(reader);
    const end = (): IteratorResult<T | LostEvents> => {
      reader.done = true;
      reader.queue.length = 0;
      this.#readers.delete(reader);
      reader.wake?.();
      return { done: true, value: undefined };
    };
    const next = async (): Promise<IteratorResult<T | LostEvents>> => {
      for (;;) {
        const value = reader.queue.shift();
        if (value !== undefined) return { done: false, value };
        if (reader.done) return end();
        await new Promise<void>((resolve) => {
          const earlier = reader.wake;
          reader.wake = () => {
            reader.wake = undefined;
            earlier?.();
            resolve();
          };
        });
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

/** Folds the two oldest into one `lost`, which stays at the head of the queue. */
function dropOldest<T>(queue: (T | LostEvents)[]): void {
  const first = queue[0];
  const lost = isLost(first) ? first.count : undefined;
  if (lost === undefined) {
    queue[0] = { type: "lost", count: 1 };
    if (queue.length > 1) {
      queue.splice(1, 1);
      queue[0] = { type: "lost", count: 2 };
    }
  } else {
    queue.splice(1, 1);
    queue[0] = { type: "lost", count: lost + 1 };
  }
}

function isLost(event: unknown): event is LostEvents {
  return typeof event === "object" && event !== null && (event as LostEvents).type === "lost";
}
