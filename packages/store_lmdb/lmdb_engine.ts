import {
  type Batch,
  type Engine,
  type EngineListener,
  type EngineState,
  type EngineStatistics,
  type Head,
  type MapState,
  type ScanOptions,
  type StoredEntry,
  type TimeIndex,
  InputTypeError,
  StorageError,
  compareKeys,
} from "@dnd/store";
import { backUp } from "./_backup.ts";
import type { CeilingFile } from "./_ceiling_file.ts";
import { CommitQueue } from "./_commit_queue.ts";
import { Committer } from "./_committer.ts";
import type { DataFile } from "./_data_file.ts";
import { CommitError } from "./_environment.ts";
import { FreeSpace } from "./_free_space.ts";
import { type Group, copyState } from "./_group.ts";
import { sumGroup } from "./_group_writer.ts";
import { KnownKeys } from "./_known_keys.ts";
import { LeafSums } from "./_leaf_sums.ts";
import { MergedReader } from "./_merged_reader.ts";
import { Overlay } from "./_overlay.ts";
import { Verifier } from "./_verifier.ts";
import { copyOf } from "./_slab.ts";
import type { VerifyPosition, VerifyResult } from "./verify_result.ts";
import type { DataFolder } from "./data_folder.ts";
import type { LmdbEngineOptions } from "./lmdb_engine_options.ts";

const DEFAULT_PENDING_BYTES = 64 * 1024 * 1024;
const DEFAULT_DEADLINE_MS = 30_000;
const DEFAULT_JOURNAL = 16_384;

const DEFAULT_IDLE_MS = 1_000;

/** How many changes are moved at once while nothing is written. */
const IDLE_CHANGES = 512;

/** What an engine is made of. */
export interface LmdbEngineParts {
  readonly dataFolder: DataFolder;
  readonly file: DataFile;
  readonly ceiling: CeilingFile;
}

/**
 * Keeps the entries in an LMDB file. Writes are visible at once, through an overlay over the file;
 * all that wait are committed together, one commit at a time. Made by {@linkcode openEngine}.
 *
 * Everything that is read from the file is checked: a flipped bit is an error that names the key, never
 * a wrong value.
 */
export class LmdbEngine implements Engine {
  readonly durable = true;
  readonly copiesValues = true;

  readonly #parts: LmdbEngineParts;
  readonly #ownsFolder: boolean;
  readonly #isAsync: boolean;
  readonly #maxPendingBytes: number;
  readonly #idleMs: number;

  /** Whether the disk was full when the commit under way began. */
  #wasShort = false;
  readonly #space: FreeSpace;
  readonly #queue: CommitQueue;
  readonly #overlay = new Overlay();
  readonly #reads: MergedReader;

  /** Absent: the file held something when it was opened. */
  readonly #known: KnownKeys | undefined;
  readonly #meta: Map<string, Uint8Array | undefined>;

