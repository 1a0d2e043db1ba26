/**
 * The wire protocol of dnd: messages, encode and decode with limits, packets, frames.
 *
 * ```ts
 * import { encodeFrame, FrameDecoder } from "@dnd/protocol";
 *
 * const decoder = new FrameDecoder();
 * for (const { body } of decoder.push(encodeFrame({ type: "want", sequence: 1, keys: ["user/1"] }))) {
 *   if (body?.type === "want") body.keys[0]; // "user/1"
 * }
 * ```
 *
 * @module
 */
export * from "./messages.ts";
export * from "./limits.ts";
export * from "./decode_error.ts";
export * from "./encode.ts";
export * from "./decode.ts";
export * from "./crc32.ts";
export * from "./packet_header.ts";
export * from "./packet.ts";
export * from "./received_packet.ts";
export * from "./frame.ts";
export * from "./version_node.ts";
