/**
 * The codec of every message, driven by the schema.
 *
 * protobufjs can decode these messages by itself, but what it gives is not what may leave this package:
 * uint64s as `Long` objects, strings with replacement characters, views into the buffer, fields that
 * are absent when they have their default, lists without a bound. Checking and converting all that
 * afterwards would cost more code and more time than reading the wire with the checks in place. So the
 * schema (protobufjs's, from `dnd.proto`) is walked by one decoder and one encoder of our own; the tests
 * compare both with protobufjs on every message.
 *
 * `Entry` is read and written by hand (`_entry_codec.ts`): it is most of what a node does.
 */
import { DEFAULTS } from "./_defaults.ts";
import { NO_BYTES, objectCost, SLOT_COST, WireReader } from "./_reader.ts";
import { type FieldPlan, type MessagePlan, PLANS } from "./_schema.ts";
import type { WireWriter } from "./_writer.ts";
import { readEntry, writeEntry } from "./_entry_codec.ts";
import { HASH_BYTES, MAX_FRAME_BYTES, MAX_MEMBER_EXTRA_BYTES } from "./limits.ts";
import type { MemberState, WireEntry } from "./messages.ts";

/** A message while it is being filled. */
type Fields = Record<string, unknown>;

const STATES: readonly (MemberState | undefined)[] = [
  undefined,
  "alive",
  "suspect",
  "stopped",
  "dead",
  "left",
  "forgotten",
];

/** Wide messages would not fit the bits of one number that remember which fields were there. */
const SEEN_WORDS = 32;

interface Codec {
  readonly plan: MessagePlan;
  readonly make: () => object;

  /** Fields that must be there and not empty. */
  readonly required: readonly FieldPlan[];

  readonly unknown: { readonly maxBytes: number; readonly isKnown: (field: number) => boolean };

  /** Bytes of V8 that one takes, its lists without their items. */
  readonly cost: number;
}

/** An array object and its first places. */
const LIST_COST = 40;

const CODECS: ReadonlyMap<string, Codec> = new Map(
  Object.entries(DEFAULTS).map(([name, make]): [string, Codec] => {
    const plan = PLANS.get(name);
    if (plan === undefined) throw new Error(`dnd.proto: no ${name}`);
    if ((plan.fields.at(-1)?.id ?? 0) >= 2 * SEEN_WORDS) {
      throw new Error(`dnd.proto: ${name} has a field number above ${2 * SEEN_WORDS - 1}`);
    }
    const lists = plan.fields.filter((field) => field.repeated).length;
    return [
      name,
      {
        plan,
        make,
        required: plan.fields.filter((field) => !field.optional),
        unknown: {
          maxBytes: name === "Member" ? MAX_MEMBER_EXTRA_BYTES : MAX_FRAME_BYTES,
          isKnown: (id) => plan.byId[id] !== undefined,
        },
        cost: objectCost(plan.fields.length + 1) + lists * LIST_COST,
      },
    ];
  }),
);

function codecOf(name: string): Codec {
  const codec = CODECS.get(name);
  if (codec === undefined) throw new TypeError(`No message ${JSON.stringify(name)} in dnd.proto`);
  return codec;
}

/** A value of a field that is no message and no list of numbers. */
function readValue(reader: WireReader, field: FieldPlan): unknown {
  switch (field.kind) {
    case "uint32":
      return reader.uint32();
    case "fixed32":
      return reader.fixed32();
    case "uint64":
      return reader.uint64();
    case "bool":
      return reader.bool();
    case "state":
      return STATES[reader.uint32()];
    default:
  }
  const length = reader.length();
  if (length === 0 && field.optional && !field.repeated) {
    return field.kind === "bytes" ? NO_BYTES : field.kind === "padding" ? 0 : "";
  }
  if (length < field.min || length > field.max || length % field.unit !== 0) {
    reader.badLength(field.fullName, length);
  }
  switch (field.kind) {
    case "string":
      return reader.string(length);
    case "nodeId":
      return reader.nodeId();
    case "versionNode":
      return reader.versionNode(field.fullName, length);
    case "bootId":
      return reader.hex(length);
    case "padding":
      reader.position += length;
      return length;
    default:
      return length === HASH_BYTES && field.max === HASH_BYTES
        ? reader.hash()
        : reader.bytes(length);
  }
}

