import { checksum, decodePlain, encodeBody } from "./_packet_body.ts";
import { DecodeError } from "./decode_error.ts";
import { PROTOCOL_VERSION } from "./limits.ts";
import type { Envelope, Init } from "./messages.ts";
import {
  additionalData,
  clusterTag,
  destinationFlags,
  NO_KEY_ID,
  PACKET_HEADER_BYTES,
  PACKET_OVERHEAD_BYTES,
  PACKET_SEALED,
  type PacketDestination,
  type PacketHeader,
  readPacketHeader,
  writePacketHeader,
} from "./packet_header.ts";
import type { Packet, PacketReceiver } from "./received_packet.ts";

/** An envelope to send. Its sender and cluster go into the header too, so both must be there. */
export type OutgoingEnvelope = Init<Envelope> & Pick<Envelope, "senderId" | "cluster">;

/** Options of one packet. */
export interface PacketOptions {
  /** For whom it is. Default: whoever is at that address; then it may only be a ping. */
  readonly destination?: PacketDestination | undefined;

  /**
   * Bytes that the packet should have: it is padded up to them (one byte may be missing). Default: no
   * padding. One ping in ten is padded to the largest packet, so that a path that cannot carry it
   * shows (RULES 13).
   */
  readonly padToBytes?: number | undefined;
}

/** Options of {@linkcode encodePacket}. */
export interface EncodePacketOptions extends PacketOptions {
  /** The boot id of this process: 16 hex digits, random, new at each start. */
  readonly bootId: string;

  /** Packets sent by this process so far. */
  readonly counter: number;

  /** 32 random bits, the end of the nonce. Default: 0 (a plain packet needs none). */
  readonly random?: number | undefined;

  /** The key under which an answer would be understood. Default: none, `"00000000"`. */
  readonly keyId?: string | undefined;
}

/** What makes datagrams of envelopes and reads them again. One for each process and node id. */
export interface PacketCodec {
  /**
   * Makes a datagram. Counts it.
   *
   * @throws {TypeError} or {RangeError} as `encode`
   */
  encode(envelope: OutgoingEnvelope, options?: PacketOptions): Uint8Array;

  /**
   * Reads a datagram.
   *
   * @throws {DecodeError} and nothing else
   */
  decode(packet: Uint8Array): Packet;
}

/**
 * Makes a plain packet: header, envelope, checksum. It protects against damage and against packets of
 * other clusters, not against people: for that there is `@dnd/protocol/sealing`.
 *
 * @returns one datagram
 * @throws {TypeError} or {RangeError} as `encode`
 */
export function encodePacket(envelope: OutgoingEnvelope, options: EncodePacketOptions): Uint8Array {
  const destination = options.destination ?? {};
  const flags = destinationFlags(destination);
  const body = encodeBody(envelope, options.padToBytes);
  const packet = new Uint8Array(PACKET_OVERHEAD_BYTES + body.length);
  const header: PacketHeader = {
    version: PROTOCOL_VERSION,
    flags,
    clusterTag: clusterTag(envelope.cluster),
    keyId: options.keyId ?? NO_KEY_ID,
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

/** The codec of a cluster without keys. */
export class PlainPacketCodec implements PacketCodec {
  readonly #receiver: PacketReceiver;
  #counter = 0;

  /** @param receiver this node, and its process */
  constructor(receiver: PacketReceiver) {
    this.#receiver = receiver;
  }

  encode(envelope: OutgoingEnvelope, options: PacketOptions = {}): Uint8Array {
    return encodePacket(envelope, {
      ...options,
      bootId: this.#receiver.bootId,
      counter: this.#counter++,
    });
  }

  decode(packet: Uint8Array): Packet {
    return decodePacket(packet, this.#receiver);
  }
}
