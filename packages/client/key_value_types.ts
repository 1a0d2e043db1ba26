import type { DndError } from "./dnd_error.ts";

/**
 * How many members must hold a write before it is answered, of the ready members that are neither
 * left nor forgotten, the dead included (rule 18): a number from 1, or `one` (1), `quorum` (more than
 * half), `all`.
 */
export type WriteConcern = number | "one" | "quorum" | "all";

/** Who wins: the later `time`, then the greater `node`. */
export interface Version {
  /** Hybrid logical clock: milliseconds since 2026-01-01 times 4096, plus a counter. A safe integer. */
  readonly time: number;
  /** Id of the node that took the write: `[a-z0-9]{1,32}`. */
  readonly node: string;
}

/** Options of every call that waits for an answer. */
export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason. A write may or may not have happened. */
  readonly signal?: AbortSignal;
  /**
   * Longest wait in milliseconds; then the call rejects with code `timeout`. Default: for a client that
   * of its `ClientOptions`, for an embedded node as long as it takes, 10,000 for `w` above one on both.
   */
  readonly timeoutMs?: number;
}

/** Options of a delete, and the part of a put that both share. */
export interface DeleteOptions extends CallOptions {
  /** How many members must hold the write before it is answered. Default `one`: the node itself. */
  readonly w?: WriteConcern;
  /**
   * Only if the answering node holds exactly this version: an `etag` of an earlier answer, or `*` for
   * any. Otherwise code `precondition-failed`. Advisory: another node may take another write at the
   * same moment, and then the later one wins.
   */
  readonly ifMatch?: string;
  /** Only if the answering node does not hold this version; `*`: only if it holds none. Advisory too. */
  readonly ifNoneMatch?: string;
}

/** Options of a put. */
export interface PutOptions extends DeleteOptions {
  /** Time to live in milliseconds, from 1; then the key reads as absent everywhere. Default: for ever. */
  readonly ttlMs?: number;
  /**
   * Media type to store with the value, at most 255 bytes. Default by value: `application/json`, for
   * a string `text/plain; charset=utf-8`, for bytes `application/octet-stream`. With a type given, a
   * string and bytes are stored as they are (and must be JSON if the type says so).
   */
  readonly contentType?: string;
}

/** Options of a touch. */
export interface TouchOptions extends CallOptions {
  /** The new time to live in milliseconds; absent: the key lives for ever. */
  readonly ttlMs?: number;
}

/** How far a write has come. */
export interface Replication {
  /** Members that hold this version, or a newer one, durably. */
  readonly acked: number;
  /** Members that were asked for. */
  readonly needed: number;
  /** Members that count for `w`. */
  readonly members: number;
}

/** The answer to a write: it is durable on the node that answered. */
export interface Receipt extends Replication {
  /** The version that the write got. */
  readonly version: Version;
  /** The version as an entity tag, quotes included: for `ifMatch`. */
  readonly etag: string;
  /** True when a newer write had already won by the time of the answer (rule 18). */
  readonly superseded: boolean;
  /** The id of the change event: a `watch({ after })` continues behind it on that node. */
  readonly event: string | undefined;
  /**
   * Waits until so many members hold this version, or a newer one, durably.
   *
   * @param count how many
   * @param options `timeoutMs` defaults to 10,000
   * @throws {DndError} `timeout` with outcome `partial`, `acked` and `needed`; the write stays.
   *   `invalid-argument` when there are fewer members.
   */
  replicated(count: WriteConcern, options?: CallOptions): Promise<Replication>;
}

/** The answer to a delete. */
export interface DeleteReceipt extends Receipt {
  /** Whether the answering node held a live entry. */
  readonly existed: boolean;
}

/** What is known about a key besides its value. */
export interface EntryInfo {
  /** The key. */
  readonly key: string;
  /** Its version. */
  readonly version: Version;
  /** The version as an entity tag, quotes included. */
  readonly etag: string;
  /** The stored media type. */
  readonly contentType: string;
  /** Bytes of the value. */
  readonly size: number;
  /** When it was written, in milliseconds since 1970 (the version's time). */
  readonly modifiedAt: number;
  /** When it expires, in milliseconds since 1970; absent: never. */
  readonly expiresAt?: number;
}

/** A key with its value. */
export interface KeyValueEntry<T = unknown> extends EntryInfo {
  /** Decoded by the stored type: JSON, text as a string, anything else as bytes. */
  readonly value: T;
}

/** An item of a list: the value is there if it was asked for. */
export interface ListItem<T = unknown> extends EntryInfo {
  /** Decoded by the stored type; only with `values: true`. */
  readonly value?: T;
}

/** Options of a list. */
export interface ListOptions extends CallOptions {
  /** Only keys that start so. Default: all. */
  readonly prefix?: string;
  /** Items and prefixes a page, 1 to 1,000. Default 100. */
  readonly limit?: number;
  /** The `cursor` of the page before. */
  readonly cursor?: string;
  /** Whether the items carry their values. Default false. */
  readonly values?: boolean;
  /** Groups keys: those that contain it behind the prefix are summed up in `prefixes`. */
  readonly delimiter?: string;
}

/** One page of a list, in the order of the keys' UTF-8 bytes. */
export interface ListPage<T = unknown> {
  /** The entries. */
  readonly items: readonly ListItem<T>[];
  /** With a delimiter: the common prefixes on this page, delimiter included. */
  readonly prefixes: readonly string[];
  /** For the next page; absent on the last one. */
  readonly cursor?: string;
  /** The node's place in its change feed when the page was made: list, then `watch({ after })`. */
  readonly event: string | undefined;
}

/** One operation of a batch. */
export type BatchOperation =
  | {
      readonly op: "put";
      readonly key: string;
      readonly value: unknown;
      readonly contentType?: string;
      readonly ttlMs?: number;
    }
  | { readonly op: "get"; readonly key: string }
  | { readonly op: "delete"; readonly key: string }
  | { readonly op: "touch"; readonly key: string; readonly ttlMs?: number };

/** The result of one operation, in the order of the operations. */
export interface BatchResult<T = unknown> {
  /** The key of the operation. */
  readonly key: string;
  /** What the operation alone would have been answered with: 200, 204, 404, 400 ... */
  readonly status: number;
  /** The version read or written. */
  readonly version?: Version;
  /** The same as an entity tag. */
  readonly etag?: string;
  /** Of a get that found something, decoded. */
  readonly value?: T;
  /** Of a get that found something. */
  readonly contentType?: string;
  /** Of a get that found something: bytes of the value. */
  readonly size?: number;
  /** When it expires, in milliseconds since 1970. */
  readonly expiresAt?: number;
  /** Of a delete: whether there was a live entry. */
  readonly existed?: boolean;
  /** Why the operation failed; a get or touch that found nothing is a 404 without an error. */
  readonly error?: DndError;
}
