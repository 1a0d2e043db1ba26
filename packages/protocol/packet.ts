import { crc32 } from "./crc32.ts";
import { decode } from "./decode.ts";
import { DecodeError } from "./decode_error.ts";
import { encode } from "./encode.ts";
import { PROTOCOL_VERSION } from "./limits.ts";
import type { Envelope, Init } from "./messages.ts";
import {
  additionalData,
  clusterTag,
  destinationFlags,
  PACKET_HEADER_BYTES,
  PACKET_OVERHEAD_BYTES,
  PACKET_SEALED,
  PACKET_TAG_BYTES,
  PACKET_TO_BOOT,
  type PacketDestination,
  type PacketHeader,
  readPacketHeader,
  writePacketHeader,
} from "./packet_header.ts";

/** Options of {@linkcode encodePacket}. */
export interface EncodePacketOptions {
  /** The boot id of this process: 16 hex digits, random, new at each start. */
  readonly bootId: string;

  /** Packets sent by this process so far. */
  readonly counter: number;

  /** For whom it is. Default: whoever is at that address. */
  readonly destination?: PacketDestination;

  /** 32 random bits, the end of the nonce. Default: 0 (a plain packet needs none). */
  readonly random?: number;

  /**
   * Bytes that the packet should have: it is padded up to them (one byte may be missing). Default: no
   * padding. One ping in ten is padded to the largest packet, so that a path that cannot carry it
   * shows (RULES 13).
   */
  readonly padToBytes?: number;
}

/** Who reads a packet. */
export interface PacketReceiver {
  /** The name of this node's cluster. */
  readonly cluster: string;

  /** This node's id. */
  readonly id: string;

  /** The boot id of this process. */
  readonly bootId: string;
}

/** A packet that was taken. */
export interface Packet {
  readonly header: PacketHeader;
  readonly envelope: Envelope;

  /**
   * The sender knew this node's id and boot id. A packet where it did not can be one that was recorded
   * earlier: it is always a ping, is to be answered, and must change no state (RULES 13).
   */
  readonly addressed: boolean;

  /** It came sealed, under a key of ours. */
  readonly sealed: boolean;
}

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

/** CRC-32 over what the tag covers. */
function checksum(packet: Uint8Array, more: Uint8Array): number {
  return crc32(packet.subarray(0, packet.length - PACKET_TAG_BYTES), crc32(more));
}

/**
 * Makes a plain packet: header, envelope, checksum. It protects against damage and against packets of
 * other clusters, not against people: for that there is `@dnd/protocol/sealing`.
 *
 * @param envelope what to send; its sender and cluster go into the header
 * @returns one datagram
 * @throws {TypeError} or {RangeError} as {@linkcode encode}
 */
export function encodePacket(
  envelope: Init<Envelope> & Pick<Envelope, "senderId" | "cluster">,
  options: EncodePacketOptions,
): Uint8Array {
  const destination = options.destination ?? {};
  const flags = destinationFlags(destination);
  const body = encodeBody(envelope, options.padToBytes);
  const packet = new Uint8Array(PACKET_OVERHEAD_BYTES + body.length);
  const header: PacketHeader = {
    version: PROTOCOL_VERSION,
    flags,
    clusterTag: clusterTag(envelope.cluster),
    keyId: "00000000",
    senderId: envelope.senderId,
    bootId: options.bootId,
    counter: options.counter,
  };
  writePacketHeader(packet, header, options.random ?? 0);
  packet.set(body, PACKET_HEADER_BYTES);
  const sum = checksum(packet, additionalData(envelope.cluster, flags, destination));
  new DataView(packet.buffer).setUint32(PACKET_HEADER_BYTES + body.length, sum);
  return packet;
}

/**
 * Reads a plain packet.
 *
 * @throws {DecodeError} and nothing else: `malformed`, `too-large`, `wrong-version`, `wrong-cluster`,
 *   `wrong-key` (it is sealed), `bad-tag`
 */
export function decodePacket(packet: Uint8Array, receiver: PacketReceiver): Packet {
  const header = readPacketHeader(packet);
  if (header.clusterTag !== clusterTag(receiver.cluster)) {
    throw new DecodeError("wrong-cluster", "Cannot read a packet of another cluster");
  }
  if ((header.flags & PACKET_SEALED) !== 0) {
    throw new DecodeError("wrong-key", "Cannot read a sealed packet: there is no key");
  }
  return decodePlain(packet, header, receiver);
}

/** The part of {@linkcode decodePacket} behind the header. */
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
