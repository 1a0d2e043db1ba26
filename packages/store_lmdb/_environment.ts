// The one file that talks to lmdb. What its source (3.5) says, and what follows from it here:
//
// - `overlappingSync` is off. With it a commit is visible first and synced later, a failed write of the
//   second meta page is not reported, and after a power cut the newest state is believed if the boot id
//   is the same. Without it a commit is LMDB's own: write pages, fdatasync, write the meta page with
//   O_DSYNC, all in a thread of the pool; the promise of `batch` resolves after that.
// - `batch` encodes its writes as instructions, which the thread carries out: the main thread does not
//   walk the tree. An error of any of them aborts the transaction as a whole.
// - A failed commit rejects with "Commit failed" and a promise `commitError` beside it, which rejects
//   too: without a handler on it the process would die. Its `code` is the error number; a full disk
//   often comes as 5 (EIO), because LMDB takes a short write for one.
// - A cursor copies each key that it passes into a buffer of 4,096 bytes before it looks at the length,
//   which is a 16-bit number in the page: one flipped bit there would overwrite other memory of the
//   process. So that buffer is made with room for the longest such copy behind it.
// - Each commit verifies the list of free pages that is in memory, all of it. By default that holds up to
//   75,000 entries: beside a million keys three quarters of the processor time of a put went there. What
//   is over the bound stays in the file, and is loaded again when it is needed. A bound of a
//   few hundred makes puts no faster, and commits of thousands of changes a third slower.
// - A value of more than a page needs free pages in a row. Values that are written with each commit have at
//   most one page (see _journal.ts): else the file grows.
// - Opening a tree whose last transaction was empty changes nothing on disk, so the transaction number
//   rises by exactly one with each commit of ours.
import type { RootDatabase, RootDatabaseOptionsWithPath } from "lmdb";
import { numberOr } from "./_number_or.ts";
import { withRoomyKeyBuffer } from "./_roomy_key_buffer.ts";
import type { RowMemory } from "./_row_memory.ts";
import { RowPart } from "./_row_scratch.ts";
import { TAG_ENTRY, keyChecksum } from "./_rows.ts";
import { writeText } from "./_write_text.ts";

/** The key of a row: an entry's key, or the bytes of any row's key. */
export type RowKey = LmdbKey | RowPart;

/** What lmdb's types take for a key; our encoder gets whatever there is. */
type LmdbKey = string | Uint8Array;

/** One row of a range. */
export interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** One row of a range of entries. */
export interface EntryRow {
  readonly key: string;

  /** The checksum of the row's key. */
  readonly keyState: number;
  readonly value: Buffer;
}

/** What a commit writes. */
export interface RowWriter {
  /** Puts a row. Its value must not change until the commit is over. */
  put(row: RowKey, value: Buffer): void;

  /** Puts a row whose value is a part of some memory. */
  putPart(row: RowKey, memory: RowMemory, start: number, end: number): void;
  remove(row: RowKey): void;
}

/** Where rows begin and end; `to` is not part of the range. */
export interface RowRange {
  readonly from: Uint8Array;
  readonly to?: Uint8Array | undefined;
}

/** A data file, as the engine uses it. */
export interface Environment {
  /** The value of a row; valid until the next call, and `lastLength` bytes long. */
  read(row: RowKey): Buffer | undefined;
  readonly lastLength: number;

  /** The checksum of the key of the last {@linkcode Environment.read} of an entry. */
  readonly lastKeyChecksum: number;

  range(range: RowRange, values?: boolean): Iterable<Row>;

  /** Rows of entries: as {@linkcode Environment.range}, with nothing made of their keys but the text. */
  entries(range: RowRange): Iterable<EntryRow>;

  /** Resolves when everything that `write` wrote is on disk, in one transaction. */
  commit(write: (writer: RowWriter) => void): Promise<void>;

  /** The number of the last transaction. */
  readonly transaction: number;

  /** Bytes of the file that hold something, and that are free inside it. */
  size(): { readonly usedBytes: number; readonly freeBytes: number };

  /** Writes a copy of the newest state to a file that does not exist. */
  copy(path: string): Promise<void>;

  close(): Promise<void>;
}

/** Why a commit failed: `code` is the error number of the system, or one of LMDB's own. */
export class CommitError extends Error {
  override readonly name = "CommitError";
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** With so many free pages in memory lmdb reads no more of the list, and lets go of it. */
const LOADED_FREE = 3_000;
const KEPT_FREE = 4_000;

/** Options of lmdb that are not in its types. */
interface FreeSpaceOptions {
  readonly maxFreeSpaceToLoad: number;
  readonly maxFreeSpaceToRetain: number;
}

interface Statistics {
  readonly lastTxnId?: unknown;
  readonly lastPageNumber?: unknown;
  readonly pageSize?: unknown;
  readonly free?: { readonly entryCount?: unknown };
}

/**
 * Encodes row keys. For the key of a read it also makes the checksum, while it is being written: lmdb
 * puts its answer where the key was.
 */
class KeyEncoder {
  isRead = false;
  checksum = 0;

  /** Whether the row that is read is an entry's: then its key is read as text. */
  isEntry = false;

