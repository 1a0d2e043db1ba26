/**
 * The outer header of every datagram, the same sealed or not (RULES 13):
 *
 *     offset  bytes  field
 *          0      1  magic 0xdd
 *          1      1  protocol version (a major)
 *          2      1  flags: 1 sealed, 2 destination id known, 4 destination boot id known
 *          3      4  cluster tag: CRC-32 of the cluster name, big-endian
 *          7      4  key id; when plain, the key under which an answer would be understood, or zeros
 *         11     16  sender id
 *         27      8  sender's boot id
 *         35     12  nonce: counter 8 (big-endian), random 4
 *         47      n  body: an Envelope, sealed or not
 *     47 + n     16  tag: of AES-256-GCM, or when plain CRC-32 (big-endian) and 12 zeros
 *
 * What the tag or checksum covers beside the body, the additional data, is the header, then one byte
 * with the length of the cluster name, the name in UTF-8, the id (16) and the boot id (8) of the
 * destination. The id is zeros unless flag 2 says that the sender knew it, the boot id unless flag 4
 * does: so the receiver knows what the sender put there, and a packet that was meant for another node,
 * or for an earlier process of this one, does not open.
 */
import { idBytes, toHex } from "./_hex.ts";
import { crc32 } from "./crc32.ts";
import { DecodeError } from "./decode_error.ts";
import {
  BOOT_ID_BYTES,
  MAX_DATAGRAM_BYTES,
  MAX_NAME_BYTES,
  NODE_ID_BYTES,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_MIN,
} from "./limits.ts";

/** The first byte of every packet. */
export const PACKET_MAGIC = 0xdd;

/** Bytes of the header. */
export const PACKET_HEADER_BYTES = 47;

/** Bytes of the tag after the body. */
export const PACKET_TAG_BYTES = 16;

/** Bytes that a packet has beside its envelope. */
export const PACKET_OVERHEAD_BYTES: number = PACKET_HEADER_BYTES + PACKET_TAG_BYTES;

/** Bits of {@linkcode PacketHeader.flags}. */
export const PACKET_SEALED = 1;
export const PACKET_TO_ID = 2;
export const PACKET_TO_BOOT = 4;

/** The key id of who has no key. */
export const NO_KEY_ID = "00000000";

/** Where in the header the nonce is. */
export const NONCE_OFFSET = 35;
export const NONCE_BYTES = 12;

/** The header of a packet, taken apart. */
export interface PacketHeader {
  readonly version: number;

  /** `PACKET_...` bits. */
  readonly flags: number;

  /** See {@linkcode clusterTag}. */
  readonly clusterTag: number;

  /** 8 hex digits: the key that sealed it; when plain, a key that would open an answer. */
  readonly keyId: string;
  readonly senderId: string;
  readonly bootId: string;

  /** Rises by one with each packet of a boot. */
  readonly counter: number;
}

/** For whom a packet is, as far as the sender knows. */
export interface PacketDestination {
  /** Its node id. Absent: whoever is at that address (a join). */
  readonly id?: string | undefined;

  /** The boot id of its process. Absent: not known yet; then the packet may only be a ping. */
  readonly bootId?: string | undefined;
}

const encoder = new TextEncoder();

// A process speaks with one cluster, a test with two.
let keptCluster = "";
let keptClusterBytes = new Uint8Array(0);
let keptClusterTag = crc32(keptClusterBytes);

function clusterBytes(cluster: string): Uint8Array {
  if (cluster === keptCluster) return keptClusterBytes;
  const name = encoder.encode(cluster);
  if (name.length > MAX_NAME_BYTES) {
    throw new RangeError(`A cluster name has at most ${MAX_NAME_BYTES} bytes, not ${name.length}`);
  }
  keptCluster = cluster;
  keptClusterBytes = name;
  keptClusterTag = crc32(name);
  return name;
}

/**
 * The four bytes of a cluster name in the header: they tell a packet of another cluster from a forged
 * one. The full name is in the additional data.
 *
 * @param cluster the name, at most 64 bytes
 * @returns CRC-32 of its UTF-8 bytes
 * @throws {RangeError} if it is longer
 */
export function clusterTag(cluster: string): number {
  clusterBytes(cluster);
  return keptClusterTag;
}

