/** The version in every packet header and hello. A major: see RULES 14. */
export const PROTOCOL_VERSION = 1;

/** The oldest version this one still speaks. */
export const PROTOCOL_VERSION_MIN = 1;

/** Bytes of UDP payload that a packet has at most by default (RULES 13); 1,200 in profile `wan`. */
export const DEFAULT_MAX_DATAGRAM_BYTES = 1352;

/** Bytes of a datagram that a decoder looks at: what UDP over IPv4 can carry. */
export const MAX_DATAGRAM_BYTES = 65_507;

/** Bytes of one frame of a peer stream, without its length. */
export const MAX_FRAME_BYTES: number = 256 * 1024;

/** Bytes of a key. */
export const MAX_KEY_BYTES = 1024;

/** Bytes of a value that every replica must take (RULES 4): a constant of the protocol. */
export const MAX_VALUE_BYTES: number = 16 * 1024 * 1024;

/** Bytes of a content type. */
export const MAX_CONTENT_TYPE_BYTES = 255;

/** Bytes of a cluster name, and of a label. */
export const MAX_NAME_BYTES = 64;

/** Bytes of metadata of a member. */
export const MAX_METADATA_BYTES = 512;

/**
 * Bytes of fields of the future in one entry: with key and type it must always fit into one frame, or
 * nobody could pass it on.
 */
export const MAX_ENTRY_EXTRA_BYTES: number = 16 * 1024;

/** Bytes of fields of the future in one member: it must fit into one packet. */
export const MAX_MEMBER_EXTRA_BYTES = 512;

/** Bytes of a node id; 32 hex digits in memory. */
export const NODE_ID_BYTES = 16;

/** Bytes of a boot id; 16 hex digits in memory. */
export const BOOT_ID_BYTES = 8;

/** Bytes of a content hash, a fingerprint, a digest. */
export const HASH_BYTES = 8;

/** Times the size of the input that a decoded message takes at most in memory. */
export const MEMORY_FACTOR = 16;