/** Reads a submessage; `undefined` if it is one to be left out (an unknown state, an unknown space). */
function readMessage(reader: WireReader, type: string, oneof?: string): unknown {
  const length = reader.length();
  const outer = reader.end;
  reader.end = reader.position + length;
  const message = type === "Entry" ? readEntry(reader) : readFields(reader, codecOf(type), oneof);
  reader.end = outer;
  return message;
}

/** @returns the list, of the right size from the start, with these numbers behind what it had */
function readPacked(reader: WireReader, field: FieldPlan, before: readonly number[]): number[] {
  const length = reader.length();
  const count = reader.countPacked(length);
  if (before.length + count > field.maxItems) reader.tooMany(field.fullName, field.maxItems);
  const outer = reader.end;
  reader.end = reader.position + length;
  const list = new Array<number>(before.length + count);
  let i = 0;
  for (const number of before) list[i++] = number;
  while (reader.position < reader.end) {
    list[i++] = field.kind === "uint32" ? reader.uint32() : reader.uint64();
  }
  reader.end = outer;
  return list;
}

/** @returns whether the item was taken */
function readItem(
  reader: WireReader,
  field: FieldPlan,
  wireType: number,
  list: unknown[],
): boolean {
  if (wireType !== field.wireType) reader.wrongType(field.fullName, wireType);
  if (list.length >= field.maxItems) reader.tooMany(field.fullName, field.maxItems);
  reader.charge(SLOT_COST);
  const item =
    field.kind === "message" ? readMessage(reader, field.type) : readValue(reader, field);
  if (item === undefined) return false;
  list.push(item);
  return true;
}

function readFields(reader: WireReader, codec: Codec, oneof: string | undefined): unknown {
  const { plan } = codec;
  const start = reader.position;
  const { required } = codec;
  reader.charge(codec.cost);
  const message: Fields =
    oneof === undefined ? (codec.make() as Fields) : { type: oneof, ...codec.make() };
  let seenLow = 0;
  let seenHigh = 0;
  let unknown = 0;
  while (reader.position < reader.end) {
    const from = reader.position;
    const tag = reader.tag();
    const field = plan.byId[tag >>> 3];
    const wireType = tag & 7;
    if (field === undefined) {
      reader.skip(wireType);
      unknown += reader.position - from;
      continue;
    }
    if (field.repeated) {
      const list = message[field.name] as unknown[];
      if (wireType === 2 && field.wireType === 0) {
        message[field.name] = readPacked(reader, field, list as number[]);
      } else if (!readItem(reader, field, wireType, list) && plan.name === "Update")
        message["skipped"] = (message["skipped"] as number) + 1;
    } else {
      if (wireType !== field.wireType) reader.wrongType(field.fullName, wireType);
      const bit = 1 << (field.id & 31);
      if (((field.id < SEEN_WORDS ? seenLow : seenHigh) & bit) !== 0) reader.twice(field.fullName);
      if (field.id < SEEN_WORDS) seenLow |= bit;
      else seenHigh |= bit;
      if (field.kind !== "message") message[field.name] = readValue(reader, field);
      else if (field.oneof === undefined) {
        const inner = readMessage(reader, field.type);
        if (inner === undefined) reader.refuse(`${field.fullName} that this version cannot hold`);
        message[field.name] = inner;
      } else {
        if (message[field.oneof] !== undefined) reader.twice(`${plan.name}.${field.oneof}`);
        message[field.oneof] = readMessage(reader, field.type, field.name);
      }
    }
  }
  for (let i = 0; i < required.length; i++) {
    const field = required[i];
    const value = message[field?.name ?? ""];
    if (
      field !== undefined &&
      (value === "" || (value instanceof Uint8Array && value.length === 0))
    ) {
      reader.missing(field.fullName);
    }
  }
  // A state that this version does not know: ignored and not relayed (RULES 2).
  if (plan.name === "Member" && message["state"] === undefined) return undefined;
  if (unknown > 0) {
    message["extra"] = reader.unknown(start, unknown, codec.unknown);
  }
  return message;
}

/** Reads a whole message. */
export function readRoot(reader: WireReader, type: string): unknown {
  const message =
    type === "Entry" ? readEntry(reader) : readFields(reader, codecOf(type), undefined);
  if (message === undefined) reader.refuse(`a ${type} that this version cannot hold`);
  return message;
}

