/**
 * Sealing of packets for clusters with keys; needs `node:crypto`.
 *
 * ```ts
 * import { Keyring, SealedPacketCodec } from "@dnd/protocol/sealing";
 *
 * const keyring = Keyring.parse("q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=");
 * const a = { cluster: "dnd", id: "aa".repeat(16), bootId: "11".repeat(8) };
 * const b = { cluster: "dnd", id: "bb".repeat(16), bootId: "22".repeat(8) };
 * const packet = new SealedPacketCodec(a, { keyring }).encode(
 *   { cluster: "dnd", senderId: a.id, message: { type: "ping", sequence: 1 } },
 *   { destination: b },
 * );
 * new SealedPacketCodec(b, { keyring }).decode(packet).sealed; // true
 * ```
 *
 * @module
 */
export * from "./keyring.ts";
export * from "./replay_window.ts";
export * from "./sealed_packet_codec.ts";
