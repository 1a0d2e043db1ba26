/** What was wrong with an argument; the names are those of the HTTP API. */
export type InputErrorCode =
  "invalid-key" | "key-too-large" | "value-too-large" | "invalid-argument";

/** An argument of a wrong kind. Nothing has changed. */
export class InputTypeError extends TypeError {
  override readonly name: string = "InputTypeError";

  /** What was wrong. */
  declare readonly code: InputErrorCode;

  constructor(code: InputErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** An argument of the right kind, out of its range. Nothing has changed. */
export class InputRangeError extends RangeError {
  override readonly name = "InputRangeError";

  /** What was wrong. */
  declare readonly code: InputErrorCode;

  constructor(code: InputErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * What happened to the storage:
 *
 * - `storage-full`: no room; reads and acknowledged writes are safe, writes succeed again when there is room
 * - `storage-failed`: a commit or a sync failed; final for this engine
 * - `overloaded`: too much is waiting for its commit; try again a little later
 * - `damaged`: the record of this key fails its checksum
 * - `closed`: the engine was closed
 */
export type StorageErrorCode =
  "storage-full" | "storage-failed" | "overloaded" | "damaged" | "closed";

/** Further details of a {@linkcode StorageError}. */
export interface StorageErrorOptions {
  /** What is known about the write; default `not-applied`. */
  readonly outcome?: "not-applied" | "unknown";

  /** The key that the error is about. */
  readonly key?: string;

  /** The error below this one. */
  readonly cause?: unknown;
}

/** The storage could not do what was asked (rule 17). */
export class StorageError extends Error {
  override readonly name: string = "StorageError";

  /** What happened. */
  declare readonly code: StorageErrorCode;

  /** `not-applied`: nothing was stamped or stored. `unknown`: the write may or may not be on disk. */
  declare readonly outcome: "not-applied" | "unknown";

  /** The key that the error is about, if there is one. */
  declare readonly key: string | undefined;

  constructor(code: StorageErrorCode, message: string, options: StorageErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.outcome = options.outcome ?? "not-applied";
    this.key = options.key;
  }
}