function writeValue(writer: WireWriter, field: FieldPlan, value: unknown): void {
  const tag = field.id * 8 + field.wireType;
  switch (field.kind) {
    case "uint32":
      if (value === 0) return;
      writer.uint32(tag);
      return writer.safeUint32(field.fullName, value as number);
    case "fixed32":
      if (value === 0) return;
      writer.uint32(tag);
      return writer.safeFixed32(field.fullName, value as number);
    case "uint64":
      if (value === 0) return;
      writer.uint32(tag);
      return writer.safeUint64(field.fullName, value as number);
    case "bool":
      if (value !== true) return;
      writer.uint32(tag).bool(true);
      return;
    case "state": {
      const state = STATES.indexOf(value as MemberState);
      if (state < 1) throw new TypeError(`Cannot encode: ${field.fullName} is ${String(value)}`);
      writer.uint32(tag).uint32(state);
      return;
    }
    case "padding":
      if (value === 0) return;
      writer.uint32(tag);
      return writer.limitedBytes(field.fullName, new Uint8Array(value as number), 0, field.max);
    case "message":
      writer.uint32(tag).fork();
      writeMessage(writer, field.type, value);
      writer.ldelim();
      return;
    default:
  }
  if (field.optional && !field.repeated && (value as string | Uint8Array).length === 0) return;
  writer.uint32(tag);
  switch (field.kind) {
    case "string":
      return writer.text(field.fullName, value as string, field.min, field.max);
    case "versionNode":
      return writer.versionNode(field.fullName, value as string);
    case "nodeId":
    case "bootId":
      return writer.id(field.fullName, value as string, field.max);
    default: {
      const bytes = value as Uint8Array;
      if (bytes.length % field.unit !== 0) {
        throw new RangeError(
          `Cannot encode: ${field.fullName} has ${bytes.length} bytes, not a multiple of ${field.unit}`,
        );
      }
      return writer.limitedBytes(field.fullName, bytes, field.min, field.max);
    }
  }
}

function writeRepeated(writer: WireWriter, field: FieldPlan, list: readonly unknown[]): void {
  if (list.length > field.maxItems) {
    throw new RangeError(
      `Cannot encode: ${list.length} ${field.fullName}, at most ${field.maxItems}`,
    );
  }
  if (list.length === 0) return;
  if (field.wireType === 0) {
    writer.uint32(field.id * 8 + 2).fork();
    for (const item of list) {
      if (field.kind === "uint32") writer.safeUint32(field.fullName, item as number);
      else writer.safeUint64(field.fullName, item as number);
    }
    writer.ldelim();
    return;
  }
  for (const item of list) writeValue(writer, field, item);
}

/** Writes a message without its length. Fields go in the order of their numbers, unknown ones last. */
export function writeMessage(writer: WireWriter, type: string, message: unknown): void {
  if (type === "Entry") return writeEntry(writer, message as WireEntry);
  const { plan } = codecOf(type);
  const fields = message as Fields;
  for (const field of plan.fields) {
    if (field.oneof !== undefined) {
      const chosen = fields[field.oneof] as Fields | undefined;
      if (chosen?.["type"] === field.name) writeValue(writer, field, chosen);
      continue;
    }
    const value = fields[field.name];
    if (value === undefined) {
      if (!field.optional || field.kind === "state") {
        throw new TypeError(`Cannot encode: ${field.fullName} is missing`);
      }
      continue;
    }
    if (field.repeated) writeRepeated(writer, field, value as readonly unknown[]);
    else writeValue(writer, field, value);
  }
  const extra = fields["extra"] as Uint8Array | undefined;
  if (extra !== undefined) writeExtra(writer, type, extra);
}

/** Unknown fields go back as they came, if that is what they are. */
export function writeExtra(writer: WireWriter, type: string, extra: Uint8Array): void {
  const { maxBytes, isKnown } = codecOf(type).unknown;
  if (extra.length > maxBytes) {
    throw new RangeError(
      `Cannot encode: "extra" of ${type} has ${extra.length} bytes, at most ${maxBytes}`,
    );
  }
  const reader = new WireReader(extra);
  try {
    while (reader.position < reader.end) {
      const tag = reader.tag();
      if (isKnown(tag >>> 3)) throw new RangeError("a known field");
      reader.skip(tag & 7);
    }
  } catch (cause) {
    throw new TypeError(`Cannot encode: "extra" of ${type} is not unknown fields`, { cause });
  }
  writer.raw(extra);
}
