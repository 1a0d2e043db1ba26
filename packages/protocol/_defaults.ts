/**
 * What each message decodes to when no field of it is set. Literals, so that V8 makes each in one piece
 * with one hidden class, and so that the compiler checks them against `messages.ts`.
 */
import { NO_BYTES } from "./_reader.ts";
import type { MemberState, MessageName, Messages } from "./messages.ts";

/** Without the fields that may be absent. */
type Present<Message> = {
  -readonly [Key in keyof Message as undefined extends Message[Key] ? never : Key]: Message[Key];
};

// A member has no default state: one that says none is left out.
const NO_STATE = undefined as unknown as MemberState;

/** By name. `Entry` is read by hand. */
export const DEFAULTS: {
  readonly [Name in Exclude<MessageName, "Entry">]: () => Present<Messages[Name]>;
} = {
  Update: () => ({ counter: 0, entries: [], skipped: 0 }),
  EntryPart: () => ({ offset: 0, total: 0, bytes: NO_BYTES }),
  Member: () => ({
    id: "",
    generation: 0,
    incarnation: 0,
    state: NO_STATE,
    address: "",
    name: "",
    metadata: NO_BYTES,
    flags: 0,
    protocolMin: 0,
    protocolMax: 0,
    seen: 0,
    departed: 0,
    accuser: "",
    evidence: 0,
    bootId: "",
  }),
  Summary: () => ({
    clock: 0,
    generation: 0,
    counter: 0,
    digest: NO_BYTES,
    algorithm: 0,
    scope: NO_BYTES,
    horizon: 0,
    flags: 0,
    seen: 0,
  }),
  Ping: () => ({ sequence: 0, target: "" }),
  Ack: () => ({ sequence: 0, target: "" }),
  PingRequest: () => ({ sequence: 0, target: "", address: "", nack: false }),
  Nack: () => ({ sequence: 0, target: "" }),
  Refusal: () => ({ code: "", detail: "", retryAfterMs: 0 }),
  Envelope: () => ({
    protocolVersion: 0,
    cluster: "",
    senderId: "",
    generation: 0,
    incarnation: 0,
    wall: 0,
    view: 0,
    members: [],
    updates: [],
    padding: 0,
  }),
  Hello: () => ({
    protocolMin: 0,
    protocolMax: 0,
    cluster: "",
    id: "",
    generation: 0,
    bootId: "",
    purpose: "",
    algorithm: 0,
    scope: NO_BYTES,
    partitionLevel: 0,
    wall: 0,
    clock: 0,
    target: "",
    address: "",
  }),
  MemberPage: () => ({ members: [], last: false }),
  Heard: () => ({ id: "", generation: 0, time: 0 }),
  ExchangeOpen: () => ({
    heard: [],
    seen: 0,
    horizon: 0,
    clock: 0,
    ready: false,
    reason: "",
    counter: 0,
    keys: 0,
    bytes: 0,
    below: 0,
    copies: false,
    anchored: false,
  }),
  DigestRequest: () => ({ level: 0, indexes: [] }),
  DigestReply: () => ({ level: 0, indexes: [], children: [] }),
  LeafSums: () => ({ level: 0, index: 0, fingerprints: NO_BYTES }),
  LeafWant: () => ({ sequence: 0, leaves: [] }),
  CopyWant: () => ({ sequence: 0, after: "" }),
  LeafItem: () => ({ key: "", time: 0, node: "", contentHash: NO_BYTES, deleted: false }),
  LeafList: () => ({ level: 0, index: 0, items: [], missing: NO_BYTES, last: false }),
  Want: () => ({ sequence: 0, keys: [] }),
  Sent: () => ({ sequence: 0, gone: [] }),
  ExchangeDone: () => ({
    complete: false,
    refused: 0,
    entries: 0,
    bytes: 0,
    cutoff: 0,
    code: "",
  }),
  Confirm: () => ({ sequence: 0, superseded: false, code: "", time: 0, node: "" }),
  Push: () => ({ sequence: 0, entries: [], confirm: false }),
  ExplainRequest: () => ({ sequence: 0, key: "" }),
  ExplainReply: () => ({ sequence: 0, size: 0, appliedAt: 0 }),
  Frame: () => ({}),
};
