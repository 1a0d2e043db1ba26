/**
 * Why a data folder cannot be used:
 *
 * - `in-use`: another process has it
 * - `version`: it was written in a layout, or with hash functions, that this version does not know
 * - `cluster`: it belongs to a cluster of another name
 * - `damaged`: what says whose data it is, or the head of the data, is not readable, or it holds a backup that
 *   was cut short
 * - `not-empty`: a backup would go into a folder that holds something
 * - `unreadable`: the file system refuses
 */
export type DataFolderErrorCode =
  "in-use" | "version" | "cluster" | "damaged" | "not-empty" | "unreadable";

/** A data folder cannot be used; nothing in it was changed. The message says how to mend it. */
export class DataFolderError extends Error {
  override readonly name = "DataFolderError";

  /** Why not. */
  readonly code: DataFolderErrorCode;

  constructor(code: DataFolderErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
