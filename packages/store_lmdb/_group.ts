import type { Batch, EntryChange, Head, MapState, StoredEntry } from "@dnd/store";

/** A row to put, or to remove if it has no value. */
export interface Repair {
  readonly row: Buffer;
  readonly value: Buffer | undefined;
}

/** What a group of batches makes of one key. */
export interface PendingChange {
  readonly key: string;

  /** What the key holds after the group. */
  readonly entry: StoredEntry | undefined;

  /** What it held before the group: the rows to take away. */
  readonly base: StoredEntry | Head | undefined;

  /** Whether the key is marked as damaged after the group. */
  readonly isDamaged: boolean;

  /** Whether it was marked, by this group or before it: the mark may have to go. */
  readonly wasDamaged: boolean;

  /** What the change counts for in the bound of the overlay. */
  readonly bytes: number;

  /** The group that it belongs to. */
  readonly group: Group;
}

/** What a waiting change takes in memory beside its key and value, roughly, in bytes. */
const CHANGE_BYTES = 400;

/** About how many bytes of memory a change of this key takes while it waits. */
export function pendingBytes(key: string, valueLength: number): number {
  return CHANGE_BYTES + 2 * key.length + valueLength;
}

/** Batches that are committed together, in one transaction. */
export class Group {
  /** The last change of each key, by key. */
  readonly changes: Map<string, PendingChange> = new Map();

  /** Named values, as the last batch left them. */
  readonly meta: Map<string, Uint8Array | undefined> = new Map();

  /** Bytes of memory that the group takes. */
  bytes = 0;

  /** How many batches are in it. */
  batches = 0;

  /** The map's figures after the group. */
  state: MapState | undefined;

  /** The clock ceiling to make durable with the group. */
  ceiling = 0;

  /** The epoch of the ceiling: a higher one than on disk lets it fall (rule 8). */
  epoch = 0;

  /** How many keys are marked as damaged after the group. */
  marks = 0;

  /** Whether the deltas of the group are in the leaf sums that go to disk. */
  isSummed = false;

  /** Corrections of leaf sums: leaf, then what to XOR. */
  readonly corrections: { leaf: number; high: number; low: number }[] = [];

  /** Whether nothing comes after the group: heads that wait are written with it. */
  isLast = false;

  /** Rows that the scrub mends; written before the changes. */
  readonly repairs: Repair[] = [];

  /** Settles when the group is on disk, or will not be. Made when somebody asks. */
  #settled: Promise<void> | undefined;
  #resolve: (() => void) | undefined;
  #reject: ((error: Error) => void) | undefined;

  /** Takes in what concerns no single key. */
  addRest(batch: Batch): void {
    this.state = { ...batch.state };
    const falls = batch.lowerCeiling === true;
    this.ceiling = falls ? batch.ceiling : Math.max(this.ceiling, batch.ceiling);
    for (const [name, bytes] of batch.meta ?? []) {
      this.bytes += (bytes?.length ?? 0) - (this.meta.get(name)?.length ?? 0);
      this.meta.set(name, bytes);
    }
    this.corrections.push(...(batch.corrections ?? []));
  }

  /**
   * Takes in a change.
   *
   * @param wasMarked whether the key was marked as damaged before this change
   */
  add(change: EntryChange, wasMarked: boolean): PendingChange {
    const { key, entry } = change;
    const before = this.changes.get(key);
    const pending: PendingChange = {
      key,
      entry,
      base: before === undefined ? (change.previous ?? change.damagedHead) : before.base,
      isDamaged: change.damaged === true,
      wasDamaged: wasMarked || before?.wasDamaged === true,
      bytes: pendingBytes(key, entry?.value.length ?? 0),
      group: this,
    };
    this.bytes += pending.bytes - (before?.bytes ?? 0);
    this.changes.set(key, pending);
    return pending;
  }

  /** Resolves when the group is on disk. */
  settled(): Promise<void> {
    this.#settled ??= new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    return this.#settled;
  }

  /** The group is on disk. */
  resolve(): void {
    this.#resolve?.();
  }

  /** Whoever waits is told this; who asks later waits for the group's next attempt. */
  reject(error: Error): void {
    this.#reject?.(error);
    this.#settled = undefined;
    this.#resolve = undefined;
    this.#reject = undefined;
  }
}
