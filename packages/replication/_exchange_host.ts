import type { Entry, Head, StoredEntry } from "@dnd/store";
import { reapIndexTime } from "@dnd/store/engine";
import type { ExchangePromise } from "./member_table.ts";
import { peekSafely, type ReplicaMap } from "./replica_map.ts";
import type { ResolvedReplicationOptions } from "./replication_options.ts";
import type { ExchangeOpen, Heard, Init, Member } from "@dnd/protocol";
import type { OutgoingMember, ReplicationFrame } from "./wire.ts";

/** What a session asks of the replicator around it. */
export interface ExchangeHost {
  readonly map: ReplicaMap;
  readonly options: ResolvedReplicationOptions;

  /** This node's readiness (rule 12). */
  readonly ready: boolean;

  /** How late the event loop is. */
  readonly delayMs: number;

  send(stream: number, frame: ReplicationFrame): void;
  close(stream: number, error?: string): void;
  /** Has `handleTimer` of the session called. */
  wake(stream: number, delayMs: number): void;

  /** After which key everything is asked for in the order of keys; `undefined`: the walk finds it. */
  copyAfter(session: SessionView): string | undefined;

  /** From which stamp on entries are on their way to a peer; `Infinity`: none. */
  onWaySince(peer: string, now: number): number;

  /** Such a copy has come to this key; `undefined`: to the end. */
  copied(key: string | undefined, bytes: number, now: number): void;

  /** This node's member table. */
  members(): readonly OutgoingMember[];

  /**
   * Merges a peer's member table.
   *
   * @returns whether this node had to enter anew because of it (rule 3)
   */
  mergeMembers(peer: string, members: readonly Member[], now: number): boolean;

  /** The numbers with which this side opens. */
  opening(peer: string, reason: string, now: number): OwnOpen;

  /** Whether a session that a peer opened is served; its reason is known now. */
  admit(session: SessionView): { readonly code: string; readonly retryAfterMs: number } | undefined;

  /** Both sides have opened. `met`: false if each missed deletes of the other (rule 1). */
  settled(
    session: SessionView,
    outcome: { readonly terms: ExchangeTerms; readonly met: boolean },
    now: number,
  ): void;

  /**
   * Whether something came from elsewhere, below the horizon of a session in which this side takes the peer's
   * state: it was not compared, and the peer may have forgotten its delete (rule 1).
   */
  isCrossed(session: SessionView): boolean;

  /** Merges what came; `early`: the earliest stamp that has to wait (rule 8). */
  merge(
    session: SessionView,
    entries: readonly Entry[],
    options: { readonly now: number; readonly late: boolean },
  ): MergeSummary;

  /** A frame was held back because the event loop is late. */
  throttled(): void;

  /** The session has ended; called once. */
  finished(session: SessionView, result: ExchangeResult, now: number): void;

  /** Entries of this node that go to the set-aside file, and leave the map. */
  setAside(peer: string, entries: readonly Entry[]): void;

  /**
   * Keeps tombstones, and expired entries as such, until everybody has heard this node from now on: what
   * was deleted before it was admitted is in nobody's `seen` (rule 1).
   */
  retain(entries: readonly Entry[], horizon: number, now: number): void;

  /** Raises the horizon, and forgets a slice; returns whether there is more. */
  reapSlice(horizon: number): boolean;
}

/** What a session shows of itself. */
export interface SessionView {
  readonly stream: number;
  readonly peer: string;
  readonly role: "opener" | "server";
  readonly reason: string;
  readonly startedAt: number;

  /** Entries and bytes so far. */
  readonly sent: number;
  readonly received: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;

  /** Entries that were new here. */
  readonly applied: number;

  /** What the peer opened with: clock, horizon, how much it holds. */
  readonly peerOpen: ExchangeOpen | undefined;
}

/** How a session ended. */
export interface ExchangeResult {
  readonly complete: boolean;

  /** Why it is not complete; empty if it is. */
  readonly code: string;

  /** What was wrong, for people; empty if nothing was. */
  readonly detail: string;

  /** After what time the peer wants to be asked again, if it was busy. */
  readonly retryAfterMs: number;

  /** What a complete one proves. */
  readonly promise: ExchangePromise | undefined;
  readonly peerReady: boolean;
  readonly peerAnchored: boolean;
  readonly terms: ExchangeTerms | undefined;
}

/** What became of a batch. */
export interface MergeSummary {
  readonly applied: number;
  readonly refused: number;
  readonly early: number;
}

/** This side's opening. */
export type OwnOpen = Omit<ExchangeOpen, "extra" | "heard"> & {
  readonly heard: readonly Init<Heard>[];
};

/** What a session has settled before it compares. */
export interface ExchangeTerms {
  /** The higher horizon of the two; only that of a ready side counts. */
  readonly horizon: number;

  /** Whether this side missed reaped deletes: below the horizon the peer is right. */
  readonly below: boolean;

  /** Whether the peer did. */
  readonly peerBelow: boolean;

  /** Whether this side is not ready, or was alone, and the peer is ready: nobody counts what it wrote so far. */
  readonly joins: boolean;

  /** Entries with later stamps are not listed. */
  readonly cutoff: number;
}

/** Whether an entry may be forgotten at a horizon: a function of the two alone (rule 1). */
export function isReapable(entry: StoredEntry, horizon: number): boolean {
  const time = reapIndexTime(entry);
  return time !== undefined && time <= horizon;
}

/**
 * The heads of a digest node that take part in a comparison. What the session's horizon has passed
 * counts as absent, reaped or not. Young ones are left out and counted.
 */
export function comparableHeads(
  map: ReplicaMap,
  terms: ExchangeTerms,
  node: { readonly level: number; readonly index: number },
): { readonly heads: Head[]; readonly young: number } {
  const heads: Head[] = [];
  let young = 0;
  for (const head of map.digestEntries(node.level, node.index)) {
    const { time } = head.version;
    if (time > terms.cutoff) {
      young += 1;
      continue;
    }
    if (time <= terms.horizon && map.horizon < terms.horizon) {
      const entry = peekSafely(map, head.key);
      if (entry === undefined || isReapable(entry, terms.horizon)) continue;
    }
    heads.push(head);
  }
  return { heads, young };
}

/** The text under which a fingerprint is looked up. */
export function fingerprintOf(head: Head): string {
  return `${head.fingerprintHigh}:${head.fingerprintLow}`;
}

/** Fingerprints, 8 bytes each, joined. */
export function packFingerprints(
  heads: readonly Pick<Head, "fingerprintHigh" | "fingerprintLow">[],
): Uint8Array {
  const bytes = new Uint8Array(heads.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, head] of heads.entries()) {
    view.setInt32(i * 8, head.fingerprintHigh);
    view.setInt32(i * 8 + 4, head.fingerprintLow);
  }
  return bytes;
}

/** The reverse of {@linkcode packFingerprints}. */
export function* unpackFingerprints(bytes: Uint8Array): Generator<string, void, void> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i + 8 <= bytes.length; i += 8)
    yield `${view.getInt32(i)}:${view.getInt32(i + 4)}`;
}
