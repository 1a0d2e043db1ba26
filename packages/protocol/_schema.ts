import protobuf from "protobufjs/light.js";
import { descriptor } from "./dnd_descriptor.ts";
import {
  BOOT_ID_BYTES,
  HASH_BYTES,
  MAX_CONTENT_TYPE_BYTES,
  MAX_FRAME_BYTES,
  MAX_KEY_BYTES,
  MAX_METADATA_BYTES,
  MAX_NAME_BYTES,
  NODE_ID_BYTES,
} from "./limits.ts";
import { MAX_VERSION_NODE_BYTES } from "./version_node.ts";

/** What a field is in memory, beyond its type in `dnd.proto`. */
export type FieldKind =
  | "uint32"
  | "fixed32"
  | "uint64"
  | "bool"
  | "string"
  | "bytes"
  | "nodeId"
  | "versionNode"
  | "bootId"
  | "state"
  | "padding"
  | "message";

/** A field as the codec works with it. */
export interface FieldPlan {
  readonly name: string;

  /** For errors: `Member.address`. */
  readonly fullName: string;
  readonly id: number;
  readonly kind: FieldKind;
  readonly wireType: 0 | 2 | 5;
  readonly repeated: boolean;

  /** Bytes of a string or of bytes. */
  readonly min: number;
  readonly max: number;

  /** Bytes come in whole multiples of this. */
  readonly unit: number;

  /** Empty bytes are taken too (optional field), whatever `min` says. */
  readonly optional: boolean;

  /** Items of a repeated field. */
  readonly maxItems: number;

  /** The name of the message it holds, if it holds one. */
  readonly type: string;

  /** The oneof that it is part of, if it is. */
  readonly oneof: string | undefined;
}

/** A message as the codec works with it. */
export interface MessagePlan {
  readonly name: string;

  /** In the order of their numbers, which is the order they are written in. */
  readonly fields: readonly FieldPlan[];

  /** By number. */
  readonly byId: readonly (FieldPlan | undefined)[];
}

interface Rule {
  readonly kind?: FieldKind;
  readonly min?: number;
  readonly max?: number;
  readonly unit?: number;
  readonly required?: boolean;
  readonly maxItems?: number;
}

const WIRE_TYPES: Readonly<Record<FieldKind, 0 | 2 | 5>> = {
  uint32: 0,
  fixed32: 5,
  uint64: 0,
  bool: 0,
  string: 2,
  bytes: 2,
  nodeId: 2,
  versionNode: 2,
  bootId: 2,
  state: 0,
  padding: 2,
  message: 2,
};

const nodeId: Rule = { kind: "nodeId", min: NODE_ID_BYTES, max: NODE_ID_BYTES };
const versionNode: Rule = {
  kind: "versionNode",
  min: NODE_ID_BYTES,
  max: MAX_VERSION_NODE_BYTES,
};
const ownId: Rule = { ...nodeId, required: true };
const bootId: Rule = { kind: "bootId", min: BOOT_ID_BYTES, max: BOOT_ID_BYTES };
const hash: Rule = { min: HASH_BYTES, max: HASH_BYTES, required: true };
const key: Rule = { min: 1, max: MAX_KEY_BYTES, required: true };
const name: Rule = { max: MAX_NAME_BYTES };
const text: Rule = { max: 256 };
const sums: Rule = { max: MAX_FRAME_BYTES, unit: HASH_BYTES };
const items: Rule = { maxItems: 65_536 }; // bounded by the bytes of the frame long before

/**
 * The bounds of every field that has a length or a number of items (law 5: everything has a bound). A
 * string, bytes or repeated field that is not here is an error when this module is loaded.
 */
