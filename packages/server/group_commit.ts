/** Hears of the end of a commit; must not throw. */
export interface CommitListener {
  committed(): void;
  failed(error: unknown): void;
}

/**
 * One commit and all that wait for it: they are told one after the other in one turn. A promise for each
 * write costs several microtasks a write.
 */
export class GroupCommit implements PromiseLike<void> {
  readonly #commit: Promise<void>;
  /** Absent once it has ended. */
  #listeners: CommitListener[] | undefined = [];

  /**
   * @param commit of the engine
   * @param onFailed hears first that it has failed
   */
  constructor(commit: Promise<void>, onFailed: (error: unknown) => void) {
    this.#commit = commit.catch((error: unknown) => {
      onFailed(error);
      throw error;
    });
    this.#commit.then(
      () => {
        for (const listener of this.#take()) listener.committed();
      },
      (error: unknown) => {
        for (const listener of this.#take()) listener.failed(error);
      },
    );
  }

  /** Waits for the end. */
  listen(listener: CommitListener): void {
    if (this.#listeners !== undefined) this.#listeners.push(listener);
    else {
      this.#commit.then(
        () => listener.committed(),
        (error: unknown) => listener.failed(error),
      );
    }
  }

  /** As of a promise. */
  then<A = void, B = never>(
    onCommitted?: (() => A | PromiseLike<A>) | null,
    onFailed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#commit.then(onCommitted, onFailed);
  }

  #take(): readonly CommitListener[] {
    const listeners = this.#listeners ?? [];
    this.#listeners = undefined;
    return listeners;
  }
}
