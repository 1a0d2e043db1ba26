// Moves changes from the journal to their rows. What has gathered is moved as a run: of several changes of a
// key the last one, first the entries in the order of their keys, then the heads in the order of the
// hashes, then the change log, so that neighbours in the file are written together. A run is cut into
// pieces that go with the commits, twice as many changes as those bring (of large ones fewer, but always more
// than they bring), so no commit has to wait for thousands of rows, and what waits stays bounded.
//
// Between two pieces the rows of a run contradict each other. Nobody sees that: its keys are in the
// overlay until all of it is on disk, and after a crash the run is put together again from the journal, whose
// rows go with its last piece. Moving a change a second time changes nothing: what is taken away is what
// the entry's own row says, and goes in the same commit in which that row is overwritten.
import type { StoredEntry } from "@dnd/store";
import type { RowWriter } from "./_environment.ts";
import type { Group, PendingChange } from "./_group.ts";
import { journalRow } from "./_journal.ts";
import { ChangeWriter, rowBytes } from "./_row_writer.ts";
import { HeadRows } from "./_head_rows.ts";
import { sortedByKey, sortedByNumber } from "./_sorting.ts";

/** A run begins when so many bytes of changes wait, however few changes these are. */
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * A run is worth the changes of so many commits like the one that it would go with. Heads lie in the order of
 * hashes: of few changes each has a page of its own to be written, of many they share it. While large
 * commits follow each other, as in a first copy, that is most of what a change costs.
 */
const COMMITS = 16;

/** No run waits for more bytes than this. */
const MOST_BULK_BYTES = 32 * 1024 * 1024;

/** By how many changes a piece is ahead of what its commit brings, at most. */
const MOST_AHEAD = 1024;

/** How many changes a piece has at least; fewer, where a run has few. */
const LEAST_MOVED = 32;

/** A group, and its rows of the journal. */
export interface Moved {
  readonly group: Group;

  /** The number of the first row, and how many there are; none: its changes go with the commit itself. */
  readonly first: number;
  readonly rows: number;
}

const NO_ROWS = { first: 0, ends: [] };

/** Groups whose changes are on their way to their rows. */
interface Run {
  readonly groups: readonly Moved[];

  /** The last change of each key, in the order of the keys. */
  readonly changes: readonly PendingChange[];

  /** Their entries, in the order in which they came. */
  readonly entries: readonly StoredEntry[];

  /** Their heads: made while the changes are written. */
  readonly heads: HeadRows;

  /** For so many changes they are made: a commit that failed is tried again. */
  headsMade: number;

  /** The entries in the order of their counters: made when the first is written. */
  counters?: readonly StoredEntry[];

  /** How much of the three lists, one after the other, is in its rows. */
  done: number;
}

/** What the commit under way does. */
interface Step {
  /** The run that goes on after it, and how much of that is done then. */
  readonly run: Run | undefined;
  readonly done: number;

  /** Runs that end with it. */
  readonly ended: readonly Run[];

  /** The groups that wait after it: those before, or none, and these. */
  readonly keeps: boolean;
  readonly added: readonly Moved[];

  /** How many rows the journal has after it. */
  readonly rows: number;

  /** Changes whose own rows are written with it. */
  readonly written: readonly PendingChange[];
}

/** Changes that are durable in the journal, and not in their rows yet. */
export class Mover {
  readonly #mostChanges: number;
  readonly #least: number;
  #run: Run | undefined;
  #waiting: Moved[] = [];
  #changes = 0;
  #bytes = 0;
  #step: Step | undefined;

  /** How many rows the journal has. */
  #rows = 0;

  /**
   * @param mostChanges a run begins when so many changes wait
   * @param found the groups that the journal held when the file was opened
   */
  constructor(mostChanges: number, found: readonly Moved[] = []) {
    this.#mostChanges = mostChanges;
    this.#least = Math.min(LEAST_MOVED, Math.ceil(mostChanges / 8));
    this.#add(found);
    this.#rows = rowsOf(found);
  }

  /** Whether nothing waits. */
  get isIdle(): boolean {
    return this.#run === undefined && this.#waiting.length === 0;
  }

