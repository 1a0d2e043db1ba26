/** The part of the protocol's messages that the core speaks; the shapes of `@dnd/protocol`. */

export interface Unknown {
  readonly extra?: Uint8Array;
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

  /** Hash of who the sender holds alive or suspect; 0 = not said. */
  readonly view: number;

  /** Absent: an envelope that only carries rumors, or a message this version does not know. */
  readonly message?: EnvelopeMessage;
  readonly members: readonly Member[];

  /** Opaque to gossip; dnd nodes send an encoded {@linkcode Update}. */
  readonly updates: readonly Uint8Array[];

  /** Bytes of padding. The encoder writes as many zeros. */
  readonly padding: number;
}
