/**
 * The messages of `dnd.proto` as TypeScript sees them.
 *
 * What a decoder gives has every field: proto3 defaults are filled in (0, `""`, `false`, no bytes, an
 * empty list). Ids of nodes are 32 lower-case hex digits, boot ids 16, `""` where the wire has none. A
 * uint64 is a safe integer. Hashes, digests, fingerprints and opaque data are `Uint8Array`s of their
 * own, never views into what was received. A `oneof` is one field, told apart by its `type`. Fields
 * that this version does not know are in `extra`, as they came, and are written back (RULES 14).
 *
 * What an encoder takes may leave out what has its default: see {@linkcode Init}.
 */

/** What every message may carry: the fields this version does not know, in the bytes they came in. */
export interface Unknown {
  readonly extra?: Uint8Array;
}

/**
 * One version of one key, in the shape of the store's `Entry`. Absent fields are absent here too, so
 * that two equal entries are deeply equal.
 */
export interface WireEntry {
  /** 1 to 1,024 bytes of UTF-8. */
  readonly key: string;

  /** The bytes of the value; empty for a tombstone, for a dropped value, and in a header. */
  readonly value: Uint8Array;

  /**
   * `time` is a stamp; `node` took the write: 32 hex digits, or `[a-z0-9]{1,32}` for what was imported
   * from a map of its own.
   */
  readonly version: { readonly time: number; readonly node: string };

  /** 1 to 255 bytes of UTF-8. */
  readonly contentType?: string;

  /** Milliseconds since 1970. */
  readonly expiresAt?: number;

  readonly deleted?: boolean;

  /** Unknown fields, as they came: part of the content hash, and passed on (RULES 14). */
  readonly extra?: Uint8Array;

  /** The content hash, 8 bytes. Always there in what was decoded, and needed to encode. */
  readonly hash?: Uint8Array;
}

/** A batch of entries on its way: a rumor, or a part of an exchange. */
export interface Update extends Unknown {
  readonly counter: number;
  readonly entries: readonly WireEntry[];

  /** Entries left out by the decoder because they belong to a `space` this version does not know. */
  readonly skipped: number;
}

/** A part of an entry that is too large for one frame. */
export interface EntryPart extends Unknown {
  /** In the part with offset 0 only, with an empty value. */
  readonly entry?: WireEntry;
  readonly offset: number;

  /** Bytes of the whole value; at most 16 MiB. */
  readonly total: number;
  readonly bytes: Uint8Array;
}

/** The states of RULES 2. Members in any other state are left out by the decoder. */
export type MemberState = "alive" | "suspect" | "stopped" | "dead" | "left" | "forgotten";

/** Bits of {@linkcode Member.flags}. */
export const MEMBER_STALLED = 1;
export const MEMBER_READY = 2;
export const MEMBER_VOLATILE = 4;
export const MEMBER_SKEWED = 8;

/** Bits of {@linkcode Member.evidence}. */
export const EVIDENCE_NO_ACK = 1;
export const EVIDENCE_NO_INDIRECT_ACK = 2;
export const EVIDENCE_NACK = 4;
export const EVIDENCE_REFUSED = 8;
export const EVIDENCE_STREAM_FAILED = 16;

/** What is said of a member, by itself or by others. */
export interface Member extends Unknown {
  readonly id: string;
  readonly generation: number;
  readonly incarnation: number;
  readonly state: MemberState;

  /** `host:port` of gossip and peer stream, IPv6 as `[::1]:5000`; at most 255 bytes. */
  readonly address: string;

  /** A label for people; at most 64 bytes. */
  readonly name: string;

  /** Opaque; at most 512 bytes. */
  readonly metadata: Uint8Array;

  /** `MEMBER_...` bits. Unknown bits are kept. */
  readonly flags: number;
  readonly protocolMin: number;
  readonly protocolMax: number;

  /** The member's `seen` (RULES 1); merged by the greater one. */
  readonly seen: number;

  /** Stamp of leaving or of being forgotten; 0 = neither. */
  readonly departed: number;

  /** Who suspects it or declared it dead; `""` = nobody. */
  readonly accuser: string;

  /** `EVIDENCE_...` bits. */
  readonly evidence: number;

  /** Of the running process; `""` = not known. */
  readonly bootId: string;
}

/** Bits of {@linkcode Summary.flags}. */
export const SUMMARY_STALLED = 1;
export const SUMMARY_READY = 2;
export const SUMMARY_DROPPED = 4;

/** Ready, and not only because nobody who was to be asked has answered: what it has proven counts. */
export const SUMMARY_ANCHORED = 8;

