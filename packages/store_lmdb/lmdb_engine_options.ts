import type { DataFolder } from "./data_folder.ts";

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
   * How many changes gather in the journal before they are moved to the rows of their own. Default 2,048; up to
   * sixteen times as many while commits are large, as in a first copy. Higher: fewer pages are written for
   * each, more are held in memory, and opening after a crash reads as many.
   */
  readonly journalChanges?: number | undefined;

  /**
   * After how long without a write the journal is moved however few changes it has, in milliseconds. Default
   * 1,000; `Infinity`: never. Higher: fewer commits for that alone.
   */
  readonly journalIdleMs?: number | undefined;

  /**
   * How long a commit may take before the disk counts as dead (`storage-failed`), in milliseconds. Default
   * 30,000; `Infinity` waits for ever. Lower: writers are answered sooner when the disk hangs.
   */
  readonly commitDeadlineMs?: number | undefined;
}
