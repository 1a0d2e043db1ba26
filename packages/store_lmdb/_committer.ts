import type { MapState } from "@dnd/store";
import type { CeilingFile } from "./_ceiling_file.ts";
import { type DataFile, schemaRow } from "./_data_file.ts";
import type { RowWriter } from "./_environment.ts";
import type { Group } from "./_group.ts";
import { sumGroup, writeRest } from "./_group_writer.ts";
import { journalRow, writeJournal } from "./_journal.ts";
import { Mover } from "./_mover.ts";
import { TAG_STATE, plainRow } from "./_rows.ts";
import { encodeState } from "./_state_row.ts";

/** Entries that are larger than this on average are written to their rows at once: once is enough for them. */
const LARGE_BYTES = 4096;

/**
 * Writes groups to the data file, one at a time, and keeps what is written with every one of them: the
 * ceiling, and the number of the transaction.
 *
 * The ceiling belongs to an epoch. Lowering it (rule 8) begins a new one; what an older epoch has left in the
 * ceiling file does not count then.
 */
export class Committer {
  readonly #file: DataFile;
  readonly #ceilingFile: CeilingFile;
  #ceiling: number;
  #epoch: number;

  /** What the last commit said of the ceiling. */
  #written: { readonly epoch: number; readonly ceiling: number };

  #transaction: number;

  /** The number of the next row of the journal: higher than those that are there. */
  #nextRow = 1;

  /** What moves changes from the journal to their rows. */
  readonly #mover: Mover;

  /** The highest counter on disk. */
  committedCounter: number;

  /** How many commits there were. */
  commits = 0;

  /** @param mostJournaled how many changes wait in the journal before they are moved */
  constructor(file: DataFile, ceilingFile: CeilingFile, mostJournaled: number) {
    const { state } = file;
    this.#file = file;
    this.#ceilingFile = ceilingFile;
    this.#epoch = state.epoch;
    this.#ceiling = Math.max(state.ceiling, ceilingFile.ceiling(state.epoch));
    this.#written = { epoch: this.#epoch, ceiling: this.#ceiling };
    this.#transaction = file.environment.transaction;
    this.#mover = new Mover(mostJournaled, file.journal);
    this.committedCounter = state.map.counter;
    for (const { first, rows } of file.journal) this.#nextRow = first + rows;
  }

  /** The clock's ceiling that is on disk. */
  get ceiling(): number {
    return this.#ceiling;
  }

  /**
   * Lifts the ceiling, durably.
   *
   * @throws {Error} of the file system
   */
  raiseCeiling(stamp: number): void {
    if (stamp <= this.#ceiling) return;
    this.#ceilingFile.raise(stamp, this.#epoch);
    this.#ceiling = stamp;
  }

  /** A batch of a group lowers the ceiling: from now on it is taken to be there. */
  lowerCeiling(stamp: number): void {
    this.#epoch += 1;
    this.#ceiling = stamp;
  }

  /** A group belongs to the epoch of its last batch. */
  join(group: Group, state: MapState): void {
    group.epoch = this.#epoch;
    group.state ??= { ...state };
  }

  /** Whether changes lie in the journal that are not in their rows. */
  get hasJournal(): boolean {
    return !this.#mover.isIdle;
  }

  /** Writes a group: its changes, deltas of leaf sums and state in one transaction (rule 6). */
  commit(group: Group): Promise<void> {
    const { environment, sums, state } = this.#file;
    if (!group.isSummed) sumGroup(group, sums);
    group.isSummed = true; // also if the commit has to be tried again
    const { epoch, marks: damaged } = group;
    const ceiling = Math.max(group.ceiling, this.#ceilingOf(epoch));
    const transaction = this.#transaction + 1;
    this.#written = { epoch, ceiling };
    const map = group.state ?? state.map;
    return environment.commit((writer) => {
      if (transaction === 1) {
        const { row, value } = schemaRow();
        writer.put(row, value);
      }
      writeRest(group, writer);
      const isJournaled = !isDirect(group);
      if (isJournaled) this.#journal(group, writer);
      const journalRows = this.#mover.write(group, !isJournaled, writer);
      sums.write(transaction, writer);
      const { rootHigh, rootLow } = sums;
      const numbers = { ceiling, epoch, transaction, damaged, journalRows, rootHigh, rootLow };
      const row = plainRow(TAG_STATE);
      writer.put(row, encodeState(row, { map, ...numbers }));
    });
  }

  #journal(group: Group, writer: RowWriter): void {
    if (group.changes.length === 0) return;
    group.journal ??= writeJournal(group, this.#nextRow);
    const { first, memory, ends } = group.journal;
    let start = 0;
    for (const [i, end] of ends.entries()) {
      writer.putPart(journalRow(first + i), memory, start, end);
      start = end;
    }
  }

  /** What is on disk of the ceiling in an epoch. */
  #ceilingOf(epoch: number): number {
    if (epoch === this.#epoch) return this.#ceiling;
    return this.#written.epoch === epoch ? this.#written.ceiling : 0;
  }

  /**
   * The commit of a group has succeeded.
   *
   * @returns groups whose changes are in their rows now
   */
  committed(group: Group): readonly Group[] {
    const { sums } = this.#file;
    const counter = group.state?.counter ?? this.committedCounter;
    sums.committed();
    this.#transaction += 1;
    const { journal } = group;
    if (journal !== undefined) this.#nextRow = journal.first + journal.ends.length;
    this.commits += 1;
    if (group.epoch === this.#epoch) this.#ceiling = Math.max(this.#ceiling, group.ceiling);
    this.committedCounter = counter;
    return this.#mover.committed();
  }
}

/** Whether the changes of a group go to their rows at once, and all that wait before them. */
function isDirect({ moves, changes, bytes }: Group): boolean {
  return moves === Infinity || (changes.length > 0 && bytes > LARGE_BYTES * changes.length);
}
