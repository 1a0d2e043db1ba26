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
  DamagedError,
  StorageError,
  compareKeys,
  expiryIndexTime,
  reapIndexTime,
} from "@dnd/store";
import { mkdirSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { CeilingFile } from "./_ceiling_file.ts";
import { CommitQueue } from "./_commit_queue.ts";
import { type DataFile, openDataFile, schemaRow, settleCopy } from "./_data_file.ts";
import { syncFile, syncFolder } from "./_durable_files.ts";
import { CommitError, type Environment } from "./_environment.ts";
import { FreeSpace } from "./_free_space.ts";
import type { Group } from "./_group.ts";
import { leafDeltas, writeGroup } from "./_group_writer.ts";
import { LeafSums } from "./_leaf_sums.ts";
import { Overlay } from "./_overlay.ts";
import { Damage } from "./_row_reader.ts";
import { TAG_STATE, plainRow } from "./_rows.ts";
import { encodeState } from "./_state_row.ts";
import { type DataFolder, openDataFolder } from "./data_folder.ts";
import { DataFolderError } from "./data_folder_error.ts";

/** How an {@linkcode LmdbEngine} is opened. */
export interface LmdbEngineOptions {
  /**
   * The data folder: its path, or an open one, which stays open when the engine is closed. It is made
   * if it does not exist.
   */
  readonly folder: string | DataFolder;

  /** Whether closing the engine closes the folder. Default: if `folder` is a path. */
  readonly closesFolder?: boolean | undefined;

  /**
   * `sync` (default): `committed()` resolves when the writes are on disk, with everything before them.
   * `async`: it resolves at once; a crash of the process or of the machine loses what was not on disk yet,
   * usually the last few milliseconds, and never a write without losing all after it.
   */
  readonly durability?: "sync" | "async" | undefined;

  /**
   * How many bytes of writes may wait for their commit before further ones are refused as `overloaded`.
   * Default 64 MiB. Higher: longer bursts are taken, and more memory.
   */
  readonly maxPendingBytes?: number | undefined;

  /**
   * How many bytes of the file system stay free: below that, writes are refused as `storage-full` before they
   * are stamped. Default 64 MiB, but at most a twentieth of the file system. Lower: more of the disk is
   * used, and a commit may find no room, which leaves the outcome of its writes unknown.
   */
  readonly reserveBytes?: number | undefined;

  /**
   * How long a commit may take before the disk counts as dead (`storage-failed`), in milliseconds. Default
   * 30,000; `Infinity` waits for ever. Lower: writers are answered sooner when the disk hangs.
   */
  readonly commitDeadlineMs?: number | undefined;

  /** Opens the data file: for tests that make it fail. */
  readonly openEnvironment?: ((path: string) => Promise<Environment>) | undefined;
}

const DEFAULT_PENDING_BYTES = 64 * 1024 * 1024;
const DEFAULT_DEADLINE_MS = 30_000;

/**
 * Opens the durable engine of a map. It belongs to this process until it is closed.
 *
 * @throws {DataFolderError} if the folder is in use, damaged, or of another version or cluster
 *
 * @example
 * ```ts
 * import { VersionedMap } from "@dnd/store";
 * import { openEngine } from "@dnd/store-lmdb";
 *
 * const engine = await openEngine({ folder: "./data" });
 * const map = new VersionedMap({ node: "a", engine, clock: Date.now });
 * map.put("user1", new TextEncoder().encode("Jack"));
 * await map.committed(); // on disk
 * await map.close();
 * ```
 */
export async function openEngine(options: LmdbEngineOptions): Promise<LmdbEngine> {
  const { folder } = options;
  const dataFolder = typeof folder === "string" ? await openDataFolder(folder) : folder;
  let file: DataFile | undefined;
  try {
    file = await openDataFile(dataFolder.path, options.openEnvironment);
    const ceiling = new CeilingFile(join(dataFolder.path, "ceiling"));
    syncFolder(dataFolder.path);
    return new LmdbEngine(options, { dataFolder, file, ceiling });
  } catch (error) {
    await file?.environment.close();
    if (typeof folder === "string") await dataFolder.close();
    throw error;
  }
}

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

  readonly #parts: LmdbEngineParts;
  readonly #ownsFolder: boolean;
  readonly #isAsync: boolean;
  readonly #maxPendingBytes: number;
  readonly #space: FreeSpace;
  readonly #queue: CommitQueue;
  readonly #overlay = new Overlay();
  readonly #meta: Map<string, Uint8Array | undefined>;

  #listener: EngineListener | undefined;
  #state: MapState;
  #ceiling: number;
  #epoch: number;
  #written: { readonly epoch: number; readonly ceiling: number };
  #marks: number;
  #transaction: number;
  #committedCounter: number;
  #commits = 0;
  #failure: StorageError | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: LmdbEngineOptions, parts: LmdbEngineParts) {
    const { file, ceiling, dataFolder } = parts;
    this.#parts = parts;
    this.#ownsFolder = options.closesFolder ?? typeof options.folder === "string";
    this.#isAsync = options.durability === "async";
    this.#maxPendingBytes = options.maxPendingBytes ?? DEFAULT_PENDING_BYTES;
    this.#space = new FreeSpace(dataFolder.path, options.reserveBytes);
    this.#meta = file.meta;
    this.#state = { ...file.state.map };
    this.#epoch = file.state.epoch;
    this.#ceiling = Math.max(file.state.ceiling, ceiling.ceiling(this.#epoch));
    this.#written = { epoch: this.#epoch, ceiling: this.#ceiling };
    this.#marks = file.state.damaged;
    this.#transaction = file.environment.transaction;
    this.#committedCounter = this.#state.counter;
    this.#queue = new CommitQueue({
      deadlineMs: options.commitDeadlineMs ?? DEFAULT_DEADLINE_MS,
      commit: (group) => this.#commit(group),
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
    return this.#committedCounter;
  }

  get ceiling(): number {
    return this.#ceiling;
  }

  open(listener: EngineListener): EngineState {
    this.#check();
    this.#listener = listener;
    const sums = new LeafSums();
    sums.sums.set(this.#parts.file.sums.sums);
    for (const group of this.#queue.groups) {
      if (group.isSummed) continue;
      for (const delta of leafDeltas(group)) sums.xor(delta);
    }
    return { state: { ...this.#state }, ceiling: this.#ceiling, leafSums: sums.sums };
  }

  get(key: string): StoredEntry | undefined {
    this.#check();
    const pending = this.#overlay.get(key);
    if (pending !== undefined) {
      if (pending.isDamaged) throw new DamagedError(key, { marked: true });
      return pending.entry;
    }
    const entry = this.#read(() => this.#parts.file.reader.entry(key, this.#marks > 0));
    if (entry instanceof Damage) {
      throw new DamagedError(key, { head: entry.head, marked: entry.isMarked });
    }
    return entry;
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
    const group = this.#queue.open();
    for (const change of batch.changes) {
      const wasMarked = this.#isMarked(change.key);
      const isMarked = change.damaged === true;
      if (isMarked !== wasMarked) this.#marks += isMarked ? 1 : -1;
      this.#overlay.set(group.add(change, wasMarked));
    }
    group.addRest(batch);
    group.marks = this.#marks;
    if (batch.lowerCeiling === true) {
      this.#epoch += 1;
      this.#ceiling = batch.ceiling;
    }
    group.epoch = this.#epoch;
    for (const [name, bytes] of batch.meta ?? []) {
      if (bytes === undefined) this.#meta.delete(name);
      else this.#meta.set(name, new Uint8Array(bytes));
    }
    this.#state = { ...batch.state };
  }

  #isMarked(key: string): boolean {
    const pending = this.#overlay.get(key);
    if (pending !== undefined) return pending.isDamaged;
    return this.#marks > 0 && this.#read(() => this.#parts.file.reader.isMarked(key));
  }

  committed(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return this.#isAsync ? Promise.resolve() : this.#queue.settled();
  }

  raiseCeiling(stamp: number): void {
    this.#check();
    if (stamp <= this.#ceiling) return;
    try {
      this.#parts.ceiling.raise(stamp, this.#epoch);
    } catch (error) {
      const failure = new StorageError("storage-failed", `Cannot lift the clock's ceiling`, {
        cause: error,
      });
      this.#fail(failure);
      throw failure;
    }
    this.#ceiling = stamp;
  }

  scan(options: ScanOptions): StoredEntry[] {
    this.#check();
    const { limit } = options;
    const pending = this.#overlay.entries(options, limit);
    return this.#read(() => {
      const found: StoredEntry[] = [];
      let next = 0;
      for (const entry of this.#parts.file.reader.entries(options)) {
        if (this.#overlay.get(entry.key) !== undefined) continue;
        for (; next < pending.length; next += 1) {
          const waiting = pending[next];
          if (waiting === undefined || compareKeys(waiting.key, entry.key) > 0) break;
          found.push(waiting);
        }
        if (found.length >= limit) break;
        found.push(entry);
      }
      return [...found, ...pending.slice(next)].slice(0, limit);
    });
  }

  changes(after: number, limit: number): StoredEntry[] {
    this.#check();
    return this.#read(() => {
      const found: StoredEntry[] = [];
      for (const { counter, key } of this.#parts.file.reader.changes(after)) {
        if (found.length >= limit) return found;
        const entry = this.#stored(key);
        if (entry?.counter === counter) found.push(entry);
      }
      for (const { entry } of this.#overlay.all()) {
        if (entry !== undefined && entry.counter > after) found.push(entry);
      }
      return found.sort((a, b) => a.counter - b.counter).slice(0, limit);
    });
  }

  heads(low: number, high: number): Iterable<Head> {
    this.#check();
    return this.#read(() => {
      const found: Head[] = [];
      for (const head of this.#parts.file.reader.heads(low, high)) {
        if (this.#overlay.get(head.key) === undefined) found.push(head);
      }
      const lastLeaf = (high - 1) >>> 17;
      for (let leaf = low >>> 17; leaf <= lastLeaf && this.#overlay.size > 0; leaf += 1) {
        for (const { entry } of this.#overlay.leaf(leaf)) {
          const hash = entry === undefined ? -1 : entry.keyHash >>> 0;
          if (entry !== undefined && hash >= low && hash < high) found.push(entry);
        }
      }
      return found;
    });
  }

  due(index: TimeIndex, upTo: number, limit: number): StoredEntry[] {
    this.#check();
    return this.#read(() => {
      const found = this.#overlay.due(index, upTo);
      const timeOf = index === "expiry" ? expiryIndexTime : reapIndexTime;
      let stored = 0;
      for (const { time, key } of this.#parts.file.reader.due(index)) {
        if (time > upTo || stored >= limit) break;
        const entry = this.#stored(key);
        if (entry === undefined || timeOf(entry) !== time) continue;
        found.push({ time, entry });
        stored += 1;
      }
      found.sort((a, b) => a.time - b.time);
      return found.slice(0, limit).map(({ entry }) => entry);
    });
  }

  firstDue(index: TimeIndex): number | undefined {
    this.#check();
    return this.#read(() => {
      const waiting = this.#overlay.firstDue(index);
      const timeOf = index === "expiry" ? expiryIndexTime : reapIndexTime;
      for (const { time, key } of this.#parts.file.reader.due(index)) {
        if (waiting !== undefined && waiting <= time) return waiting;
        const entry = this.#stored(key);
        if (entry !== undefined && timeOf(entry) === time) return time;
      }
      return waiting;
    });
  }

  /** The entry that the file holds of a key, unless something newer waits, or it is damaged. */
  #stored(key: string): StoredEntry | undefined {
    if (this.#overlay.get(key) !== undefined) return undefined;
    const entry = this.#parts.file.reader.entry(key, this.#marks > 0);
    return entry instanceof Damage ? undefined : entry;
  }

  damaged(limit: number): string[] {
    this.#check();
    const keys = new Set<string>();
    if (this.#marks > 0) {
      for (const key of this.#read(() => [...this.#parts.file.reader.marked()])) keys.add(key);
    }
    for (const { key, isDamaged } of this.#overlay.all()) {
      if (isDamaged) keys.add(key);
      else keys.delete(key);
    }
    return [...keys].sort(compareKeys).slice(0, limit);
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
    const { reader, mendedPartitions } = this.#parts.file;
    return {
      pendingBytes: this.#queue.bytes,
      pendingKeys: this.#overlay.size,
      damaged: this.#marks,
      damagedRows: reader.damagedRows,
      mendedPartitions,
      commits: this.#commits,
    };
  }

  async copy(folder: string): Promise<void> {
    this.#check();
    await this.#queue.settled();
    const target = resolve(folder);
    mkdirSync(target, { recursive: true, mode: 0o700 });
    if (readdirSync(target).length > 0) {
      throw new DataFolderError("not-empty", `Cannot back up into ${target}: it is not empty`);
    }
    this.folder.markBackup(target); // first: a copy that was cut short is no node's data either
    const path = join(target, "data.mdb");
    await this.#parts.file.environment.copy(path);
    await settleCopy(path);
    syncFile(path);
    syncFolder(target);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const hangs = await this.#queue.close();
    const { environment } = this.#parts.file;
    if (!hangs) await environment.close();
    this.#parts.ceiling.close();
    if (this.#ownsFolder) await this.folder.close();
  }

  #commit(group: Group): Promise<void> {
    const { environment, sums } = this.#parts.file;
    if (!group.isSummed) for (const delta of leafDeltas(group)) sums.xor(delta);
    group.isSummed = true; // also if the commit has to be tried again
    const { epoch } = group;
    const before = epoch === this.#epoch ? this.#ceiling : this.#committedCeiling(epoch);
    const ceiling = Math.max(group.ceiling, before);
    const transaction = this.#transaction + 1;
    this.#written = { epoch, ceiling };
    return environment.commit((writer) => {
      if (transaction === 1) {
        const { row, value } = schemaRow();
        writer.put(row, value);
      }
      writeGroup(group, writer);
      for (const { row, value } of sums.dirtyRows()) writer.put(row, value);
      const row = plainRow(TAG_STATE);
      const map = group.state ?? this.#state;
      const state = { map, ceiling, epoch, transaction, damaged: group.marks };
      writer.put(row, encodeState(row, state));
    });
  }

  /** What the last commit said of the ceiling, if it was in this epoch. */
  #committedCeiling(epoch: number): number {
    return this.#written.epoch === epoch ? this.#written.ceiling : 0;
  }

  #committed(group: Group): void {
    this.#parts.file.sums.clean();
    this.#transaction += 1;
    this.#commits += 1;
    if (group.epoch === this.#epoch) this.#ceiling = Math.max(this.#ceiling, group.ceiling);
    this.#overlay.drop(group.changes.values());
    this.#committedCounter = group.state?.counter ?? this.#committedCounter;
    this.#listener?.committed(this.#committedCounter);
  }

  #isFull(error: unknown): boolean {
    if (!(error instanceof CommitError)) return false;
    this.#space.forget();
    return this.#space.isShort(0) && NO_ROOM.has(error.code);
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
    try {
      return read();
    } catch (error) {
      if (error instanceof StorageError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new StorageError("damaged", `Cannot read ${this.folder.path}: ${reason}`, {
        cause: error,
      });
    }
  }
}

/** ENOSPC, EDQUOT, EFBIG, and EIO, which is what LMDB makes of a write that was cut short. */
const NO_ROOM = new Set([28, 122, 27, 5]);