  readonly writeKey = (key: RowKey, target: Buffer, start: number): number => {
    if (typeof key !== "string") {
      const isPart = key instanceof RowPart;
      const bytes = isPart ? key.bytes : key;
      const from = isPart ? key.start : 0;
      const { length } = key;
      for (let i = 0; i < length; i += 1) target[start + i] = bytes[from + i] ?? 0;
      return start + length;
    }
    target[start] = TAG_ENTRY;
    const end = writeText(key, target, start + 1);
    if (this.isRead) this.checksum = keyChecksum(target, start, end);
    return end;
  };

  readonly readKey = (source: Buffer, start: number, end: number): Buffer | string => {
    if (!this.isEntry) return Buffer.from(source.subarray(start, end));
    this.checksum = keyChecksum(source, start, end);
    return source.toString("utf8", start + 1, end);
  };
}

/** How a data file is opened. */
export interface EnvironmentOptions {
  /** Leaves the sync of every commit out. The power-cut rig has to notice. */
  readonly noSync?: boolean;
}

/**
 * Opens a data file; makes it if it does not exist.
 *
 * @throws {Error} of lmdb, if the file is none of LMDB's or cannot be opened
 */
export async function openEnvironment(
  path: string,
  options: EnvironmentOptions = {},
): Promise<Environment> {
  const { open } = await import("lmdb");
  const encoder = new KeyEncoder();
  const settings: RootDatabaseOptionsWithPath & FreeSpaceOptions = {
    path,
    noSubdir: true,
    maxDbs: 1,
    overlappingSync: false,
    noSync: options.noSync === true,
    eventTurnBatching: false,
    maxFreeSpaceToLoad: LOADED_FREE,
    maxFreeSpaceToRetain: KEPT_FREE,
    encoding: "binary",
    keyEncoder: encoder,
  };
  const database = withRoomyKeyBuffer(() => open<Buffer, LmdbKey>(settings));
  return new LmdbEnvironment(database, encoder);
}

class LmdbEnvironment implements Environment {
  readonly #database: RootDatabase<Buffer, LmdbKey>;
  readonly #encoder: KeyEncoder;
  readonly #writer: RowWriter;
  #isClosed = false;

  constructor(database: RootDatabase<Buffer, LmdbKey>, encoder: KeyEncoder) {
    this.#database = database;
    this.#encoder = encoder;
    this.#writer = {
      put: (row, value) => void database.put(row as LmdbKey, value),
      putPart: (row, memory, start, end) =>
        void database.put(row as LmdbKey, memory.part(start, end) as Buffer),
      remove: (row) => void database.remove(row as LmdbKey),
    };
  }

  get lastLength(): number {
    return (this.#database as unknown as { readonly lastSize: number }).lastSize; // not in its types
  }

  read(row: RowKey): Buffer | undefined {
    this.#encoder.isRead = true;
    const bytes = this.#database.getBinaryFast(row as LmdbKey);
    this.#encoder.isRead = false;
    return bytes === undefined ? undefined : asBuffer(bytes);
  }

  get lastKeyChecksum(): number {
    return this.#encoder.checksum;
  }

  *range({ from, to }: RowRange, values = true): Iterable<Row> {
    const options = to === undefined ? { start: from, values } : { start: from, end: to, values };
    if (!values) {
      for (const key of this.#database.getKeys(options)) yield { key: key as Buffer, value: EMPTY };
      return;
    }
    for (const { key, value } of this.#database.getRange(options)) {
      yield { key: key as Buffer, value: asBuffer(value) };
    }
  }

  *entries({ from, to }: RowRange): Iterable<EntryRow> {
    const rows = this.#database.getRange({ start: from, ...(to === undefined ? {} : { end: to }) });
    const iterator = rows[Symbol.iterator]();
    const encoder = this.#encoder;
    const next = (): IteratorResult<{ key: LmdbKey; value: Buffer }> => {
      encoder.isEntry = true; // whoever gets a row may read others before the next one
      try {
        return iterator.next();
      } finally {
        encoder.isEntry = false;
      }
    };
    try {
      for (let row = next(); row.done !== true; row = next()) {
        const { key, value } = row.value;
        yield { key: key as string, keyState: encoder.checksum, value: asBuffer(value) };
      }
    } finally {
      iterator.return?.();
    }
  }

  async commit(write: (writer: RowWriter) => void): Promise<void> {
    try {
      await this.#database.batch(() => {
        write(this.#writer);
      });
    } catch (error) {
      throw await commitError(error);
    }
  }

  get transaction(): number {
    return numberOr((this.#database.getStats() as Statistics).lastTxnId, 0);
  }

  size(): { readonly usedBytes: number; readonly freeBytes: number } {
    const statistics = this.#database.getStats() as Statistics;
    const page = numberOr(statistics.pageSize, 4096);
    const used = (numberOr(statistics.lastPageNumber, 0) + 1) * page;
    return { usedBytes: used, freeBytes: 0 };
  }

  copy(path: string): Promise<void> {
    return this.#database.backup(path, true);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#database.close();
  }
}

const EMPTY = Buffer.alloc(0);

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Waits for the error behind "Commit failed", and so handles its rejection. */
async function commitError(error: unknown): Promise<CommitError> {
  const behind: unknown = (error as { commitError?: unknown }).commitError;
  let cause = error;
  if (behind instanceof Promise) {
    await behind.catch((reason: unknown) => {
      cause = reason;
    });
  }
  const code = numberOr((cause as { code?: unknown }).code, 0);
  const message = cause instanceof Error ? cause.message : String(cause);
  return new CommitError(code, message, { cause });
}