  /**
   * Writes what moves with a commit.
   *
   * @param group the group of the commit
   * @param isAll whether the group is not in the journal, and everything is moved now
   * @returns how many rows the journal has after it
   */
  write(group: Group, isAll: boolean, writer: RowWriter): number {
    const { first, ends } = (isAll ? undefined : group.journal) ?? NO_ROWS;
    let added: readonly Moved[] =
      group.changes.length > 0 ? [{ group, first, rows: ends.length }] : [];
    let keeps = true;
    let rows = this.#rows + rowsOf(added);
    const written: PendingChange[] = [];
    const ended: Run[] = [];
    let run = this.#run;
    let done = run?.done ?? 0;
    const brought = group.changes.length;
    const share = Math.min(2 * brought, brought + MOST_AHEAD);
    const most = isAll ? Infinity : Math.max(group.moves, share, this.#least);
    for (let left = 3 * most; left > 0;) {
      if (run === undefined) {
        const isDue = isAll || group.moves > 0 || (keeps && this.#isDue(group));
        const waiting: readonly Moved[] = keeps ? [...this.#waiting, ...added] : added;
        if (!isDue || waiting.length === 0) break;
        run = newRun(waiting);
        done = 0;
        keeps = false;
        added = [];
      }
      const from = done;
      done = writePiece(run, { from, most: left, writer, written });
      left -= done - from;
      if (done < sizeOf(run)) break;
      rows -= rowsOf(run.groups);
      for (const { first: row, rows: count } of run.groups) {
        for (let i = 0; i < count; i += 1) writer.remove(journalRow(row + i));
      }
      ended.push(run);
      run = undefined;
    }
    this.#step = { run, done, ended, keeps, added, written, rows };
    return rows;
  }

  #isDue({ changes, bytes }: Group): boolean {
    const least = this.#mostChanges;
    const mostChanges = Math.min(COMMITS * least, Math.max(least, COMMITS * changes.length));
    const mostBytes = Math.min(MOST_BULK_BYTES, Math.max(MOST_BYTES, COMMITS * bytes));
    return this.#changes + changes.length >= mostChanges || this.#bytes + bytes >= mostBytes;
  }

  /**
   * The commit has succeeded.
   *
   * @returns groups whose changes are in their rows now, all of them
   */
  committed(): readonly Group[] {
    if (this.#step === undefined) return [];
    const { run, done, ended, keeps, added, written, rows } = this.#step;
    this.#step = undefined;
    this.#run = run;
    if (run !== undefined) run.done = done;
    if (!keeps) {
      this.#waiting = [];
      this.#changes = 0;
      this.#bytes = 0;
    }
    this.#add(added);
    for (const { rows: shared, entry, isDamaged } of written) {
      shared.held = entry;
      shared.isMarked = isDamaged;
    }
    this.#rows = rows;
    return ended.flatMap(({ groups }) => groups.map(({ group }) => group));
  }

  #add(added: readonly Moved[]): void {
    this.#waiting.push(...added);
    for (const { group } of added) {
      this.#changes += group.changes.length;
      this.#bytes += group.bytes;
    }
  }
}

/** How many rows of the journal groups have. */
function rowsOf(groups: readonly Moved[]): number {
  let rows = 0;
  for (const { rows: count } of groups) rows += count;
  return rows;
}

/** Puts a run together. What takes its time with thousands of changes is left until its rows are written. */
function newRun(groups: readonly Moved[]): Run {
  for (const { group } of groups) {
    for (const change of group.changes) change.rows.last = change;
  }
  const changes: PendingChange[] = [];
  const entries: StoredEntry[] = [];
  for (const { group } of groups) {
    for (const change of group.changes) {
      if (change.rows.last !== change) continue;
      changes.push(change);
      if (change.entry !== undefined) entries.push(change.entry);
    }
  }
  return {
    ...{ groups, changes: sortedChanges(changes), entries, done: 0 },
    ...{ heads: new HeadRows(entries.length), headsMade: 0 },
  };
}

/** Mostly they are in order, as those of a copy: then this is one look at each. */
function sortedChanges(changes: readonly PendingChange[]): readonly PendingChange[] {
  return isSorted(changes, isBefore) ? changes : sortedByKey(changes);
}

function sortedCounters(entries: readonly StoredEntry[]): readonly StoredEntry[] {
  return isSorted(entries, isEarlier) ? entries : sortedByNumber(entries, ({ counter }) => counter);
}

function isBefore(a: PendingChange, b: PendingChange): boolean {
  return a.key < b.key;
}

function isEarlier(a: StoredEntry, b: StoredEntry): boolean {
  return a.counter < b.counter;
}

function isSorted<T>(list: readonly T[], isOrdered: (a: T, b: T) => boolean): boolean {
  let before: T | undefined;
  for (const item of list) {
    if (before !== undefined && !isOrdered(before, item)) return false;
    before = item;
  }
  return true;
}

function sizeOf({ changes, entries }: Run): number {
  return changes.length + 2 * entries.length;
}

/**
 * Writes the next rows of a run.
 *
 * @returns how much of it is written then
 */
function writePiece(
  run: Run,
  piece: { from: number; most: number; writer: RowWriter; written: PendingChange[] },
): number {
  const { from, most, writer, written } = piece;
  const end = Math.min(sizeOf(run), from + most);
  const afterChanges = run.changes.length;
  const afterHeads = afterChanges + run.entries.length;
  const changes = run.changes.slice(from, end);
  const counters =
    end <= afterHeads
      ? []
      : part((run.counters ??= sortedCounters(run.entries)), from - afterHeads, end - afterHeads);
  const rows = new ChangeWriter(writer, rowBytes(changes, counters));
  let at = from;
  for (const change of changes) {
    rows.writeEntry(change);
    at += 1;
    if (at <= run.headsMade) continue;
    run.headsMade = at;
    if (change.entry !== undefined) run.heads.add(change.entry);
  }
  const heads = { from: from - afterChanges, end: Math.min(end, afterHeads) - afterChanges };
  run.heads.write(Math.max(0, heads.from), heads.end, writer);
  for (const entry of counters) rows.writeCounter(entry);
  written.push(...changes);
  return end;
}

function part<T>(list: readonly T[], from: number, end: number): readonly T[] {
  return list.slice(Math.max(0, from), end);
}
