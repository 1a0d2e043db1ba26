import fc from "fast-check";
import { type FieldPlan, lookupType, PLANS } from "./_schema.ts";
import { fromHex } from "./_hex.ts";
import { encodeVersionNode } from "./version_node.ts";
import type { MessageName, Messages, WireEntry } from "./messages.ts";

export const ID_A = "000102030405060708090a0b0c0d0e0f";
export const ID_B = "f0e1d2c3b4a5968778695a4b3c2d1e0f";
export const BOOT_A = "0011223344556677";
export const BOOT_B = "8899aabbccddeeff";

/** `first`, `first + 1`, ... */
export function ramp(length: number, first = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (first + i) & 255);
}

/** A stamp of 2026-11-22. */
const TIME = 115_000_000_000_123;

const ENTRY: WireEntry = {
  key: "user/1 ☃",
  value: new TextEncoder().encode('{"name":"Jack"}'),
  version: { time: TIME, node: ID_A },
  contentType: "application/json",
  expiresAt: 1_800_000_000_000,
  hash: ramp(8, 0x80),
};

const MEMBER: Messages["Member"] = {
  id: ID_B,
  generation: 3,
  incarnation: 5,
  state: "suspect",
  address: "[::1]:5000",
  name: "wohnzimmer",
  metadata: ramp(4),
  flags: 3,
  protocolMin: 1,
  protocolMax: 2,
  seen: TIME,
  departed: TIME + 1,
  accuser: ID_A,
  evidence: 5,
  bootId: BOOT_B,
};

const SUMMARY: Messages["Summary"] = {
  clock: TIME,
  generation: 7,
  counter: 1_000_000,
  digest: ramp(8),
  algorithm: 1,
  scope: ramp(3),
  horizon: TIME - 4096,
  flags: 2,
  seen: TIME - 1,
};

const PING: Messages["Ping"] = { sequence: 300, target: ID_B, summary: SUMMARY };
const HEARD: Messages["Heard"] = { id: ID_B, generation: 2, time: TIME };
const LEAF_ITEM: Messages["LeafItem"] = {
  key: "a",
  time: TIME,
  node: ID_B,
  contentHash: ramp(8),
  deleted: true,
};

/** Of every message one with all its fields, none at its default. */
export const SAMPLES: Messages = {
  Entry: ENTRY,
  Update: {
    counter: 41,
    entries: [
      ENTRY,
      {
        key: "gone",
        value: new Uint8Array(0),
        version: { time: TIME + 2, node: ID_B },
        deleted: true,
        hash: ramp(8),
      },
    ],
    skipped: 0,
  },
  EntryPart: {
    entry: { ...ENTRY, value: new Uint8Array(0) },
    offset: 65_536,
    total: 300_000,
    bytes: ramp(5),
  },
  Member: MEMBER,
  Summary: SUMMARY,
  Ping: PING,
  Ack: { sequence: 301, summary: SUMMARY, target: ID_A },
  PingRequest: { sequence: 302, target: ID_B, address: "10.0.0.7:5000", nack: true },
  Nack: { sequence: 303, target: ID_B },
  Refusal: { code: "busy", detail: "one exchange at a time", retryAfterMs: 1000 },
  Envelope: {
    protocolVersion: 1,
    cluster: "dnd",
    senderId: ID_A,
    generation: 7,
    incarnation: 9,
    wall: 1_795_300_000_000,
    view: 0xfeedbeef,
    message: { type: "ping", ...PING },
    members: [MEMBER, { ...MEMBER, id: ID_A, state: "alive", accuser: "", evidence: 0 }],
    updates: [ramp(3), ramp(2)],
    padding: 4,
  },
  Hello: {
    protocolMin: 1,
    protocolMax: 1,
    cluster: "dnd",
    id: ID_A,
    generation: 7,
    bootId: BOOT_A,
    purpose: "exchange",
    algorithm: 1,
    scope: ramp(2),
    partitionLevel: 2,
    wall: 1_795_300_000_000,
    clock: TIME,
    target: ID_B,
    address: "127.0.0.1:5000",
  },
  MemberPage: { members: [MEMBER], last: true },
  Heard: HEARD,
  ExchangeOpen: {
    heard: [HEARD],
    seen: 5,
    horizon: 4,
    clock: TIME,
    ready: true,
    reason: "join",
    counter: 10,
    keys: 9,
    bytes: 1000,
    below: 3,
    copies: true,
    anchored: true,
  },
  DigestRequest: { level: 1, indexes: [0, 31, 200] },
  DigestReply: { level: 1, indexes: [3, 300], children: [ramp(256), ramp(256, 9)] },
  LeafSums: { level: 3, index: 77, fingerprints: ramp(16) },
  LeafWant: { sequence: 8, leaves: [0, 1, 32_767] },
  CopyWant: { sequence: 12, after: "user/1" },
  LeafItem: LEAF_ITEM,
  LeafList: { level: 3, index: 77, items: [LEAF_ITEM], missing: ramp(8), last: true },
  Want: { sequence: 9, keys: ["a", "ä"] },
  Sent: { sequence: 9, gone: ["b"] },
  ExchangeDone: { complete: true, refused: 1, entries: 2, bytes: 3, cutoff: TIME, code: "time" },
  Confirm: { sequence: 10, superseded: true, code: "late", time: TIME, node: ID_B },
  Push: { sequence: 10, entries: [ENTRY], confirm: true },
  ExplainRequest: { sequence: 11, key: "user/1" },
  ExplainReply: {
    sequence: 11,
    entry: { ...ENTRY, value: new Uint8Array(0) },
    size: 15,
    appliedAt: 1_795_300_000_000,
  },
  Frame: { body: { type: "want", sequence: 1, keys: ["k"] } },
};

