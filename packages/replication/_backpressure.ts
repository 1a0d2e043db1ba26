import type { Context } from "./_context.ts";

/** Bytes taken from peers that wait for their commit, before reading from them pauses. */
const MAX_UNCOMMITTED = 8 * 1024 * 1024;

/**
 * Reading pauses while much of what peers sent waits for its commit: the stream's own backpressure does the
 * rest, up to the writer.
 */
export class Backpressure {
  readonly #context: Context;
  readonly #paused = new Set<number>();
  #uncommitted = 0;
  #unmarked = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Entries of so many bytes came on a stream, and were merged. */
  took(stream: number, bytes: number): void {
    this.#uncommitted += bytes;
    this.#unmarked += bytes;
    if (this.#unmarked > MAX_UNCOMMITTED / 8) {
      const marked = this.#unmarked;
      this.#unmarked = 0;
      this.#context.onCommitted(() => {
        this.#uncommitted -= marked;
        if (this.#uncommitted > MAX_UNCOMMITTED / 2) return;
        for (const paused of this.#paused) this.#context.emit({ type: "resume", stream: paused });
        this.#paused.clear();
      });
    }
    if (this.#uncommitted > MAX_UNCOMMITTED && !this.#paused.has(stream)) {
      this.#paused.add(stream);
      this.#context.emit({ type: "pause", stream });
    }
  }

  /** A stream has ended. */
  forget(stream: number): void {
    this.#paused.delete(stream);
  }
}
