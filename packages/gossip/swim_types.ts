/**
 * What goes into {@linkcode Swim} and what comes out of it: sources, effects, events, views.
 *
 * Time is `now`, milliseconds on a clock that never steps (monotonic); wall time is asked for by
 * {@linkcode SwimDependencies.wall} and only ever shown or sent. Ids of nodes are 32 lower-case hex
 * digits, boot ids 16.
 */
import type { Envelope, Member, MemberState, Summary } from "@dnd/protocol";

/** Where a packet came from, as its header and its authentication say (RULES 13). */
export interface Source {
  /** `host:port` that the datagram came from. */
  readonly address: string;

  /** Boot id in the header: 16 hex digits. */
  readonly bootId: string;

  /**
   * The packet was made for this node: its destination was this id and boot id. A packet made for
   * "whoever is there" may only be a ping; it is answered and changes no state (RULES 13).
   */
  readonly directed: boolean;
}

/** Where a packet goes. Without `bootId` it is made for "whoever is there". */
export interface Destination {
  readonly address: string;

  /** 32 hex digits; absent when it is not known. */
  readonly id?: string;

  /** 16 hex digits; absent when it is not known. */
  readonly bootId?: string;
}

/** A member that a stream is to be opened to. */
export interface Peer {
  readonly id: string;
  readonly address: string;
  readonly generation: number;

  /** `""` when it is not known. */
  readonly bootId: string;
}

/** What the driver is to do. Effects of one call are in order. */
export type Effect =
  SendEffect | ScheduleEffect | NotifyEffect | ExchangeEffect | ProbeStreamEffect | ResolveEffect;

/** Encode, seal and send one datagram. The envelope fits the budget; padding is in it. */
export interface SendEffect {
  readonly type: "send";
  readonly to: Destination;
  readonly envelope: Envelope;
}

/** Call `handleTimer(token, now)` in `delayMs`. Nothing is ever cancelled: stale tokens are ignored. */
export interface ScheduleEffect {
  readonly type: "schedule";
  readonly token: number;
  readonly delayMs: number;
}

/** Tell the host. */
export interface NotifyEffect {
  readonly type: "notify";
  readonly event: SwimEvent;
}

/**
 * Open a stream of purpose `members` to the peer: send the pages of `memberPages()`, give what comes
 * back to `mergeMembers()`. Nothing is reported when it fails: the next one comes anyway.
 */
export interface ExchangeEffect {
  readonly type: "exchange";
  readonly peer: Peer;
  readonly reason: "join" | "difference" | "periodic" | "heal";
}

/**
 * Try to reach the peer over a stream of purpose `probe` (RULES 21), for at most `timeoutMs`, and give
 * the outcome to `handleStreamProbe(token, outcome, now)`. `ok` only if the peer said the id asked for.
 */
export interface ProbeStreamEffect {
  readonly type: "probe-stream";
  readonly peer: Peer;
  readonly token: number;
  readonly timeoutMs: number;
}

/** Resolve a seed and give the addresses to `handleResolved(seed, addresses, now)`. */
export interface ResolveEffect {
  readonly type: "resolve";
  readonly seed: string;
}

/** Outcome of a stream probe: it answered, refused the connection, or did not answer in time. */
export type StreamProbeOutcome = "ok" | "refused" | "failed";

/** A member as this node sees it now. */
export interface MemberView {
  readonly id: string;

  /** `host:port` of gossip and peer stream. */
  readonly address: string;

  /** Label for people. */
  readonly name: string;
  readonly state: MemberState;
  readonly generation: number;
  readonly incarnation: number;

  /** Boot id of the running process; `""` when it is not known. */
  readonly bootId: string;

  /** Its own words: main thread blocked, ready, without a disk, clock beyond the drift. */
  readonly stalled: boolean;
  readonly ready: boolean;
  readonly volatile: boolean;
  readonly skewed: boolean;

  /** Opaque bytes of its host, at most 512. Not to be changed. */
  readonly metadata: Uint8Array;
  readonly protocolMin: number;
  readonly protocolMax: number;