const RULES: Readonly<Record<string, Rule>> = {
  "Entry.key": key,
  "Entry.node": { ...versionNode, required: true },
  "Entry.contentType": { max: MAX_CONTENT_TYPE_BYTES },
  "Entry.value": { max: MAX_FRAME_BYTES },
  "Entry.contentHash": hash,
  "Update.entries": items,
  "EntryPart.bytes": { max: MAX_FRAME_BYTES },
  "Member.id": ownId,
  "Member.address": text,
  "Member.name": name,
  "Member.metadata": { max: MAX_METADATA_BYTES },
  "Member.accuser": nodeId,
  "Member.bootId": bootId,
  "Summary.digest": { min: HASH_BYTES, max: HASH_BYTES },
  "Summary.scope": text,
  "Ping.target": nodeId,
  "Ack.target": nodeId,
  "PingRequest.target": ownId,
  "PingRequest.address": text,
  "Nack.target": ownId,
  "Refusal.code": name,
  "Refusal.detail": text,
  "Envelope.cluster": name,
  "Envelope.senderId": ownId,
  "Envelope.members": { maxItems: 4096 },
  "Envelope.updates": { max: 65_536, maxItems: 4096 },
  "Envelope.padding": { kind: "padding", max: 65_536 },
  "Hello.cluster": name,
  "Hello.id": ownId,
  "Hello.bootId": { ...bootId, required: true },
  "Hello.purpose": name,
  "Hello.scope": text,
  "Hello.target": nodeId,
  "Hello.address": text,
  "MemberPage.members": { maxItems: 16_384 },
  "Heard.id": ownId,
  "ExchangeOpen.heard": { maxItems: 16_384 },
  "ExchangeOpen.reason": name,
  "DigestRequest.indexes": { maxItems: 1024 },
  "DigestReply.indexes": { maxItems: 1024 },
  "DigestReply.children": { min: 256, max: 256, maxItems: 1024 },
  "LeafSums.fingerprints": sums,
  "LeafWant.leaves": { maxItems: 32_768 },
  "CopyWant.after": { max: MAX_KEY_BYTES },
  "LeafItem.key": key,
  "LeafItem.node": { ...versionNode, required: true },
  "LeafItem.contentHash": hash,
  "LeafList.items": items,
  "LeafList.missing": sums,
  "Want.keys": { ...key, maxItems: 65_536 },
  "Sent.gone": { ...key, maxItems: 65_536 },
  "ExchangeDone.code": name,
  "Confirm.code": name,
  "Confirm.node": versionNode,
  "Push.entries": items,
  "ExplainRequest.key": key,
};

const root = protobuf.Root.fromJSON(descriptor);
const namespace = root.lookup("dnd.v1");
if (!(namespace instanceof protobuf.Namespace)) throw new Error("dnd_descriptor.ts: no dnd.v1");

/** protobufjs's own types, for whoever wants to look at the schema. */
export function lookupType(type: string): protobuf.Type {
  return root.lookupType(`dnd.v1.${type}`);
}

function planField(field: protobuf.Field): FieldPlan {
  field.resolve();
  const fullName = `${field.parent?.name ?? ""}.${field.name}`;
  const rule = RULES[fullName];
  let kind: FieldKind;
  if (field.resolvedType instanceof protobuf.Type) kind = "message";
  else if (field.resolvedType instanceof protobuf.Enum) kind = "state";
  else if (rule?.kind !== undefined) kind = rule.kind;
  else if (
    field.type === "uint32" ||
    field.type === "fixed32" ||
    field.type === "uint64" ||
    field.type === "bool" ||
    field.type === "string" ||
    field.type === "bytes"
  ) {
    kind = field.type;
  } else throw new Error(`dnd.proto: ${fullName} has the type ${field.type}, which has no codec`);

  const hasLength = field.type === "string" || field.type === "bytes";
  if ((hasLength && rule?.max === undefined) || (field.repeated && rule?.maxItems === undefined)) {
    throw new Error(`dnd.proto: ${fullName} has no bound in _schema.ts`);
  }
  return {
    name: field.name,
    fullName,
    id: field.id,
    kind,
    wireType: WIRE_TYPES[kind],
    repeated: field.repeated,
    min: rule?.min ?? 0,
    max: rule?.max ?? MAX_FRAME_BYTES,
    unit: rule?.unit ?? 1,
    optional: rule?.required !== true || field.repeated,
    maxItems: rule?.maxItems ?? 1,
    type: kind === "message" ? field.type : "",
    oneof: field.partOf?.name,
  };
}

function planMessage(type: protobuf.Type): MessagePlan {
  const fields = type.fieldsArray.map(planField).sort((a, b) => a.id - b.id);
  const byId: (FieldPlan | undefined)[] = [];
  for (let id = 0; id <= (fields.at(-1)?.id ?? 0); id++) {
    byId.push(fields.find((field) => field.id === id));
  }
  return { name: type.name, fields, byId };
}

/** Every message of `dnd.proto`, by name. */
export const PLANS: ReadonlyMap<string, MessagePlan> = new Map(
  namespace.nestedArray
    .filter((item) => item instanceof protobuf.Type)
    .map((type) => [type.name, planMessage(type)]),
);
