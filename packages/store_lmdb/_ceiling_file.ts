// The clock ceiling between commits (rule 7). A write after a pause has to lift the ceiling before it may
// stamp, and lift it durably before anything is sent: a commit of LMDB would wait for the one under way
// and cost two flushes. Two slots of a small file are written in turn, each with a checksum, and one
// fdatasync; the slot that is being written may be torn, the other one holds what was promised before.
import { closeSync, constants, fdatasyncSync, fsyncSync, ftruncateSync, openSync } from "node:fs";
import { readSync, writeSync } from "node:fs";
import { checksum } from "./_checksum.ts";

const SLOT_BYTES = 32;
const SLOT_DISTANCE = 4096; // never in one sector, nor in one page of the cache
const SEED = 0x6365696c;

/** What a slot says. */
interface Slot {
  readonly sequence: number;
  readonly epoch: number;
  readonly ceiling: number;
}

/** A durable number that only rises, within an epoch. */
export class CeilingFile {
  readonly #file: number;
  #slots: readonly Slot[];

  /**
   * Opens the file; makes it if it does not exist. The caller makes its name durable.
   *
   * @throws {Error} of the file system
   */
  constructor(path: string) {
    this.#file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    ftruncateSync(this.#file, 2 * SLOT_DISTANCE);
    this.#slots = [this.#read(0), this.#read(1)].filter((slot) => slot !== undefined);
    fsyncSync(this.#file);
  }

  /** The highest ceiling of this epoch that was made durable here; 0 if there is none. */
  ceiling(epoch: number): number {
    return Math.max(0, ...this.#slots.map((slot) => (slot.epoch === epoch ? slot.ceiling : 0)));
  }

  /**
   * Makes a ceiling durable.
   *
   * @throws {Error} of the file system; the ceiling counts as not raised, and the file is of no use any more
   */
  raise(ceiling: number, epoch: number): void {
    const last = this.#slots.reduce((most, { sequence }) => Math.max(most, sequence), 0);
    const slot: Slot = { sequence: last + 1, epoch, ceiling };
    const bytes = Buffer.alloc(SLOT_BYTES);
    bytes.writeDoubleLE(slot.sequence, 8);
    bytes.writeDoubleLE(slot.epoch, 16);
    bytes.writeDoubleLE(slot.ceiling, 24);
    bytes.writeInt32LE(checksum(bytes, 8, SLOT_BYTES, SEED), 0);
    writeSync(this.#file, bytes, 0, SLOT_BYTES, (slot.sequence % 2) * SLOT_DISTANCE);
    fdatasyncSync(this.#file);
    this.#slots = [slot, ...this.#slots.filter(({ sequence }) => sequence === last)];
  }

  #read(index: number): Slot | undefined {
    const bytes = Buffer.alloc(SLOT_BYTES);
    if (readSync(this.#file, bytes, 0, SLOT_BYTES, index * SLOT_DISTANCE) < SLOT_BYTES) {
      return undefined;
    }
    if (bytes.readInt32LE(0) !== checksum(bytes, 8, SLOT_BYTES, SEED)) return undefined;
    return {
      sequence: bytes.readDoubleLE(8),
      epoch: bytes.readDoubleLE(16),
      ceiling: bytes.readDoubleLE(24),
    };
  }

  close(): void {
    closeSync(this.#file);
  }
}
