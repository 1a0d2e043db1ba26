import type { Envelope } from "./messages.ts";
import type { PacketHeader } from "./packet_header.ts";

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
