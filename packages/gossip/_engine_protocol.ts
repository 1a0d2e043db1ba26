/** What the main thread and the engine (in the worker, or beside it) say to each other. */
import type { Member } from "@dnd/protocol";
import type { LogLevel } from "./_rate_limited_log.ts";
import type { PacketCounters } from "./_packet_gate.ts";
import type { Accusation } from "./swim_accusations.ts";
import type { SwimOptions } from "./swim_options.ts";
import type { MemberView, SwimCounters, SwimEvent } from "./swim_types.ts";
import type { UdpCounters } from "./udp_transport.ts";

/** Bytes of updates under way in one direction between the threads, at most (RULES 15). */
export const maxUpdateBytesUnderWay: number = 8 << 20;

/** How often the host beats and the engine looks, ms (RULES 15). */
export const heartbeatMs = 50;

/** What the engine is made with; everything in it can be cloned to another thread. */
export interface EngineSettings {
  bindAddress: string;
  cluster: string;
  id: string;
  bootId: string;
  keys: readonly Uint8Array[];
  permissive: boolean;
  stalledAfterMs: number;
  helloTimeoutMs: number;
  streamTimeoutMs: number;
  partitionLevel: number;
  packetsPerSecond: number;
  /** The host's heartbeat can be watched: it runs on another thread. */
  watchHost: boolean;
}

/** What the engine can be asked; each answer is a promise on the other side. */
export interface EngineCalls {
  bind(port: number): Promise<{ port: number; address: string; receiveBufferBytes: number }>;
  begin(options: SwimOptions): { members: MemberView[]; maxUpdateBytes: number };
  join(seeds: readonly string[]): void;
  leave(departed: number | undefined): Promise<void>;
  stop(): Promise<void>;
  close(): Promise<void>;
  forget(id: string, departed: number | undefined): void;
  setFlags(flags: { ready?: boolean; skewed?: boolean }): void;
  setMetadata(metadata: Uint8Array): void;
  raiseGeneration(generation: number): void;
  setKeys(keys: readonly Uint8Array[], permissive: boolean): void;
  memberPages(): Member[][];
  mergeMembers(members: readonly Member[], from: string): void;
  remembered(): Member[];
  accusations(): Accusation[];
  counters(): EngineCounters;
}

/** Everything that the engine counts. */
export interface EngineCounters {
  swim: SwimCounters;
  udp: UdpCounters;
  packets: PacketCounters;
  localHealth: number;
  /** Updates that did not fit the byte bound towards the host. */
  updatesDropped: number;
  /** Events that did not fit the bound towards the host. */
  eventsDropped: number;
  /** Times the host's thread was seen stalled. */
  stalls: number;
  /** Packets that passed every check and still made the protocol throw: each is a bug. */
  packetFaults: number;
}

export type EngineCommand =
  | { type: "call"; call: number; method: keyof EngineCalls; args: readonly unknown[] }
  | { type: "updates"; buffer: ArrayBuffer };

/** Events as they cross; opaque updates have a way of their own. */
export type EngineEvent = Exclude<SwimEvent, { type: "update" }>;

export type EngineReport =
  | { type: "reply"; call: number; value?: unknown; error?: CrossedError }
  | { type: "events"; events: EngineEvent[] }
  | { type: "table"; members: MemberView[]; lost: number }
  | { type: "updates"; buffer: ArrayBuffer }
  | { type: "fault"; error: CrossedError }
  | { type: "log"; level: LogLevel; fields: object; message: string };

/** An error as it crosses: classes do not survive the way. */
export interface CrossedError {
  name: string;
  message: string;
  code?: string;
  /** Of a `BindError`. */
  bind?: { protocol: "UDP" | "TCP"; address: string; systemCode: string | undefined };
}
