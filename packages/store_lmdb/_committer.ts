import type { MapState } from "@dnd/store";
import type { CeilingFile } from "./_ceiling_file.ts";
import { type DataFile, schemaRow } from "./_data_file.ts";
import type { Group } from "./_group.ts";
import { leafDeltas, writeGroup } from "./_group_writer.ts";
import { TAG_STATE, plainRow } from "./_rows.ts";
import { encodeState } from "./_state_row.ts";

/**
 * Writes groups to the data file, one at a time, and keeps what is written with every one of them: the
 * ceiling, the number of the transaction, and how far the index of heads reaches.
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
  #indexedCounter: number;

  /** Whether the commit under way writes the heads. */
  #indexes = false;

  /** The highest counter on disk. */
  committedCounter: number;

  /** How many commits there were. */
  commits = 0;

  constructor(file: DataFile, ceilingFile: CeilingFile) {
    const { state } = file;
    this.#file = file;
    this.#ceilingFile = ceilingFile;
    this.#epoch = state.epoch;
    this.#ceiling = Math.max(state.ceiling, ceilingFile.ceiling(state.epoch));
    this.#written = { epoch: this.#epoch, ceiling: this.#ceiling };
    this.#transaction = file.environment.transaction;
    this.#indexedCounter = state.indexedCounter;
    this.committedCounter = state.map.counter;
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

  /** Writes a group: entries, indexes, deltas of leaf sums and state in one transaction (rule 6). */
  commit(group: Group): Promise<void> {
    const { environment, sums, reader, state } = this.#file;
    if (!group.isSummed) for (const delta of leafDeltas(group)) sums.xor(delta);
    group.isSummed = true; // also if the commit has to be tried again
    const { epoch, marks: damaged } = group;
    const ceiling = Math.max(group.ceiling, this.#ceilingOf(epoch));
    const transaction = this.#transaction + 1;
    this.#written = { epoch, ceiling };
    const map = group.state ?? state.map;
    this.#indexes = group.isLast || reader.buffer.isFull(group.changes.size);
    const indexedCounter = this.#indexes ? map.counter : this.#indexedCounter;
    return environment.commit((writer) => {
      if (transaction === 1) {
        const { row, value } = schemaRow();
        writer.put(row, value);
      }
      writeGroup(group, writer);
      if (this.#indexes) reader.buffer.write(group, writer);
      sums.write(transaction, writer);
      const { rootHigh, rootLow } = sums;
      const numbers = { ceiling, epoch, transaction, damaged, indexedCounter, rootHigh, rootLow };
      const row = plainRow(TAG_STATE);
      writer.put(row, encodeState(row, { map, ...numbers }));
    });
  }

  /** What is on disk of the ceiling in an epoch. */
  #ceilingOf(epoch: number): number {
    if (epoch === this.#epoch) return this.#ceiling;
    return this.#written.epoch === epoch ? this.#written.ceiling : 0;
  }

  /** The commit of a group has succeeded. */
  committed(group: Group): void {
    const { sums, reader } = this.#file;
    const counter = group.state?.counter ?? this.committedCounter;
    sums.committed();
    this.#transaction += 1;
    this.commits += 1;
    if (group.epoch === this.#epoch) this.#ceiling = Math.max(this.#ceiling, group.ceiling);
    if (this.#indexes) {
      reader.buffer.clear();
      this.#indexedCounter = counter;
    } else reader.buffer.addGroup(group);
    this.committedCounter = counter;
  }
}
