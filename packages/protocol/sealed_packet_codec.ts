import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, type KeyObject, randomFillSync } from "node:crypto";
import { decodeBody, decodePlain, encodeBody } from "./_packet_body.ts";
import { DecodeError } from "./decode_error.ts";
import { type Keyring } from "./keyring.ts";
import { PROTOCOL_VERSION } from "./limits.ts";
import {
  encodePacket,
  type OutgoingEnvelope,
  type PacketCodec,
  type PacketOptions,
} from "./packet.ts";
import type { Packet, PacketReceiver } from "./received_packet.ts";
import {
  additionalData,
  clusterTag,
  destinationFlags,
  NONCE_BYTES,
  NONCE_OFFSET,
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
import { ReplayGuard } from "./replay_window.ts";

/**
 * Whether unsealed packets are taken.
 *
 * - `required`: never; everything sent is sealed.
 * - `permissive`: they are, while a running cluster is being switched over node by node. What is sent is
 *   sealed for peers that can open it (they sealed a packet to us, or their plain packets name a key of
 *   ours) and plain for all others; to an address where the peer is not known, turn about.
 */
export type SealingMode = "required" | "permissive";

/** Options of a {@linkcode SealedPacketCodec}. */
export interface SealedPacketCodecOptions {
  readonly keyring: Keyring;

  /** Default: `required`. */
  readonly mode?: SealingMode;

  /** Node ids whose packets are told from replays, and peers whose keys are kept. Default: 8,192. */
  readonly maxSenders?: number;
}

const ALGORITHM = "aes-256-gcm";
const TAG = { authTagLength: PACKET_TAG_BYTES };
const RANDOM_WORDS = 256;

/**
 * Seals packets with AES-256-GCM and opens them (RULES 13).
 *
 * Every process seals under a key of its own, derived from the ring key, its node id and its boot id,
 * with a counter as nonce; the counter is the replay window at the other side. Make one codec for each
 * node id and boot id, and never two with the same: a nonce used twice gives the key away. A rotation is
 * {@linkcode SealedPacketCodec.setKeyring} on the same codec.
 */
export class SealedPacketCodec implements PacketCodec {
  readonly #receiver: PacketReceiver;
  #mode: SealingMode;
  readonly #clusterTag: number;
  readonly #maxSenders: number;
  readonly #replays: ReplayGuard;

  /** Keys of senders whose packets were authentic, by key id, node id and boot id; oldest first. */
  readonly #openers = new Map<string, KeyObject>();

  /**
   * Peers (node id and boot id) that can open what we seal; oldest first. `true` if a sealed packet of
   * theirs said so, `false` if only a plain one did, which anybody can forge.
   */
  readonly #canOpen = new Map<string, boolean>();

  readonly #random = new Uint32Array(RANDOM_WORDS);
  #randomLeft = 0;
  #keyring: Keyring;
  #sealer: KeyObject;
  #counter = 0;

  /** @param receiver this node, and its process */
  constructor(receiver: PacketReceiver, options: SealedPacketCodecOptions) {
    this.#receiver = receiver;
    this.#mode = options.mode ?? "required";
    this.#clusterTag = clusterTag(receiver.cluster);
    this.#maxSenders = options.maxSenders ?? 8192;
    this.#replays = new ReplayGuard(this.#maxSenders);
    this.#keyring = options.keyring;
    this.#sealer = this.#sealerOf(options.keyring);
  }

  /** The keys in use. */
  get keyring(): Keyring {
    return this.#keyring;
  }

  /**
   * Puts other keys in place: a step of a rotation. Counters and replay windows go on.
   *
   * @param mode the last step of switching a cluster over: `required`. Default: as it was
   */
  setKeyring(keyring: Keyring, mode: SealingMode = this.#mode): void {
    this.#mode = mode;
    this.#sealer = this.#sealerOf(keyring);
    this.#keyring = keyring;
    this.#openers.clear();
  }

  #sealerOf(keyring: Keyring): KeyObject {
    const { id, bootId } = this.#receiver;
    const key = keyring.packetKey(keyring.sealingId, id, bootId);
    if (key === undefined) throw new RangeError("A keyring needs at least one key");
    return key;
  }

  #nextRandom(): number {
    if (this.#randomLeft === 0) {
      randomFillSync(this.#random);
      this.#randomLeft = RANDOM_WORDS;
    }
    return this.#random[--this.#randomLeft] ?? 0;
  }

  #seals(destination: PacketDestination): boolean {
    if (this.#mode === "required") return true;
    if (destination.id === undefined || destination.bootId === undefined) {
      return this.#counter % 2 === 1;
    }
    return this.#canOpen.has(destination.id + destination.bootId);
  }

  encode(envelope: OutgoingEnvelope, options: PacketOptions = {}): Uint8Array {
    const { id, bootId, cluster } = this.#receiver;
    if (envelope.senderId !== id || envelope.cluster !== cluster) {
      throw new TypeError(
        "Cannot seal a packet of another node or cluster: the key is this node's",
      );
    }
    const destination = options.destination ?? {};
    const keyId = this.#keyring.sealingId;
    const random = this.#nextRandom();
    if (!this.#seals(destination)) {
      return encodePacket(envelope, {
        ...options,
        bootId,
        counter: this.#counter++,
        random,
        keyId,
      });
    }
    const flags = destinationFlags(destination);
    const body = encodeBody(envelope, options.padToBytes);
    const more = additionalData(cluster, flags, destination);
    const packet = new Uint8Array(PACKET_OVERHEAD_BYTES + body.length);
    const header: PacketHeader = {
      version: PROTOCOL_VERSION,
      flags: flags | PACKET_SEALED,
      clusterTag: this.#clusterTag,
      keyId,
      senderId: id,
      bootId,
      counter: this.#counter++, // counted before anything can fail: no nonce is used twice
    };
    writePacketHeader(packet, header, random);
    const nonce = packet.subarray(NONCE_OFFSET, NONCE_OFFSET + NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#sealer, nonce, TAG);
    cipher.setAAD(Buffer.concat([packet.subarray(0, PACKET_HEADER_BYTES), more]));
    packet.set(cipher.update(body), PACKET_HEADER_BYTES);
    cipher.final(); // gives nothing: a stream cipher has no last block
    packet.set(cipher.getAuthTag(), PACKET_HEADER_BYTES + body.length);
    return packet;
  }

  /**
   * Reads a datagram.
   *
   * @throws {DecodeError} and nothing else: `malformed`, `too-large`, `wrong-version`, `wrong-cluster`,
   *   `wrong-key`, `unsealed`, `bad-tag`, `replay`
   */
  decode(bytes: Uint8Array): Packet {
    const header = readPacketHeader(bytes);
    if (header.clusterTag !== this.#clusterTag) {
      throw new DecodeError("wrong-cluster", "Cannot read a packet of another cluster");
    }
    const peer = header.senderId + header.bootId;
    if ((header.flags & PACKET_SEALED) === 0) {
      if (this.#mode === "required") {
        throw new DecodeError("unsealed", "Cannot take an unsealed packet: sealing is required");
      }
      const packet = decodePlain(bytes, header, this.#receiver);
      if (this.#canOpen.get(peer) !== true) {
        if (this.#keyring.has(header.keyId)) this.#remember(this.#canOpen, peer, false);
        else this.#canOpen.delete(peer);
      }
      return packet;
    }
    const body = this.#open(bytes, header, peer);
    const { senderId, bootId, counter, flags } = header;
    if (!this.#replays.isNew(senderId, bootId, counter)) this.#refuseReplay();
    const envelope = decodeBody(body, header, this.#receiver.cluster);
    if (!this.#replays.accept(senderId, bootId, envelope.generation, counter)) {
      this.#refuseReplay();
    }
    if (this.#mode === "permissive") this.#remember(this.#canOpen, peer, true);
    return { header, envelope, addressed: (flags & PACKET_TO_BOOT) !== 0, sealed: true };
  }

  #refuseReplay(): never {
    throw new DecodeError("replay", "Cannot take a packet: it was here before, or is too old");
  }

  #open(bytes: Uint8Array, header: PacketHeader, peer: string): Buffer {
    const name = header.keyId + peer;
    const kept = this.#openers.get(name);
    const key = kept ?? this.#keyring.packetKey(header.keyId, header.senderId, header.bootId);
    if (key === undefined) {
      throw new DecodeError("wrong-key", `Cannot open a packet: key ${header.keyId} is not ours`);
    }
    const more = additionalData(this.#receiver.cluster, header.flags, this.#receiver);
    const bodyEnd = bytes.length - PACKET_TAG_BYTES;
    const nonce = bytes.subarray(NONCE_OFFSET, NONCE_OFFSET + NONCE_BYTES);
    const decipher = createDecipheriv(ALGORITHM, key, nonce, TAG);
    decipher.setAAD(Buffer.concat([bytes.subarray(0, PACKET_HEADER_BYTES), more]));
    decipher.setAuthTag(bytes.subarray(bodyEnd));
    const body = decipher.update(bytes.subarray(PACKET_HEADER_BYTES, bodyEnd));
    try {
      decipher.final();
    } catch {
      throw new DecodeError(
        "bad-tag",
        "Cannot open a packet: forged, damaged, or not for this node",
      );
    }
    if (kept === undefined) this.#remember(this.#openers, name, key);
    return body;
  }

  #remember<Value>(map: Map<string, Value>, name: string, value: Value): void {
    map.delete(name);
    map.set(name, value);
    if (map.size <= this.#maxSenders) return;
    for (const oldest of map.keys()) {
      map.delete(oldest);
      return;
    }
  }
}
