// Group commit: one transaction at a time is on its way to the disk; what is written meanwhile becomes
// the next one. The writers that a commit answers run before the next commit begins (setImmediate comes
// after their microtasks), so that they share it instead of waiting in two halves for each other.
import { StorageError } from "@dnd/store";
import { Group } from "./_group.ts";

/** A group that has grown to one of these is closed; encoding it must not hold up the event loop. */
const MOST_CHANGES = 2048;
const MOST_BYTES = 8 * 1024 * 1024;

/** How long a full disk is left alone before the next attempt, in milliseconds. */
const RETRY_MS = 500;

/** What a queue needs. */
export interface CommitQueueOptions {
  /** Writes a group to disk. */
  commit(group: Group): Promise<void>;

  /** A group is on disk. Called before its waiters are. */
  committed(group: Group): void;

  /** A commit failed for good. */
  failed(error: StorageError): void;

  /** Whether a commit failed because there is no room. */
  isFull(error: unknown): boolean;

  /** How long a commit may take before the disk counts as dead, in milliseconds. */
  readonly deadlineMs: number;
}

/** The groups that wait for their commit. */
export class CommitQueue {
  readonly #options: CommitQueueOptions;

  /** The first one is being committed if `#flying`. */
  readonly #groups: Group[] = [];
  #flying = false;
  #scheduled = false;
  #retry: NodeJS.Timeout | undefined;
  #failure: StorageError | undefined;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
  }

  /** The groups that are not on disk, in their order. */
  get groups(): readonly Group[] {
    return this.#groups;
  }

  /** Bytes of memory that wait. */
  get bytes(): number {
    let bytes = 0;
    for (const group of this.#groups) bytes += group.bytes;
    return bytes;
  }

  /** Whether the last commit found no room. */
  get isBlocked(): boolean {
    return this.#retry !== undefined;
  }

  /** The group that takes the next batch; its commit is on its way from now on. */
  open(): Group {
    const last = this.#groups.at(-1);
    this.#schedule();
    if (
      last !== undefined &&
      !(this.#flying && this.#groups.length === 1) &&
      last.changes.size < MOST_CHANGES &&
      last.bytes < MOST_BYTES
    ) {
      return last;
    }
    const group = new Group();
    this.#groups.push(group);
    return group;
  }

  /** Resolves when everything that was put into the queue is on disk. */
  settled(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return this.#groups.at(-1)?.settled() ?? Promise.resolve();
  }

  #schedule(): void {
    if (this.#scheduled || this.#flying || this.isBlocked) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#start();
    });
  }

  #start(): void {
    const group = this.#groups[0];
    if (group === undefined || this.#flying || this.#failure !== undefined) return;
    this.#flying = true;
    const deadline = this.#startDeadline();
    this.#options.commit(group).then(
      () => {
        clearTimeout(deadline);
        this.#finish(group);
      },
      (error: unknown) => {
        clearTimeout(deadline);
        this.#fail(error);
      },
    );
  }

  #startDeadline(): NodeJS.Timeout | undefined {
    const { deadlineMs } = this.#options;
    if (deadlineMs === Infinity) return undefined;
    const deadline = setTimeout(() => {
      this.#stop(new Error(`no answer from the disk within ${deadlineMs} ms`));
    }, deadlineMs);
    return deadline.unref();
  }

  #finish(group: Group): void {
    if (this.#failure !== undefined) return;
    this.#flying = false;
    this.#groups.shift();
    this.#options.committed(group);
    group.resolve();
    if (this.#groups.length > 0) this.#schedule();
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#flying = false;
    if (!this.#options.isFull(error)) {
      this.#stop(error);
      return;
    }
    // The transaction was taken back as a whole, and no sync has failed: it can be written again.
    const full = new StorageError("storage-full", "Cannot commit: the disk is full", {
      outcome: "unknown",
      cause: error,
    });
    for (const group of this.#groups) group.reject(full);
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#start();
    }, RETRY_MS).unref();
  }

  /** Gives up for good: what waits is told so. */
  #stop(cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#failure = new StorageError("storage-failed", `Cannot commit: ${reason}`, {
      outcome: "unknown",
      cause,
    });
    clearTimeout(this.#retry);
    for (const group of this.#groups) group.reject(this.#failure);
    this.#options.failed(this.#failure);
  }

  /**
   * Ends: what can be committed is. A full disk gets no further attempt.
   *
   * @returns whether a commit may still be under way
   */
  async close(): Promise<boolean> {
    while (this.#groups.length > 0 && this.#failure === undefined && !this.isBlocked) {
      await this.settled().catch(() => undefined);
    }
    clearTimeout(this.#retry);
    return this.#failure !== undefined && this.#flying;
  }
}
