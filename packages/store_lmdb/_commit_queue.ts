// Group commit: one transaction at a time is on its way to the disk; what is written meanwhile becomes
// the next one. The writers that a commit answers run before the next commit begins (setImmediate comes
// after their microtasks), so that they share it instead of waiting in two halves for each other.
//
// Writers at the other end of a socket take longer to come back than that. On a disk that needs
// milliseconds for a commit the next one therefore waits for as many writes as were waiting when the last
// one ended, or for a quarter of the time that it took: sixty-four writers that share one commit are done
// nearly twice as fast as two times thirty-two that wait for each other.
//
// On a fast disk it is the processor that is short, and a commit costs as much as the requests of tens of
// writers. There a commit begins once a turn of the event loop has brought no writes, or as long after the
// last one as that took: sixty-four connections make some fifty-five writes a commit then, not forty.
import { StorageError } from "@dnd/store";
import { Group } from "./_group.ts";

/** A group that has grown to one of these is closed; encoding it must not hold up the event loop. */
const MOST_CHANGES = 4096;
const MOST_BYTES = 8 * 1024 * 1024;

/** A group with so many changes does not wait for more when its turn has come. */
const MANY_CHANGES = 512;

/** How long a full disk is left alone before the next attempt, in milliseconds. */
const RETRY_MS = 500;

/** A commit that takes this long, in milliseconds, is worth waiting for those who share the next one. */
const SLOW_MS = 2;

/** The longest such wait. */
const MOST_WAIT_MS = 20;

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

  /** The longest wait for writers that may share a commit, in milliseconds. Default 20. */
  readonly mostWaitMs?: number;

  /** A clock in milliseconds, for tests. */
  readonly now?: () => number;
}

/** The groups that wait for their commit. */
export class CommitQueue {
  readonly #options: CommitQueueOptions;
  readonly #now: () => number;

  /** The first one is being committed if `#flying`. */
  readonly #groups: Group[] = [];
  #flying = false;
  #scheduled = false;
  #gathering: NodeJS.Timeout | undefined;
  /** How long the last commit took, and how many writes were under way when it ended. */
  #tookMs = 0;
  #expected = 0;
  #retry: NodeJS.Timeout | undefined;
  #failure: StorageError | undefined;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
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
    const group = this.#last();
    group.batches += 1;
    if (this.#gathering !== undefined && group.batches >= this.#expected) this.#endGathering();
    return group;
  }

  #last(): Group {
    const last = this.#groups.at(-1);
    this.#schedule();
    if (
      last !== undefined &&
      !last.isBegun &&
      last.changes.length < MOST_CHANGES &&
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
    this.#gather(1, this.#now());
  }

  /**
   * Starts the next commit when the event loop has come round, or waits for more writes.
   *
   * @param seen how many were there in the turn before
   * @param since when it was to be started first
   */
  #gather(seen: number, since: number): void {
    setImmediate(() => {
      const waiting = this.#groups[0]?.batches ?? 0;
      const isFull =
        this.#groups.length > 1 || (this.#groups[0]?.changes.length ?? 0) >= MANY_CHANGES;
      const isFast = this.#tookMs < SLOW_MS;
      if (!isFull && isFast && waiting > seen && this.#now() - since < this.#tookMs) {
        this.#gather(waiting, since);
      } else if (isFull || isFast || waiting >= this.#expected) {
        this.#scheduled = false;
        this.#start();
      } else {
        const { mostWaitMs = MOST_WAIT_MS } = this.#options;
        const waitMs = Math.min(mostWaitMs, Math.max(1, this.#tookMs / 4));
        this.#gathering = setTimeout(() => this.#endGathering(), waitMs);
      }
    });
  }

  /** Those that the next commit was to wait for are there, or late. */
  #endGathering(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    // In a turn of its own: this is called while a batch is being taken in.
    setImmediate(() => {
      this.#scheduled = false;
      this.#start();
    });
  }

  #start(): void {
    const group = this.#groups[0];
    if (group === undefined || this.#flying || this.#failure !== undefined) return;
    this.#flying = true;
    group.isBegun = true;
    const startedAt = this.#now();
    const deadline = this.#startDeadline();
    this.#options.commit(group).then(
      () => {
        clearTimeout(deadline);
        this.#tookMs = this.#now() - startedAt;
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
    this.#expected = this.#groups.reduce((sum, { batches }) => sum + batches, group.batches);
    this.#options.committed(group);
    group.resolve();
    const waiting = this.#groups[0];
    // Of so many that wait none is gained by another turn: that may be a long one, with the next of them.
    if (waiting !== undefined && waiting.changes.length >= MANY_CHANGES) this.#start();
    else if (waiting !== undefined) this.#schedule();
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