  #listener: EngineListener | undefined;
  readonly #state: MapState;
  readonly #committer: Committer;
  #failure: StorageError | undefined;
  #closing: Promise<void> | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: LmdbEngineOptions, parts: LmdbEngineParts) {
    const { file, ceiling, dataFolder } = parts;
    this.#parts = parts;
    this.#ownsFolder = options.closesFolder ?? typeof options.folder === "string";
    this.#isAsync = options.durability === "async";
    this.#maxPendingBytes = options.maxPendingBytes ?? DEFAULT_PENDING_BYTES;
    this.#idleMs = options.journalIdleMs ?? DEFAULT_IDLE_MS;
    this.#space = new FreeSpace(dataFolder.path, options.reserveBytes);
    this.#reads = new MergedReader(file.reader, this.#overlay, {
      marks: file.marks,
      suspects: file.suspects,
    });
    this.#meta = file.meta;
    this.#state = { ...file.state.map };
    const isNew = file.environment.transaction === 0 && this.#state.counter === 0;
    if (isNew) this.#known = new KnownKeys();
    for (const { group } of file.journal) {
      for (const change of group.changes) {
        this.#overlay.set(change, this.#overlay.get(change.key));
      }
    }
    this.#committer = new Committer(file, ceiling, options.journalChanges ?? DEFAULT_JOURNAL);
    this.#queue = new CommitQueue({
      deadlineMs: options.commitDeadlineMs ?? DEFAULT_DEADLINE_MS,
      commit: (group) => {
        this.#wasShort = this.#space.isShort(0);
        return this.#committer.commit(group);
      },
      committed: (group) => this.#committed(group),
      failed: (error) => this.#fail(error),
      isFull: (error) => this.#isFull(error),
    });
  }

  /** The folder that the data is in. */
  get folder(): DataFolder {
    return this.#parts.dataFolder;
  }

  get committedCounter(): number {
    return this.#committer.committedCounter;
  }

  get ceiling(): number {
    return this.#committer.ceiling;
  }

  open(listener: EngineListener): EngineState {
    this.#check();
    if (this.#listener !== undefined) {
      throw new InputTypeError("invalid-argument", "Cannot open the engine: a map has it already");
    }
    this.#listener = listener;
    const sums = new LeafSums();
    sums.sums.set(this.#parts.file.sums.sums);
    for (const group of this.#queue.groups) {
      if (group.isSummed) continue;
      sumGroup(group, sums);
    }
    return { state: { ...this.#state }, ceiling: this.ceiling, leafSums: sums.sums };
  }

  get(key: string): StoredEntry | undefined {
    this.#check();
    try {
      return this.#reads.get(key); // without a closure: this is what is called most
    } catch (error) {
      throw readError(this.folder.path, error);
    }
  }

  mayHold(keyHash: number): boolean {
    return this.#known?.has(keyHash) !== false;
  }

  admit(bytes: number): void {
    this.#check();
    const pending = this.#queue.bytes;
    if (pending > 0 && pending + bytes > this.#maxPendingBytes) {
      throw new StorageError(
        "overloaded",
        `Cannot take the write: ${pending} bytes are waiting for their commit`,
      );
    }
    if (this.#queue.isBlocked || this.#space.isShort(bytes + pending)) {
      throw new StorageError(
        "storage-full",
        `Cannot take the write: the disk of ${this.folder.path} is full`,
      );
    }
  }

  write(batch: Batch): void {
    this.#check();
    const reads = this.#reads;
    const group = this.#queue.open();
    for (const change of batch.changes) {
      const { key, entry } = change;
      // Of a key that is surely new there is nothing to be looked for.
      const isNew = entry !== undefined && this.#known?.has(entry.keyHash) === false;
      const older = isNew ? undefined : this.#overlay.get(key);
      const wasMarked = older === undefined ? this.#isMarked(key) : older.isDamaged;
      const isMarked = change.damaged === true;
      if (isMarked !== wasMarked) reads.marks += isMarked ? 1 : -1;
      if (reads.suspects.size > 0) reads.suspects.delete(key);
      if (entry !== undefined) {
        entry.move(copyOf(entry.value, 0, entry.value.length));
        this.#known?.add(entry.keyHash);
      }
      this.#overlay.set(group.add(change, older, wasMarked), older);
    }
    group.addRest(batch);
    group.marks = reads.marks;
    if (batch.lowerCeiling === true) this.#committer.lowerCeiling(batch.ceiling);
    this.#committer.join(group, batch.state);
    copyState(batch.state, this.#state);
    if (batch.meta === undefined) return;
    for (const [name, bytes] of batch.meta) {
      if (bytes === undefined) this.#meta.delete(name);
      else this.#meta.set(name, new Uint8Array(bytes));
    }
  }

  #isMarked(key: string): boolean {
    return this.#reads.marks > 0 && this.#read(() => this.#reads.isMarked(key));
  }

  committed(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return this.#isAsync ? Promise.resolve() : this.#queue.settled();
  }

  raiseCeiling(stamp: number): void {
    this.#check();
    try {
      this.#committer.raiseCeiling(stamp);
    } catch (error) {
      const failure = new StorageError("storage-failed", `Cannot lift the clock's ceiling`, {
        cause: error,
      });
      this.#fail(failure);
      throw failure;
    }
  }

  scan(options: ScanOptions): StoredEntry[] {
    return this.#read(() => this.#reads.scan(options));
  }

  changes(after: number, limit: number): StoredEntry[] {
    return this.#read(() => this.#reads.changes(after, limit));
  }

  heads(low: number, high: number): Iterable<Head> {
    return this.#read(() => this.#reads.heads(low, high));
  }

  due(index: TimeIndex, upTo: number, limit: number): StoredEntry[] {
    return this.#read(() => this.#reads.due(index, upTo, limit));
  }

  firstDue(index: TimeIndex): number | undefined {
    return this.#read(() => this.#reads.firstDue(index));
  }

  damaged(limit: number): string[] {
    return this.#read(() => this.#reads.damaged(limit));
  }

  meta(name: string): Uint8Array | undefined {
    this.#check();
    const bytes = this.#meta.get(name);
    if (bytes !== undefined || !this.#meta.has(name)) return bytes;
    throw new StorageError("damaged", `Cannot read the named value ${JSON.stringify(name)}`);
  }

  metaNames(): string[] {
    return [...this.#meta.keys()].sort(compareKeys);
  }

  statistics(): EngineStatistics {
    const { reader, hasMendedSums } = this.#parts.file;
    return {
      pendingBytes: this.#queue.bytes,
      pendingKeys: this.#overlay.size,
      damaged: this.#reads.marks,
      damagedRows: reader.damagedRows,
      mendedSums: hasMendedSums ? 1 : 0,
      commits: this.#committer.commits,
    };
  }

  async copy(folder: string): Promise<void> {
    this.#check();
    await this.#queue.settled();
    await backUp(this.#parts, folder);
  }

  /**
   * Verifies a slice of the rows on disk, and mends what can be mended: see {@linkcode Scrub}, which
   * walks them all.
   *
   * @param from where a slice before this one ended
   * @param limit how many rows
   */
  verify(from: VerifyPosition | undefined, limit: number): VerifyResult {
    const { environment, reader } = this.#parts.file;
    const isWaiting = (key: string): boolean => this.#overlay.get(key) !== undefined;
    const verifier = new Verifier({ environment, reader, isWaiting });
    const { next, checked, repairs, damaged } = this.#read(() => verifier.verifySlice(from, limit));
    if (repairs.length > 0) {
      const group = this.#queue.open();
      group.repairs.push(...repairs);
      this.#committer.join(group, this.#state);
      group.marks = this.#reads.marks;
    }
    for (const { key, head } of damaged) {
      if (head !== undefined && !this.#reads.isMarked(key)) this.#reads.suspects.set(key, head);
    }
    return {
      next,
      checked,
      repaired: repairs.length,
      damaged: damaged.map(({ key }) => key),
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#idle);
    const isLeft = this.#committer.hasJournal || this.#queue.groups.length > 0;
    if (this.#failure === undefined && isLeft) this.#move(Infinity); // the next opening reads no entries
    const hangs = await this.#queue.close();
    const { environment } = this.#parts.file;
    if (!hangs) await environment.close();
    this.#parts.ceiling.close();
    if (this.#ownsFolder) await this.folder.close();
  }

  #committed(group: Group): void {
    for (const moved of this.#committer.committed(group)) {
      this.#overlay.drop(moved.changes);
    }
    this.#listener?.committed(this.#committer.committedCounter);
    this.#waitForIdle(group.moves > 0);
  }

  /** Moves changes from the journal to their rows, with a commit for that alone. */
  #move(changes: number): void {
    const group = this.#queue.open();
    group.moves = changes;
    this.#committer.join(group, this.#state);
    group.marks = this.#reads.marks;
  }

  /** Once it is quiet, what is in the journal is moved to its rows, one piece after the other. */
  #waitForIdle(isMoving: boolean): void {
    if (!this.#committer.hasJournal || this.#closing !== undefined) return;
    if (isMoving) setImmediate(() => this.#moveIdle());
    else if (this.#idle !== undefined) this.#idle.refresh();
    else if (this.#idleMs !== Infinity) {
      this.#idle = setTimeout(() => this.#moveIdle(), this.#idleMs).unref();
    }
  }

  #moveIdle(): void {
    const isBusy = this.#queue.groups.length > 0 || !this.#committer.hasJournal;
    const isOver = this.#failure !== undefined || this.#closing !== undefined;
    if (!isBusy && !isOver) this.#move(IDLE_CHANGES);
  }

  #isFull(error: unknown): boolean {
    if (!(error instanceof CommitError)) return false;
    this.#space.forget();
    // Room that was made meanwhile does not turn a commit that found none into a broken disk.
    return (this.#wasShort || this.#space.isShort(0)) && NO_ROOM.has(error.code);
  }

  #fail(error: StorageError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    setImmediate(() => this.#listener?.failed(error)); // outside of any call
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing !== undefined) {
      throw new StorageError("closed", "Cannot use the store: it was closed");
    }
  }

  /** What lmdb throws while reading is damage of its pages: there is no key to name. */
  #read<T>(read: () => T): T {
    this.#check();
    try {
      return read();
    } catch (error) {
      throw readError(this.folder.path, error);
    }
  }
}

function readError(path: string, error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new StorageError("damaged", `Cannot read ${path}: ${reason}`, { cause: error });
}

/** ENOSPC, EDQUOT, EFBIG, and EIO, which is what LMDB makes of a write that was cut short. */
const NO_ROOM = new Set([28, 122, 27, 5]);
