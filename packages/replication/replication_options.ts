import { MAX_FRAME_BYTES } from "@dnd/protocol";

/** How a {@linkcode Replicator} behaves. Every field has a default that fits a cluster on one network. */
export interface ReplicationOptions {
  /**
   * Bytes of one encoded rumor (default 1,100): what a datagram has left after header, seal and
   * envelope. An entry that does not fit goes over the peer stream.
   */
  readonly maxUpdateBytes?: number;

  /**
   * Up to so many other members (default 9) a write goes to all of them directly and receivers pass it
   * on to one; above, to `fanout` members a round.
   */
  readonly directLimit?: number;

  /**
   * Up to so many other members (default 9; 0: never) a write goes over the peer streams that are open, and in
   * packets only to those whose stream is not.
   */
  readonly streamLimit?: number;

  /** Members that one round of a rumor goes to in a large cluster (default 4). More: faster, more bytes. */
  readonly fanout?: number;

  /** Rounds of a rumor in a large cluster (default 2). */
  readonly rounds?: number;

  /** Time between two rounds (default 50 ms). */
  readonly roundIntervalMs?: number;

  /**
   * Entries that a node passes on in a second at most, where everybody was told directly (default 2,000).
   * Passing on is for lost packets; beyond this the exchange brings what was lost.
   */
  readonly passOnEntries?: number;

  /** Entries that the outbox holds at most (default 20,000). Others are left to the exchange. */
  readonly outboxEntries?: number;

  /** Bytes that the outbox holds at most (default 16 MiB). */
  readonly outboxBytes?: number;

  /** Packets that one flush sends at most to each member (default 128); the rest follow in later turns. */
  readonly flushPackets?: number;

  /**
   * Where a write goes to everybody directly, and more bytes than this wait in the outbox (default 8 KiB), they
   * go over the peer streams in one piece, and not in packets. Higher: bursts come in more packets, of which
   * each may be lost.
   */
  readonly bulkBytes?: number;

  /** Age below which no delete is forgotten (default 1 h; rule 1). Equal on all nodes. */
  readonly graceMs?: number;

  /** What the horizon is rounded down to (default 1 min; rule 1). Equal on all nodes. */
  readonly horizonStepMs?: number;

  /** Mean time between two periodic exchanges that this node opens (default 60 s). */
  readonly periodicMs?: number;

  /** How often promises (heard, seen) go to disk when only they changed (default 10 s). */
  readonly promiseIntervalMs?: number;

  /** Bytes that a frame of entries is filled up to (default 128 KiB; at most 256 KiB). */
  readonly frameBytes?: number;

  /** Bytes of frames that wait for `handleSent` at most, for each stream (default 512 KiB). */
  readonly windowBytes?: number;

  /** Entries of a leaf above which it is compared by the sums of its parts (default 256; rule 6). */
  readonly leafSplitEntries?: number;

  /** How long one session may take (default 30 s; rule 11). */
  readonly sessionMs?: number;

  /** Bytes that one session may move (default 64 MiB; rule 11). */
  readonly sessionBytes?: number;

  /** A session without progress for so long ends (default 10 s; rule 11). */
  readonly stallMs?: number;

  /** Without an answer of any seed for so long a node is ready alone (default 10 s; rule 12). */
  readonly aloneMs?: number;

  /** Clock difference that is still accepted (default 500 ms; rule 8). */
  readonly maxDriftMs?: number;

  /** Stamps that are early by no more than this wait here until their time (default 10 s; rule 8). */
  readonly earlyMs?: number;

  /** Entries that wait for their time at most (default 10,000). */
  readonly waitingEntries?: number;

  /** Receipts followed at a time (default 10,000). */
  readonly receipts?: number;
}

/** {@linkcode ReplicationOptions} with every default filled in. */
export type ResolvedReplicationOptions = Required<ReplicationOptions>;

/**
 * Checks options and fills in the defaults.
 *
 * @throws RangeError if a number is not finite, not positive (`streamLimit`: negative) or above the protocol's bound
 */
export function resolveReplicationOptions(
  options: ReplicationOptions = {},
): ResolvedReplicationOptions {
  const resolved: ResolvedReplicationOptions = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof ReplicationOptions)[]) {
    const value = options[name];
    if (value === undefined) continue;
    const isOff = name === "streamLimit" && value === 0;
    if (typeof value !== "number" || !Number.isFinite(value) || (value <= 0 && !isOff)) {
      throw new RangeError(`Cannot replicate: option ${name} must be a positive number: ${value}`);
    }
    (resolved as Record<string, number>)[name] = value;
  }
  if (resolved.frameBytes > MAX_FRAME_BYTES - 4096) {
    throw new RangeError(
      `Cannot replicate: option frameBytes must leave room in a frame of ${MAX_FRAME_BYTES} bytes: ` +
        `${resolved.frameBytes}`,
    );
  }
  return resolved;
}

const DEFAULTS: ResolvedReplicationOptions = {
  maxUpdateBytes: 1100,
  directLimit: 9,
  streamLimit: 9,
  fanout: 4,
  rounds: 2,
  roundIntervalMs: 50,
  passOnEntries: 2000,
  outboxEntries: 20_000,
  outboxBytes: 16 * 1024 * 1024,
  flushPackets: 128,
  bulkBytes: 8 * 1024,
  graceMs: 3_600_000,
  horizonStepMs: 60_000,
  periodicMs: 60_000,
  promiseIntervalMs: 10_000,
  frameBytes: 128 * 1024,
  windowBytes: 512 * 1024,
  leafSplitEntries: 256,
  sessionMs: 30_000,
  sessionBytes: 64 * 1024 * 1024,
  stallMs: 10_000,
  aloneMs: 10_000,
  maxDriftMs: 500,
  earlyMs: 10_000,
  waitingEntries: 10_000,
  receipts: 10_000,
};