  /** Stamps of RULES 1. */
  readonly seen: number;
  readonly departed: number;

  /** Smoothed round trip in milliseconds; absent before the first direct answer. */
  readonly rttMs?: number;

  /** This node itself. */
  readonly self: boolean;

  /** `now` of the last change of state. */
  readonly changedAt: number;
}

/** What the host hears. */
export type SwimEvent =
  MemberEvent | SummaryEvent | UpdateEvent | SelfEvent | RefusalEvent | SeedEvent;

/**
 * A member changed. The type is its new state, or `stalled` and `resumed` when only that flag changed,
 * or `updated` when only address, metadata, name, flags or incarnation did, or `removed` when a member
 * that had ended fell out of the bounded list of the dead.
 */
export interface MemberEvent {
  readonly type: MemberState | "stalled" | "resumed" | "updated" | "removed";
  readonly member: MemberView;

  /** State before; absent for a member not known before. */
  readonly previous?: MemberState;
}

/** The numbers of a ping or an ack (RULES 11), from a member that is known. */
export interface SummaryEvent {
  readonly type: "summary";
  readonly from: string;
  readonly summary: Summary;

  /** The sender's wall clock when it sent, ms since 1970. */
  readonly wall: number;

  /** Round trip of the ping this answers; absent when `summary` came with a ping. */
  readonly rttMs?: number;
}

/** An opaque update from a member that is known. */
export interface UpdateEvent {
  readonly type: "update";
  readonly from: string;
  readonly bytes: Uint8Array;
}

/**
 * About this node itself:
 * - `joined`: the first live member is known;
 * - `forgotten-self`, `exhausted`: others forgot this node (RULES 3), or its incarnations are used up.
 *   It is silent until `raiseGeneration()` is called with a generation that is durable;
 * - `copy`: somebody else runs with this node's id (RULES 19); `bootId` and `generation` are theirs;
 * - `ended`: the farewell of `leave()` or `stop()` is out: the driver may close its sockets.
 */
export interface SelfEvent {
  readonly type: "joined" | "forgotten-self" | "exhausted" | "copy" | "ended";
  readonly generation: number;
  readonly bootId?: string;
}

/** Somebody refused what we sent. */
export interface RefusalEvent {
  readonly type: "refused";
  readonly address: string;
  readonly code: string;
  readonly detail: string;
}

/**
 * A seed was called in vain: `silent` after an unanswered call, `unresolved` without an address. Or it is found:
 * `answered` once every address that it stands for is that of a live member, or our own; said again now and then.
 */
export interface SeedEvent {
  readonly type: "seed";
  readonly seed: string;
  readonly reason: "silent" | "unresolved" | "answered";
}

/** What `Swim` cannot do by itself. */
export interface SwimDependencies {
  /** Uniform in [0, 1). The same numbers give the same run. */
  readonly prng: () => number;

  /** Wall clock in ms since 1970: sent in envelopes, kept in accusations, never used to wait. */
  readonly wall: () => number;

  /** The local numbers for pings and acks; asked for each time one is built. Absent: none are sent. */
  readonly summary?: () => Summary;
}

/** A bound or a check of {@linkcode Swim} that did something, as counts since the start. */
export interface SwimCounters {
  pingsSent: number;
  acksReceived: number;
  indirectAcks: number;
  probesFailed: number;
  streamProbes: number;
  suspicionsRaised: number;
  deathsDeclared: number;
  refutations: number;
  lateTimers: number;

  /** Nobody was accused or declared dead, because nobody else was heard either. */
  deafRounds: number;
  exchangesAsked: number;
  callsToDead: number;
  callsToSeeds: number;
  membersRefused: number;
  claimsRefused: number;
  rumorsDropped: number;
  updatesDropped: number;
  relaysRefused: number;
  wrongCluster: number;
  wrongVersion: number;
  undirectedDropped: number;
  unknownSender: number;
  unexpectedAnswers: number;
  malformed: number;
}

/** Members as they are remembered in a data folder and sent in pages. */
export type RememberedMember = Member;
