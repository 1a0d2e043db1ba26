/**
 * How many bytes things take in a packet, never too few: the budget is kept without encoding twice.
 * The numbers follow `dnd.proto`; a test compares them with the encoder.
 */
import { PACKET_OVERHEAD_BYTES, type Member, type Summary } from "@dnd/protocol";

/** Bytes of a member as one item of an envelope or page, its tag and length included. */
export function memberBytes(member: Member): number {
  return (
    // tag and length, id, state, protocol versions
    4 +
    18 +
    2 +
    12 +
    1 +
    varintBytes(member.generation) +
    1 +
    varintBytes(member.incarnation) +
    textBytes(member.address) +
    textBytes(member.name) +
    (member.metadata.length > 0 ? 3 + member.metadata.length : 0) +
    (member.flags > 0 ? 1 + varintBytes(member.flags) : 0) +
    (member.seen > 0 ? 1 + varintBytes(member.seen) : 0) +
    (member.departed > 0 ? 1 + varintBytes(member.departed) : 0) +
    (member.accuser !== "" ? 18 : 0) +
    (member.evidence > 0 ? 1 + varintBytes(member.evidence) : 0) +
    (member.bootId !== "" ? 10 : 0) +
    (member.extra?.length ?? 0)
  );
}

/** Bytes of an opaque update as one item of an envelope. */
export function updateBytes(update: Uint8Array): number {
  return 2 + varintBytes(update.length) + update.length;
}

/**
 * Bytes of a packet before members and updates: header, tag, sender, and the largest message.
 *
 * @param address of a ping request
 */
export function baseBytes(cluster: string, summary: Summary | undefined, address = ""): number {
  const fixed = PACKET_OVERHEAD_BYTES + 60 + 34;
  return fixed + textBytes(cluster) + summaryBytes(summary) + textBytes(address);
}

/** Bytes of a summary at most: numbers in their widest form. */
function summaryBytes(summary: Summary | undefined): number {
  if (summary === undefined) return 0;
  return 80 + summary.scope.length + (summary.extra?.length ?? 0);
}

function textBytes(text: string): number {
  if (text === "") return 0;
  let bytes = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
  }
  return 1 + varintBytes(bytes) + bytes;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}