/** Not anchored, for it has seeds that have never answered. */
export const SUMMARY_AWAITS_SEEDS = 16;

/** The local numbers that every ping and ack carries (RULES 11). */
export interface Summary extends Unknown {
  readonly clock: number;
  readonly generation: number;
  readonly counter: number;

  /** Root digest: 8 bytes, or empty when the sender has no data. */
  readonly digest: Uint8Array;
  readonly algorithm: number;

  /** Empty = everything; at most 256 bytes. */
  readonly scope: Uint8Array;
  readonly horizon: number;

  /** `SUMMARY_...` bits. */
  readonly flags: number;
  readonly seen: number;
}

export interface Ping extends Unknown {
  readonly sequence: number;

  /** The id that shall answer; `""` = whoever is there. */
  readonly target: string;
  readonly summary?: Summary;
}

export interface Ack extends Unknown {
  readonly sequence: number;
  readonly summary?: Summary;

  /** The id that was probed, when a third member passes the ack on. */
  readonly target: string;
}

export interface PingRequest extends Unknown {
  readonly sequence: number;
  readonly target: string;
  readonly address: string;

  /** The asker wants a `Nack` if the target stays silent. */
  readonly nack: boolean;
}

export interface Nack extends Unknown {
  readonly sequence: number;
  readonly target: string;
}

/** Why a packet or a stream is not served. */
export interface Refusal extends Unknown {
  /** `wrong-cluster`, `wrong-version`, `forgotten`, `busy`, `not-ready`, ...; at most 64 bytes. */
  readonly code: string;

  /** For people; at most 256 bytes. */
  readonly detail: string;
  readonly retryAfterMs: number;
}

/** The one message of an envelope. */
export type EnvelopeMessage =
  | ({ readonly type: "ping" } & Ping)
  | ({ readonly type: "ack" } & Ack)
  | ({ readonly type: "pingRequest" } & PingRequest)
  | ({ readonly type: "nack" } & Nack)
  | ({ readonly type: "refusal" } & Refusal);

/** The body of every datagram. */
export interface Envelope extends Unknown {
  readonly protocolVersion: number;
  readonly cluster: string;
  readonly senderId: string;
  readonly generation: number;
  readonly incarnation: number;

  /** The sender's wall clock in milliseconds since 1970. */
  readonly wall: number;

  /** A hash of who the sender holds to be up, for whom it gossips; 0 = not said. */
  readonly view: number;

  /** Absent: an envelope that only carries rumors, or a message this version does not know. */
  readonly message?: EnvelopeMessage;
  readonly members: readonly Member[];

  /** Opaque to gossip; dnd nodes send an encoded {@linkcode Update}. */
  readonly updates: readonly Uint8Array[];

  /** Bytes of padding. The encoder writes as many zeros. */
  readonly padding: number;
}

/** First frame in both directions of a peer stream. */
export interface Hello extends Unknown {
  readonly protocolMin: number;
  readonly protocolMax: number;
  readonly cluster: string;
  readonly id: string;
  readonly generation: number;
  readonly bootId: string;
  readonly purpose: string;
  readonly algorithm: number;
  readonly scope: Uint8Array;
  readonly partitionLevel: number;
  readonly wall: number;
  readonly clock: number;
  readonly target: string;
  readonly address: string;
}

export interface MemberPage extends Unknown {
  readonly members: readonly Member[];
  readonly last: boolean;
}

export interface Heard extends Unknown {
  readonly id: string;
  readonly generation: number;
  readonly time: number;
}

export interface ExchangeOpen extends Unknown {
  readonly heard: readonly Heard[];
  readonly seen: number;
  readonly horizon: number;
  readonly clock: number;
  readonly ready: boolean;
  readonly reason: string;
  readonly counter: number;
  readonly keys: number;
  readonly bytes: number;
  readonly below: number;

  /** Whether the sender answers {@linkcode CopyWant}. */
  readonly copies: boolean;

  /** As {@linkcode SUMMARY_ANCHORED}. */
  readonly anchored: boolean;
}

export interface DigestRequest extends Unknown {
  readonly level: number;
  readonly indexes: readonly number[];
}

export interface DigestReply extends Unknown {
  readonly level: number;
  readonly indexes: readonly number[];

  /** For each index 256 bytes: the 32 sums, joined. */
  readonly children: readonly Uint8Array[];
}

export interface LeafSums extends Unknown {
  readonly level: number;
  readonly index: number;

  /** 8 bytes for each entry, joined. */
  readonly fingerprints: Uint8Array;
}

export interface LeafWant extends Unknown {
  readonly sequence: number;
  readonly leaves: readonly number[];
}

