import { crc32 } from "./crc32.ts";
import { decode } from "./decode.ts";
import { DecodeError } from "./decode_error.ts";
import { encode } from "./encode.ts";
import type { Envelope, Init } from "./messages.ts";
import {
  additionalData,
  PACKET_HEADER_BYTES,
  PACKET_OVERHEAD_BYTES,
  PACKET_TAG_BYTES,
  PACKET_TO_BOOT,
  type PacketHeader,
} from "./packet_header.ts";
import type { Packet, PacketReceiver } from "./received_packet.ts";

const PADDING_TAG_BYTES = 2;

/** The envelope with as much padding as brings its encoding to `bytes`, or one byte less. */
export function encodePadded(envelope: Init<Envelope>, bytes: number): Uint8Array {
  const plain = encode({ ...envelope, padding: 0 });
  const room = bytes - plain.length - PADDING_TAG_BYTES;
  // The length takes one byte up to 127, then two, then three.
  const padding = room <= 128 ? room - 1 : room <= 16_385 ? room - 2 : room - 3;
  if (padding < 1) return plain;
  return encode({ ...envelope, padding: room === 129 ? 127 : room === 16_386 ? 16_383 : padding });
}

/** The body of a packet for a number of bytes of datagram. */
export function encodeBody(envelope: Init<Envelope>, padToBytes: number | undefined): Uint8Array {
  return padToBytes === undefined
    ? encode(envelope)
    : encodePadded(envelope, padToBytes - PACKET_OVERHEAD_BYTES);
}

/**
 * The body of a packet whose tag or checksum fits.
 *
 * @throws {DecodeError} `malformed` (with what is wrong as its `cause`), `wrong-cluster`
 */
export function decodeBody(body: Uint8Array, header: PacketHeader, cluster: string): Envelope {
  let envelope: Envelope;
  try {
    envelope = decode(body);
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw new DecodeError("malformed", `Cannot read a packet: ${cause.message}`, { cause });
  }
  if (envelope.cluster !== cluster) {
    throw new DecodeError(
      "wrong-cluster",
      `Cannot read a packet of cluster ${JSON.stringify(envelope.cluster)}`,
    );
  }
  if (envelope.senderId !== header.senderId) {
    throw new DecodeError("malformed", "Cannot read a packet: two senders, outside and inside");
  }
  if ((header.flags & PACKET_TO_BOOT) === 0 && envelope.message?.type !== "ping") {
    throw new DecodeError("malformed", "Cannot read a packet: to nobody, and not a ping");
  }
  return envelope;
}

/** CRC-32 over additional data (header, cluster, destination) and body. */
export function checksum(packet: Uint8Array, more: Uint8Array): number {
  const before = crc32(more, crc32(packet.subarray(0, PACKET_HEADER_BYTES)));
  return crc32(packet.subarray(PACKET_HEADER_BYTES, packet.length - PACKET_TAG_BYTES), before);
}

/** A plain packet behind its header. */
export function decodePlain(
  packet: Uint8Array,
  header: PacketHeader,
  receiver: PacketReceiver,
): Packet {
  const bodyEnd = packet.length - PACKET_TAG_BYTES;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const sum = checksum(packet, additionalData(receiver.cluster, header.flags, receiver));
  let difference = view.getUint32(bodyEnd) ^ sum;
  for (let i = bodyEnd + 4; i < packet.length; i++) difference |= packet[i] ?? 0;
  if (difference !== 0) throw new DecodeError("bad-tag", "Cannot read a packet: wrong checksum");
  return {
    header,
    envelope: decodeBody(packet.subarray(PACKET_HEADER_BYTES, bodyEnd), header, receiver.cluster),
    addressed: (header.flags & PACKET_TO_BOOT) !== 0,
    sealed: false,
  };
}
