/**
 * How many bytes things take in a packet, to the byte: the budget is kept, and a ping is padded, without
 * encoding anything twice. The numbers follow `dnd.proto`; property tests hold them against the encoder.
 */
import {
  type Envelope,
  type EnvelopeMessage,
  type Member,
  PACKET_OVERHEAD_BYTES,
  type Summary,
} from "@dnd/protocol";

// A tag is one byte for the fields 1 to 15, two for those above.
const idField = 18;
const hashField = 10;

/** Bytes of a member as one item of an envelope, its tag and length included. */
export function memberBytes(member: Member): number {
  return 1 + pageMemberBytes(member);
}

/** Bytes of a member as one item of a page: there its tag is a byte shorter. */
export function pageMemberBytes(member: Member): number {
  const bytes =
    idField +
    numberField(member.generation) +
    numberField(member.incarnation) +
    2 +
    textField(member.address) +
    textField(member.name) +
    bytesField(member.metadata) +
    numberField(member.flags) +
    numberField(member.protocolMin) +
    numberField(member.protocolMax) +
    numberField(member.seen) +
    numberField(member.departed) +
    (member.accuser === "" ? 0 : idField) +
    numberField(member.evidence) +
    (member.bootId === "" ? 0 : hashField) +
    (member.extra?.length ?? 0);
  return 1 + varintBytes(bytes) + bytes;
}

/** Bytes of an opaque update as one item of an envelope. */
export function updateBytes(update: Uint8Array): number {
  return 2 + varintBytes(update.length) + update.length;
}

/**
 * Bytes of a packet before members and updates: header, tag, sender, and the largest message. At most:
 * numbers are in their widest form.
 *
 * @param address of a ping request
 */
export function baseBytes(cluster: string, summary: Summary | undefined, address = ""): number {
  const fixed = PACKET_OVERHEAD_BYTES + 60 + 34;
  const widest = summary === undefined ? 0 : 80 + summary.scope.length;
  return fixed + textField(cluster) + widest + (summary?.extra?.length ?? 0) + textField(address);
}

/** Bytes of an envelope, encoded. */
export function envelopeBytes(envelope: Envelope): number {
  let bytes =
    numberField(envelope.protocolVersion) +
    textField(envelope.cluster) +
    idField +
    numberField(envelope.generation) +
    numberField(envelope.incarnation) +
    numberField(envelope.wall) +
    (envelope.view === 0 ? 0 : 5) +
    (envelope.message === undefined ? 0 : withLength(messageBytes(envelope.message))) +
    (envelope.extra?.length ?? 0);
  for (const member of envelope.members) bytes += memberBytes(member);
  for (const update of envelope.updates) bytes += updateBytes(update);
  if (envelope.padding > 0) bytes += 1 + withLength(envelope.padding);
  return bytes;
}

function messageBytes(message: EnvelopeMessage): number {
  const extra = message.extra?.length ?? 0;
  switch (message.type) {
    case "ping":
    case "ack": {
      const { summary } = message;
      const target = message.target === "" ? 0 : idField;
      const numbers = summary === undefined ? 0 : withLength(summaryBytes(summary));
      return numberField(message.sequence) + target + numbers + extra;
    }
    case "pingRequest": {
      const flag = message.nack ? 2 : 0;
      return numberField(message.sequence) + idField + textField(message.address) + flag + extra;
    }
    case "nack":
      return numberField(message.sequence) + idField + extra;
    case "refusal": {
      const { code, detail, retryAfterMs } = message;
      return textField(code) + textField(detail) + numberField(retryAfterMs) + extra;
    }
  }
}

function summaryBytes(summary: Summary): number {
  return (
    numberField(summary.clock) +
    numberField(summary.generation) +
    numberField(summary.counter) +
    bytesField(summary.digest) +
    numberField(summary.algorithm) +
    bytesField(summary.scope) +
    numberField(summary.horizon) +
    numberField(summary.flags) +
    numberField(summary.seen) +
    (summary.extra?.length ?? 0)
  );
}

/** What is in a field with a length, with its tag of one byte. */
function withLength(bytes: number): number {
  return 1 + varintBytes(bytes) + bytes;
}

function numberField(value: number): number {
  return value === 0 ? 0 : 1 + varintBytes(value);
}

function bytesField(bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : withLength(bytes.length);
}

function textField(text: string): number {
  if (text === "") return 0;
  let bytes = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    // A surrogate is half of a character of four bytes.
    if (code < 0x80) bytes += 1;
    else if (code < 0x800 || (code >= 0xd800 && code < 0xe000)) bytes += 2;
    else bytes += 3;
  }
  return withLength(bytes);
}

function varintBytes(value: number): number {
  if (value < 128) return 1;
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}
