import type { Batch, EntryChange, Head, MapState, StoredEntry } from "@dnd/store";
import type { RowMemory } from "./_row_memory.ts";

/** Rows of the journal. */
export interface Journal {
  /** The number of the first one; those behind it follow. */
  readonly first: number;

  /** Their values, one after the other, and where each ends: the memory behind the last is not used. */
  readonly memory: RowMemory;
  readonly ends: readonly number[];
}

/** A row to put, or to remove if it has no value. */
export interface Repair {
  readonly row: Buffer;
  readonly value: Buffer | undefined;
}

/** What the rows of a key hold, whatever waits over them: the changes of a key share this. */
export interface HeldRows {
  /** The entry whose rows are there, or of a damaged one what the index says of it. */
  held: StoredEntry | Head | undefined;

  /** Whether the key is marked as damaged there. */
  isMarked: boolean;

  /** The last change of the key in the run that it was put into. */
  last: PendingChange | undefined;
}

/** What a group of batches makes of one key. */
export interface PendingChange {
  readonly key: string;

  /** What the key holds after the group. */
  readonly entry: StoredEntry | undefined;

  /** What it held before the group: what leaves the leaf sums. */
  readonly base: StoredEntry | Head | undefined;

  /** What its rows hold: what is to be taken away when the change is moved there. */
  readonly rows: HeldRows;

  /** Whether the key is marked as damaged after the group. */
  readonly isDamaged: boolean;

  /** Its place among the changes of its group. */
  readonly at: number;

  /** Its table in the overlay, while it waits there: no later one of its key is there, and it is not in its rows. */
  generation: Generation | undefined;

  /** The memory of the journal in which its record is, and where. */
  recordMemory: RowMemory | undefined;
  recordStart: number;
  recordEnd: number;
}

/**
 * A table of the overlay: changes that came one after the other, by key. They are not taken out: the table goes as
 * a whole once nothing in it waits any more. One table of all changes would be copied whenever it grows or
 * shrinks, hundreds of thousands of keys that are in no cache: that was a tenth of the work of a first copy.
 */
export interface Generation {
  readonly changes: Map<string, PendingChange>;

  /** How many of them wait. */
  waiting: number;

  /** Bytes of all values that were put in. */
  bytes: number;
}

/** What a waiting change takes in memory beside its key and value, roughly, in bytes. */
const CHANGE_BYTES = 400;

/** About how many bytes of memory a change takes while it waits. */
function bytesOf({ key, entry }: PendingChange): number {
  return CHANGE_BYTES + 2 * key.length + (entry?.value.length ?? 0);
}

/** Copies figures in place: V8 makes a box for each number of a new object. */
export function copyState(from: Readonly<MapState>, to: MapState): void {
  to.counter = from.counter;
  to.changesFloor = from.changesFloor;
  to.horizon = from.horizon;
  to.clock = from.clock;
  to.live = from.live;
  to.tombstones = from.tombstones;
  to.expired = from.expired;
  to.valueBytes = from.valueBytes;
}

const NO_RECORD = { recordMemory: undefined, recordStart: 0, recordEnd: 0 };

/** Batches that are committed together, in one transaction. */
export class Group {
  /** The last change of each key. */
  readonly changes: PendingChange[] = [];

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

  /** Whether its commit was begun, perhaps in vain: nothing is added to it any more. */
  isBegun = false;

  /** Whether the deltas of the group are in the leaf sums that go to disk. */
  isSummed = false;

  /** Corrections of leaf sums: leaf, then what to XOR. */
  readonly corrections: { leaf: number; high: number; low: number }[] = [];

  /** The rows of the journal that hold the changes, once they were written. */
  journal: Journal | undefined;

  /** How many changes that wait in the journal are moved to their rows with this group. */
  moves = 0;

  /** Rows that the scrub mends; written before the changes. */
  readonly repairs: Repair[] = [];

  /** Settles when the group is on disk, or will not be. Made when somebody asks. */
  #settled: Promise<void> | undefined;
  #resolve: (() => void) | undefined;
  #reject: ((error: Error) => void) | undefined;

  /** Takes in what concerns no single key. */
  addRest(batch: Batch): void {
    if (this.state === undefined) this.state = { ...batch.state };
    else copyState(batch.state, this.state);
    const falls = batch.lowerCeiling === true;
    this.ceiling = falls ? batch.ceiling : Math.max(this.ceiling, batch.ceiling);
    if (batch.corrections !== undefined) this.corrections.push(...batch.corrections);
    if (batch.meta === undefined) return;
    for (const [name, bytes] of batch.meta) {
      this.bytes += (bytes?.length ?? 0) - (this.meta.get(name)?.length ?? 0);
      this.meta.set(name, bytes);
    }
  }

  /**
   * Takes in a change.
   *
   * @param older the change of this key that waits already, of this group or one before it
   * @param wasMarked whether the key was marked as damaged before this change
   */
  add(change: EntryChange, older: PendingChange | undefined, wasMarked: boolean): PendingChange {
    const { key, entry } = change;
    const previous = change.previous ?? change.damagedHead;
    const { changes } = this;
    const before = older !== undefined && changes[older.at] === older ? older : undefined;
    const pending: PendingChange = {
      key,
      entry,
      base: before === undefined ? previous : before.base,
      rows: older?.rows ?? { held: previous, isMarked: wasMarked, last: undefined },
      isDamaged: change.damaged === true,
      at: before?.at ?? changes.length,
      generation: undefined,
      recordMemory: undefined,
      recordStart: 0,
      recordEnd: 0,
    };
    this.bytes += bytesOf(pending) - (before === undefined ? 0 : bytesOf(before));
    changes[pending.at] = pending;
    return pending;
  }

  /** Takes in a change that was found in the journal: it is durable, and in the leaf sums. */
  restore(found: Pick<PendingChange, "key" | "entry" | "isDamaged" | "rows">): void {
    const at = this.changes.length;
    const change = { ...found, base: undefined, at, generation: undefined, ...NO_RECORD };
    this.bytes += bytesOf(change);
    this.isSummed = true;
    this.changes.push(change);
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