export const MESSAGE_NAMES: readonly MessageName[] = Object.keys(SAMPLES) as MessageName[];

const STATES = ["unknown", "alive", "suspect", "stopped", "dead", "left", "forgotten"];

type Fields = Record<string, unknown>;

function valueForProtobufjs(field: FieldPlan, value: unknown): unknown {
  switch (field.kind) {
    case "versionNode":
      return value === "" ? new Uint8Array(0) : encodeVersionNode("An id", value as string);
    case "nodeId":
    case "bootId":
      return fromHex("An id", value as string, (value as string).length / 2);
    case "state":
      return STATES.indexOf(value as string);
    case "padding":
      return new Uint8Array(value as number);
    case "message":
      return forProtobufjs(field.type, value as Fields);
    default:
      return value;
  }
}

/** A message of ours as protobufjs would have it: the second opinion of the tests. */
export function forProtobufjs(type: string, message: Fields): Fields {
  const result: Fields = {};
  if (message["extra"] !== undefined) result["$unknowns"] = [message["extra"]];
  if (type === "Entry") {
    const entry = message as unknown as WireEntry;
    return Object.assign(result, {
      key: entry.key,
      time: entry.version.time,
      node: encodeVersionNode("An id", entry.version.node),
      deleted: entry.deleted ?? false,
      expiresAt: entry.expiresAt ?? 0,
      contentType: entry.contentType ?? "",
      value: entry.value,
      contentHash: entry.hash,
    });
  }
  for (const field of PLANS.get(type)?.fields ?? []) {
    let value = message[field.name];
    if (field.oneof !== undefined) {
      value = message[field.oneof];
      if ((value as Fields | undefined)?.["type"] !== field.name) continue;
    }
    if (value === undefined) continue;
    result[field.name] = field.repeated
      ? (value as unknown[]).map((item) => valueForProtobufjs(field, item))
      : valueForProtobufjs(field, value);
  }
  return result;
}

/** What protobufjs encodes a message of ours to. */
export function encodeWithProtobufjs(type: string, message: unknown): Uint8Array {
  return lookupType(type)
    .encode(forProtobufjs(type, message as Fields))
    .finish();
}

// ------------------------------------------------------------------------------------ arbitraries

const bytes = (min: number, max: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: min, maxLength: max });

const hex = (length: number): fc.Arbitrary<string> =>
  bytes(length, length).map((value) => Buffer.from(value).toString("hex"));

/** The node of a version: mostly that of a dnd node. */
const versionNode: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: hex(16), weight: 4 },
  { arbitrary: fc.stringMatching(/^[a-z0-9]{1,32}$/), weight: 1 },
);

const text = (min: number, max: number): fc.Arbitrary<string> =>
  fc
    .string({ unit: "binary", minLength: min, maxLength: Math.min(max, 60) })
    .filter((value) => Buffer.byteLength(value) <= max);

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest & 127) | 128);
  return [...out, rest];
}