/**
 * Writes a header to the start of a packet.
 *
 * @param packet at least 47 bytes
 * @param random 32 random bits, the end of the nonce
 * @throws {RangeError} if the counter is no safe integer
 * @throws {TypeError} if an id is not what it should be
 */
export function writePacketHeader(packet: Uint8Array, header: PacketHeader, random: number): void {
  if (!Number.isSafeInteger(header.counter) || header.counter < 0) {
    throw new RangeError(`Cannot encode a packet: its counter is ${header.counter}`);
  }
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  packet[0] = PACKET_MAGIC;
  packet[1] = header.version;
  packet[2] = header.flags;
  view.setUint32(3, header.clusterTag);
  packet.set(idBytes("A key id", header.keyId, 4), 7);
  packet.set(idBytes("A node id", header.senderId, NODE_ID_BYTES), 11);
  packet.set(idBytes("A boot id", header.bootId, BOOT_ID_BYTES), 27);
  view.setUint32(35, Math.floor(header.counter / 2 ** 32));
  view.setUint32(39, header.counter >>> 0);
  view.setUint32(43, random);
}

/**
 * Reads the header of a packet. Nothing in it is to be believed before the tag has been checked.
 *
 * @throws {DecodeError} `malformed` (too short, another magic, unknown flags), `too-large`,
 *   `wrong-version`
 */
export function readPacketHeader(packet: Uint8Array): PacketHeader {
  if (packet.length < PACKET_OVERHEAD_BYTES) {
    throw new DecodeError("malformed", `Cannot read a packet of ${packet.length} bytes`);
  }
  if (packet.length > MAX_DATAGRAM_BYTES) {
    throw new DecodeError("too-large", `Cannot read a packet of ${packet.length} bytes`);
  }
  if (packet[0] !== PACKET_MAGIC) {
    throw new DecodeError("malformed", `Cannot read a packet that starts with ${packet[0]}`);
  }
  const version = packet[1] ?? 0;
  if (version < PROTOCOL_VERSION_MIN || version > PROTOCOL_VERSION) {
    throw new DecodeError("wrong-version", `Cannot read a packet of protocol version ${version}`);
  }
  const flags = packet[2] ?? 0;
  if (flags > 7 || (flags & (PACKET_TO_ID | PACKET_TO_BOOT)) === PACKET_TO_BOOT) {
    throw new DecodeError("malformed", `Cannot read a packet with flags ${flags}`);
  }
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const counter = view.getUint32(35) * 2 ** 32 + view.getUint32(39);
  if (!Number.isSafeInteger(counter)) {
    throw new DecodeError("malformed", "Cannot read a packet with a counter of 2^53 or more");
  }
  return {
    version,
    flags,
    clusterTag: view.getUint32(3),
    keyId: toHex(packet, 7, 4),
    senderId: toHex(packet, 11, 16),
    bootId: toHex(packet, 27, 8),
    counter,
  };
}

/** The flags that say what of the destination is in the additional data. */
export function destinationFlags(destination: PacketDestination): number {
  if (destination.id === undefined) return 0;
  return destination.bootId === undefined ? PACKET_TO_ID : PACKET_TO_ID | PACKET_TO_BOOT;
}

/**
 * What the tag covers beside header and body: cluster name and destination.
 *
 * @param flags of the header: what of the destination is known
 * @param destination where that is not known, zeros take its place
 * @throws {RangeError} if the cluster name is longer than 64 bytes
 */
export function additionalData(
  cluster: string,
  flags: number,
  destination: PacketDestination,
): Uint8Array {
  const name = clusterBytes(cluster);
  const data = new Uint8Array(1 + name.length + NODE_ID_BYTES + BOOT_ID_BYTES);
  data[0] = name.length;
  data.set(name, 1);
  if ((flags & PACKET_TO_ID) !== 0) {
    data.set(idBytes("A node id", destination.id ?? "", NODE_ID_BYTES), 1 + name.length);
  }
  if ((flags & PACKET_TO_BOOT) !== 0) {
    data.set(
      idBytes("A boot id", destination.bootId ?? "", BOOT_ID_BYTES),
      1 + name.length + NODE_ID_BYTES,
    );
  }
  return data;
}
