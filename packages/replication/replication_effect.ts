import type { Entry } from "@dnd/store";
import type { ReplicationEvent } from "./replication_event.ts";
import type { Member } from "@dnd/protocol";
import type { OutgoingUpdate, ReplicationFrame } from "./wire.ts";

/**
 * What should happen because of an input: the only outlet of the core. A driver carries effects out in
 * the order in which they came, and answers those that have an answer by calling the method named
 * below. Nothing is waited for inside the core.
 */
export type ReplicationEffect =
  | SendRumorEffect
  | OpenStreamEffect
  | SendFrameEffect
  | FlowEffect
  | CloseStreamEffect
  | ScheduleEffect
  | CommitEffect
  | SetAsideEffect
  | MembersEffect
  | ReenterEffect
  | { readonly type: "notify"; readonly event: ReplicationEvent };

/** Send one packet of entries to these members, best effort (UDP). */
export interface SendRumorEffect {
  readonly type: "rumor";
  readonly to: readonly string[];
  /** Fits into `maxUpdateBytes` once encoded. */
  readonly update: OutgoingUpdate;
}

/**
 * Open a peer stream. Answer: `handleStreamOpened(stream, now)`, or `handleStreamClosed(stream, now,
 * reason)` if it cannot be opened.
 */
export interface OpenStreamEffect {
  readonly type: "open-stream";
  /** The core's number of the stream: positive and never used twice. */
  readonly stream: number;
  readonly peer: string;
  readonly purpose: StreamPurpose;
}

/** `exchange`: one session. `push`: writes to be confirmed, large entries and explain requests. */
export type StreamPurpose = "exchange" | "push";

/**
 * Send a frame. Answer: `handleSent(stream, now)` once the stream takes more (backpressure); the core
 * keeps at most `windowBytes` unanswered.
 */
export interface SendFrameEffect {
  readonly type: "frame";
  readonly stream: number;
  readonly frame: ReplicationFrame;
}

/** Stop reading frames of a stream, or go on. */
export interface FlowEffect {
  readonly type: "pause" | "resume";
  readonly stream: number;
}

/** Close a stream after what was sent has gone out; with `error` at once, and log why. */
export interface CloseStreamEffect {
  readonly type: "close-stream";
  readonly stream: number;
  readonly error?: string;
}

/** Call `handleTimer(token, now)` after this delay. 0 means: in a later turn of the event loop. */
export interface ScheduleEffect {
  readonly type: "schedule";
  readonly token: string;
  readonly delayMs: number;
}

/**
 * Call `handleCommitted(mark, now)` when everything that the map holds now is durable
 * (`map.committed()`), or never if that fails: then nothing may be promised any more (rule 17).
 */
export interface CommitEffect {
  readonly type: "commit";
  readonly mark: number;
}

/**
 * These live entries were held here alone and are older than deletes that the others have forgotten
 * already (rule 1). They leave the map. The driver appends them to the set-aside file, in the import
 * format, **before it gives control back to the event loop**, so that they are on disk before their
 * removal is, and logs a line.
 */
export interface SetAsideEffect {
  readonly type: "set-aside";
  readonly peer: string;
  readonly entries: readonly Entry[];
}

/** Records of members that came with an exchange: for the membership layer to merge. */
export interface MembersEffect {
  readonly type: "members";
  readonly from: string;
  readonly members: readonly Member[];
}

/**
 * This node was forgotten (rule 3). The driver raises the node's generation to at least this one,
 * durably, in the membership layer too; the core already speaks with it.
 */
export interface ReenterEffect {
  readonly type: "re-enter";
  readonly generation: number;
  readonly by: string;
}
