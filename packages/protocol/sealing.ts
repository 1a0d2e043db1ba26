/**
 * Sealing of packets for clusters with keys; needs `node:crypto`.
 *
 * @module
 */
export * from "./keyring.ts";
export * from "./replay_window.ts";
export * from "./sealed_packet_codec.ts";
