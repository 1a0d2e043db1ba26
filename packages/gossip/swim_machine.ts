import type { Envelope, Member } from "@dnd/protocol";
import type { Effect, MemberView, Source, StreamProbeOutcome, SwimCounters } from "./swim_types.ts";
import type { Accusation } from "./swim_accusations.ts";

/**
 * The surface of {@linkcode Swim}: every input comes with `now`, what should happen comes back.
 * None of these methods throws because of what came from the network.
 */
export interface SwimMachine {
  /** First call: timers, and calls to seeds and remembered members. */
  start(now: number): Effect[];

  /** Calls further seeds; they are called for ever (RULES 20). */
  join(seeds: readonly string[], now: number): Effect[];

  /** A packet that passed authentication. */
  handleMessage(envelope: Envelope, from: Source, now: number): Effect[];

  /** A timer of a schedule effect. Its lateness is measured here (RULES 15). */
  handleTimer(token: number, now: number): Effect[];

  /** Outcome of a probe-stream effect. */
  handleStreamProbe(token: number, outcome: StreamProbeOutcome, now: number): Effect[];

  /** Addresses (`host:port`) of a resolve effect; empty when the name has none. */
  handleResolved(seed: string, addresses: readonly string[], now: number): Effect[];

  /** The operating system refused a datagram to this address (ICMP): a confirmation (RULES 21). */
  handleRefused(address: string, now: number): Effect[];

  /** A socket error of our own: counts against our own health. */
  handleTransportError(now: number): Effect[];

  /** The member table in pages for a stream, each at most `maxBytes` encoded (default 64 KiB). */
  memberPages(maxBytes?: number): Member[][];

  /** One page from a stream whose hello said who sends it. */
  mergeMembers(members: readonly Member[], from: { readonly id: string }, now: number): Effect[];

  /** Sends an opaque update to everybody, a bounded number of times, in packets that flow anyway. */
  broadcast(update: Uint8Array, now: number): Effect[];

  /** Sends an opaque update once, at once, to these members. Larger than `maxUpdateBytes`: RangeError. */
  send(ids: readonly string[], update: Uint8Array, now: number): Effect[];

  /** Bytes that one update may have. */
  readonly maxUpdateBytes: number;

  /** Own flags and metadata; a change is a new incarnation, at most one a second (RULES 15). */
  setStalled(stalled: boolean, now: number): Effect[];
  setReady(ready: boolean, now: number): Effect[];
  setSkewed(skewed: boolean, now: number): Effect[];
  setMetadata(metadata: Uint8Array, now: number): Effect[];

  /** Own `seen` stamp (RULES 1): travels with the member record, not a new incarnation. */
  setSeen(seen: number): void;

  /** Leaves for good, with the stamp of departure. `ended` is notified when the farewell is out. */
  leave(now: number, options?: { readonly departed?: number }): Effect[];

  /** Stops: will be back (RULES 2). `ended` is notified when the farewell is out. */
  stop(now: number): Effect[];

  /** Forgets a dead or stopped member (RULES 3). Throws {@linkcode MembershipError}. */
  forget(id: string, now: number, options?: { readonly departed?: number }): Effect[];

  /** After `forgotten-self` or `exhausted`: goes on under a higher, durable generation. */
  raiseGeneration(generation: number, now: number): Effect[];

  /** All members, this node included. */
  members(): MemberView[];
  member(id: string): MemberView | undefined;

  /** What to keep in the data folder, and to give back as `remembered`. */
  remembered(): Member[];

  /** The newest accusations, oldest first, at most 256. */
  accusations(): Accusation[];
  readonly counters: Readonly<SwimCounters>;

  /** 0 = healthy, 8 = worst. */
  readonly localHealth: number;

  /** What the bounds are about: for metrics and checkers. */
  sizes(): {
    readonly members: number;
    readonly ended: number;
    readonly rumors: number;
    readonly timers: number;
    readonly waiting: number;
  };
}