/** Asks for everything whose key comes after one, in the order of keys. */
export interface CopyWant extends Unknown {
  readonly sequence: number;
  readonly after: string;
}

export interface LeafItem extends Unknown {
  readonly key: string;
  readonly time: number;
  readonly node: string;
  readonly contentHash: Uint8Array;
  readonly deleted: boolean;
}

export interface LeafList extends Unknown {
  readonly level: number;
  readonly index: number;
  readonly items: readonly LeafItem[];

  /** 8 bytes for each fingerprint, joined. */
  readonly missing: Uint8Array;
  readonly last: boolean;
}

export interface Want extends Unknown {
  readonly sequence: number;
  readonly keys: readonly string[];
}

export interface Sent extends Unknown {
  readonly sequence: number;
  readonly gone: readonly string[];
}

export interface ExchangeDone extends Unknown {
  readonly complete: boolean;
  readonly refused: number;
  readonly entries: number;
  readonly bytes: number;
  readonly cutoff: number;
  readonly code: string;
}

export interface Confirm extends Unknown {
  readonly sequence: number;
  readonly superseded: boolean;
  readonly code: string;
  readonly time: number;
  readonly node: string;
}

export interface Push extends Unknown {
  readonly sequence: number;
  readonly entries: readonly WireEntry[];
  readonly confirm: boolean;
}

export interface ExplainRequest extends Unknown {
  readonly sequence: number;
  readonly key: string;
}

export interface ExplainReply extends Unknown {
  readonly sequence: number;

  /** Without its value. Absent: the member holds nothing. */
  readonly entry?: WireEntry;
  readonly size: number;
  readonly appliedAt: number;
}

/** The one body of a frame. */
export type FrameBody =
  | ({ readonly type: "hello" } & Hello)
  | ({ readonly type: "refusal" } & Refusal)
  | ({ readonly type: "probe" } & Ping)
  | ({ readonly type: "probeAck" } & Ack)
  | ({ readonly type: "memberPage" } & MemberPage)
  | ({ readonly type: "exchangeOpen" } & ExchangeOpen)
  | ({ readonly type: "digestRequest" } & DigestRequest)
  | ({ readonly type: "digestReply" } & DigestReply)
  | ({ readonly type: "leafList" } & LeafList)
  | ({ readonly type: "want" } & Want)
  | ({ readonly type: "entries" } & Update)
  | ({ readonly type: "entryPart" } & EntryPart)
  | ({ readonly type: "exchangeDone" } & ExchangeDone)
  | ({ readonly type: "leafSums" } & LeafSums)
  | ({ readonly type: "leafWant" } & LeafWant)
  | ({ readonly type: "push" } & Push)
  | ({ readonly type: "confirm" } & Confirm)
  | ({ readonly type: "explainRequest" } & ExplainRequest)
  | ({ readonly type: "explainReply" } & ExplainReply)
  | ({ readonly type: "sent" } & Sent)
  | ({ readonly type: "copyWant" } & CopyWant);

/** What a peer stream carries. */
export interface Frame extends Unknown {
  /** Absent: a body that this version does not know. Ignore it. */
  readonly body?: FrameBody;
}

/** Every message by its name in `dnd.proto`. */
export interface Messages {
  Entry: WireEntry;
  Update: Update;
  EntryPart: EntryPart;
  Member: Member;
  Summary: Summary;
  Ping: Ping;
  Ack: Ack;
  PingRequest: PingRequest;
  Nack: Nack;
  Refusal: Refusal;
  Envelope: Envelope;
  Hello: Hello;
  MemberPage: MemberPage;
  Heard: Heard;
  ExchangeOpen: ExchangeOpen;
  DigestRequest: DigestRequest;
  DigestReply: DigestReply;
  LeafSums: LeafSums;
  LeafWant: LeafWant;
  CopyWant: CopyWant;
  LeafItem: LeafItem;
  LeafList: LeafList;
  Want: Want;
  Sent: Sent;
  ExchangeDone: ExchangeDone;
  Confirm: Confirm;
  Push: Push;
  ExplainRequest: ExplainRequest;
  ExplainReply: ExplainReply;
  Frame: Frame;
}

export type MessageName = keyof Messages;

/**
 * A message to encode: what has its default may be left out, `type` of a oneof may not. Entries are
 * given whole.
 */
export type Init<T> = T extends WireEntry | Uint8Array | string | number | boolean | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Init<Item>[]
    : T extends { readonly type: infer Type }
      ? { readonly type: Type } & { readonly [Name in Exclude<keyof T, "type">]?: Init<T[Name]> }
      : { readonly [Name in keyof T]?: Init<T[Name]> };
