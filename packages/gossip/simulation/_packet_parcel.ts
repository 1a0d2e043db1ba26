import {
  DecodeError,
  type Envelope,
  type Member,
  type MemberPage,
  PACKET_OVERHEAD_BYTES,
} from "@dnd/protocol";
import { envelopeBytes, pageMemberBytes } from "../swim_size.ts";
import type { Destination } from "../swim_types.ts";
import type { Parcel } from "./parcel.ts";

/** A packet that was not encoded: its envelope, and what header and checksum would say. */
export class PacketParcel implements Parcel {
  readonly content: Envelope;
  readonly length: number;
  readonly bootId: string;
  readonly to: Destination;

  /** @param bootId of the sender */
  constructor(envelope: Envelope, to: Destination, bootId: string) {
    this.content = envelope;
    this.length = PACKET_OVERHEAD_BYTES + envelopeBytes(envelope);
    this.bootId = bootId;
    this.to = to;
  }

  /**
   * Checks what `decodePacket` would.
   *
   * @returns whether it was made for this process
   * @throws {DecodeError} `wrong-cluster`, `bad-tag`, `malformed`
   */
  open(receiver: {
    readonly cluster: string;
    readonly id: string;
    readonly bootId: string;
  }): boolean {
    const { id, bootId } = this.to;
    if (this.content.cluster !== receiver.cluster) {
      throw new DecodeError("wrong-cluster", "Cannot read a packet of another cluster");
    }
    if (
      (id !== undefined && id !== receiver.id) ||
      (bootId ?? receiver.bootId) !== receiver.bootId
    ) {
      throw new DecodeError("bad-tag", "Cannot read a packet for another process");
    }
    if (bootId === undefined && this.content.message?.type !== "ping") {
      throw new DecodeError("malformed", "Cannot read a packet: to nobody, and not a ping");
    }
    return bootId !== undefined;
  }
}

/** A page of members that was not encoded. */
export class PageParcel implements Parcel {
  readonly content: MemberPage;
  readonly length: number;

  constructor(members: readonly Member[], last: boolean) {
    this.content = { members, last };
    let bytes = last ? 2 : 0;
    for (const member of members) bytes += pageMemberBytes(member);
    this.length = 1 + (bytes < 128 ? 1 : bytes < 16_384 ? 2 : 3) + bytes;
  }
}
