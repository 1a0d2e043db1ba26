import type { Entry } from "@dnd/store";

/**
 * The messages of replication as they look once decoded: the shapes that `@dnd/protocol` gives out and
 * takes. Ids of nodes are text (32 hex characters on the wire's terms, any id of a map in tests),
 * times are stamps, hashes and digests are bytes.
 */

/** A batch of entries: a rumor, or part of an exchange. */
export interface WireUpdate {
  /** The sender's counter when it was made. */
  readonly counter?: number;
  readonly entries: readonly Entry[];
}

/** What is said of a member; replication reads and fills in the fields that rule 1 needs. */
export interface WireMember {
  readonly id: string;
  readonly generation: number;
  readonly incarnation: number;
  readonly state: MemberStateName;
  readonly address?: string;
  readonly name?: string;
  readonly metadata?: Uint8Array;
  readonly flags?: number;
  readonly protocolMin?: number;
  readonly protocolMax?: number;
  /** Rule 1; merged by max. */
  readonly seen?: number;
  /** The stamp of leaving or of being forgotten. */
  readonly departed?: number;
}

/** The states of rule 2. */
export type MemberStateName =
  "alive" | "suspect" | "stopped" | "dead" | "left" | "forgotten" | "unknown";

/** The local numbers that every ping and ack carries (rule 11). */
export interface WireSummary {
  /** The sender's clock, read before the digest: every later stamp of the sender is above it. */
  readonly clock: number;
  readonly generation: number;
  readonly counter: number;
  /** Root digest, 8 bytes. */
  readonly digest: Uint8Array;
  readonly algorithm: number;
  /** Empty = everything. */
  readonly scope: Uint8Array;
  readonly horizon: number;
  /** Bits: {@linkcode SUMMARY_FLAGS}. */
  readonly flags: number;
  readonly seen: number;
}

/** The bits of {@linkcode WireSummary.flags}. */
export const SUMMARY_FLAGS = { stalled: 1, ready: 2, dropped: 4 } as const;

/** The bits of a member's `flags`. */
export const MEMBER_FLAGS = { stalled: 1, ready: 2, volatile: 4, skewed: 8 } as const;

export interface WireHeard {
  readonly id: string;
  readonly generation: number;
  readonly time: number;
}

export interface WireExchangeOpen {
  readonly heard: readonly WireHeard[];
  readonly seen: number;
  readonly horizon: number;
  readonly clock: number;
  readonly ready: boolean;
  readonly reason: string;
  readonly counter: number;
  readonly keys: number;
  readonly bytes: number;
  /** The sender's `seen` as far as the receiver's own members go (see `member_table.ts`). */
  readonly below: number;
}

export interface WireLeafItem {
  readonly key: string;
  readonly time: number;
  readonly node: string;
  readonly contentHash: Uint8Array;
  readonly deleted: boolean;
}

export interface WireExchangeDone {
  readonly complete: boolean;
  readonly refused: number;
  readonly entries: number;
  readonly bytes: number;
  readonly cutoff: number;
  readonly code: string;
}

export interface WireConfirm {
  readonly sequence: number;
  readonly superseded: boolean;
  readonly code: string;
  readonly time: number;
  readonly node: string;
}

export interface WirePush {
  readonly sequence: number;
  readonly entries: readonly Entry[];
  readonly confirm: boolean;
}

export interface WireExplainReply {
  readonly sequence: number;
  /** Without its value; absent: the member holds nothing of this key. */
  readonly entry?: Entry;
  /** Bytes of the value. */
  readonly size: number;
  readonly appliedAt: number;
}

export interface WireRefusal {
  readonly code: string;
  readonly detail: string;
  readonly retryAfterMs: number;
}

/** A part of an entry that is larger than a frame; the entry, without its value, comes at offset 0. */
export interface WireEntryPart {
  readonly entry?: Entry;
  readonly offset: number;
  readonly total: number;
  readonly bytes: Uint8Array;
}

/** The frames of a peer stream that replication sends and takes: one body each. */
export type ReplicationFrame =
  | { readonly type: "refusal"; readonly refusal: WireRefusal }
  | {
      readonly type: "memberPage";
      readonly memberPage: { readonly members: readonly WireMember[]; readonly last: boolean };
    }
  | { readonly type: "exchangeOpen"; readonly exchangeOpen: WireExchangeOpen }
  | {
      readonly type: "digestRequest";
      readonly digestRequest: { readonly level: number; readonly indexes: readonly number[] };
    }
  | {
      readonly type: "digestReply";
      readonly digestReply: {
        readonly level: number;
        readonly indexes: readonly number[];
        readonly children: readonly Uint8Array[];
      };
    }
  | {
      readonly type: "leafSums";
      readonly leafSums: {
        readonly level: number;
        readonly index: number;
        readonly fingerprints: Uint8Array;
      };
    }
  | {
      readonly type: "leafWant";
      readonly leafWant: { readonly sequence: number; readonly leaves: readonly number[] };
    }
  | {
      readonly type: "leafList";
      readonly leafList: {
        readonly level: number;
        readonly index: number;
        readonly items: readonly WireLeafItem[];
        readonly missing: Uint8Array;
        readonly last: boolean;
      };
    }
  | {
      readonly type: "want";
      readonly want: { readonly sequence: number; readonly keys: readonly string[] };
    }
  | {
      readonly type: "sent";
      readonly sent: { readonly sequence: number; readonly gone: readonly string[] };
    }
  | { readonly type: "entries"; readonly entries: WireUpdate }
  | { readonly type: "entryPart"; readonly entryPart: WireEntryPart }
  | { readonly type: "exchangeDone"; readonly exchangeDone: WireExchangeDone }
  | { readonly type: "push"; readonly push: WirePush }
  | { readonly type: "confirm"; readonly confirm: WireConfirm }
  | {
      readonly type: "explainRequest";
      readonly explainRequest: { readonly sequence: number; readonly key: string };
    }
  | { readonly type: "explainReply"; readonly explainReply: WireExplainReply };