const unknownField: fc.Arbitrary<number[]> = fc
  .tuple(fc.integer({ min: 64, max: 10_000 }), fc.constantFrom(0, 1, 2, 5), bytes(8, 8), fc.nat())
  .map(([id, wireType, content, number]) => [
    ...varint(id * 8 + wireType),
    ...(wireType === 0 ? varint(number) : []),
    ...(wireType === 1 ? content : []),
    ...(wireType === 2 ? [5, ...content.subarray(0, 5)] : []),
    ...(wireType === 5 ? content.subarray(0, 4) : []),
  ]);

/** Fields of a protocol of the future. */
export const extra: fc.Arbitrary<Uint8Array> = fc
  .array(unknownField, { minLength: 1, maxLength: 4 })
  .map((fields) => Uint8Array.from(fields.flat()));

/** Any entry that may be sent. */
export const wireEntry: fc.Arbitrary<WireEntry> = fc
  .record({
    key: text(1, 1024),
    time: fc.maxSafeNat(),
    node: versionNode,
    hash: bytes(8, 8),
    value: fc.oneof(bytes(0, 20), bytes(0, 400)),
    contentType: fc.option(text(1, 255), { nil: undefined }),
    expiresAt: fc.option(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { nil: undefined }),
    deleted: fc.boolean(),
    extra: fc.option(extra, { nil: undefined }),
  })
  .map(({ key, time, node, hash, value, contentType, expiresAt, deleted, extra }) => ({
    key,
    value: deleted ? new Uint8Array(0) : value,
    version: { time, node },
    ...(contentType === undefined ? {} : { contentType }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(deleted ? { deleted } : {}),
    ...(extra === undefined ? {} : { extra }),
    hash,
  }));

function valueOf(field: FieldPlan): fc.Arbitrary<unknown> {
  const optional = field.optional && !field.repeated;
  const max = Math.min(field.max, 300);
  switch (field.kind) {
    case "uint32":
    case "fixed32":
      return fc.nat(0xffff_ffff);
    case "uint64":
      return fc.oneof(fc.nat(300), fc.maxSafeNat());
    case "bool":
      return fc.boolean();
    case "state":
      return fc.constantFrom(...STATES.slice(1));
    case "padding":
      return fc.nat(200);
    case "string":
      return text(field.min, field.max);
    case "versionNode":
      return optional ? fc.option(versionNode, { nil: "" }) : versionNode;
    case "nodeId":
    case "bootId":
      return optional ? fc.option(hex(field.max), { nil: "" }) : hex(field.max);
    case "bytes": {
      const some = bytes(Math.ceil(field.min / field.unit), Math.floor(max / field.unit)).map(
        (value) => Uint8Array.from({ length: value.length * field.unit }, (_, i) => value[i] ?? i),
      );
      return optional ? fc.option(some, { nil: new Uint8Array(0) }) : some;
    }
    case "message":
      return anyMessage(field.type);
  }
}

/** Any message of a type that may be sent, as a decoder gives it. */
export function anyMessage(type: string): fc.Arbitrary<unknown> {
  if (type === "Entry") return wireEntry;
  const fields: Record<string, fc.Arbitrary<unknown>> = {};
  const oneofs: Record<string, fc.Arbitrary<unknown>[]> = {};
  for (const field of PLANS.get(type)?.fields ?? []) {
    if (field.oneof !== undefined) {
      (oneofs[field.oneof] ??= []).push(
        anyMessage(field.type).map((body) => ({ type: field.name, ...(body as Fields) })),
      );
    } else if (field.repeated) fields[field.name] = fc.array(valueOf(field), { maxLength: 4 });
    else if (field.kind === "message") {
      fields[field.name] = fc.option(valueOf(field), { nil: undefined });
    } else fields[field.name] = valueOf(field);
  }
  for (const [name, choices] of Object.entries(oneofs)) {
    fields[name] = fc.option(fc.oneof(...choices), { nil: undefined });
  }
  if (type === "Update") fields["skipped"] = fc.constant(0);
  fields["extra"] = fc.option(extra, { nil: undefined });
  return fc.record(fields).map(withoutUndefined);
}

function withoutUndefined(message: Fields): Fields {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value !== undefined));
}

/** A small seeded generator: a failing case is replayed by its seed. */
export function makePrng(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
