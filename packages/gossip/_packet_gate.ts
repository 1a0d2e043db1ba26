import {
  DecodeError,
  type DecodeErrorCode,
  type Envelope,
  type PacketCodec,
  type PacketReceiver,
  PlainPacketCodec,
} from "@dnd/protocol";
import { Keyring, SealedPacketCodec } from "@dnd/protocol/sealing";
import { monotonicMs } from "./_monotonic.ts";
import { PacketBudget } from "./_packet_budget.ts";
import type { Destination } from "./swim_types.ts";

/** Packets that were made, taken, and dropped without an answer, the latter by reason. */
export interface PacketCounters {
  made: number;
  taken: number;
  /** Of those taken, how many were sealed. */
  takenSealed: number;
  dropped: Partial<Record<DropReason, number>>;
}

/** Why a packet was dropped: what the codec says, or too many of one sender. */
export type DropReason = DecodeErrorCode | "flood";

/** A packet that passed. */
export interface OpenedPacket {
  envelope: Envelope;
  bootId: string;
  /** It was made for this node and this boot. */
  directed: boolean;
}

/** Told of each packet that was dropped, after it was counted. */
export type OnDropped = (code: DropReason, from: string, detail: string) => void;

/**
 * What stands between the socket and the protocol: seals what goes out, and lets in only what is whole,
 * of this cluster, of a version this node speaks and, with keys, authentic and new (RULES 13). The rest is
 * dropped without an answer, each reason under a counter of its own.
 */
export class PacketGate {
  readonly #self: PacketReceiver;
  readonly #onDropped: OnDropped;
  readonly #counters: PacketCounters = { made: 0, taken: 0, takenSealed: 0, dropped: {} };
  readonly #budget: PacketBudget;
  #codec: PacketCodec;
  #sealed: SealedPacketCodec | undefined;

  /** @param self this node: `id`, `bootId`, `cluster`, and how many packets a second it reads of one sender */
  constructor(self: PacketReceiver & { packetsPerSecond: number }, onDropped: OnDropped) {
    this.#self = self;
    this.#budget = new PacketBudget(self.packetsPerSecond);
    this.#onDropped = onDropped;
    this.#codec = new PlainPacketCodec(self);
  }

  get counters(): PacketCounters {
    return { ...this.#counters, dropped: { ...this.#counters.dropped } };
  }

  /**
   * Puts other keys in place. There is one sealing codec for the life of the process, because two would
   * use the same nonces.
   *
   * @param keys none = plain, only before any were set
   */
  setKeys(keys: readonly Uint8Array[], permissive: boolean): void {
    if (keys.length === 0) {
      if (this.#sealed === undefined) return;
      throw new RangeError("Cannot take all keys away from a running node: it would be open");
    }
    const keyring = new Keyring(keys);
    const mode = permissive ? "permissive" : "required";
    if (this.#sealed === undefined)
      this.#sealed = new SealedPacketCodec(this.#self, { keyring, mode });
    else this.#sealed.setKeyring(keyring, mode);
    this.#codec = this.#sealed;
  }

  /** @returns the datagram */
  seal(envelope: Envelope, to: Destination): Uint8Array {
    this.#counters.made += 1;
    return this.#codec.encode(envelope, { destination: to });
  }

  /** @returns undefined when it was dropped; nothing is ever answered then */
  open(bytes: Uint8Array, from: string): OpenedPacket | undefined {
    if (!this.#budget.take(from, monotonicMs())) {
      this.#drop("flood", from, "more packets a second than are read of one sender");
      return undefined;
    }
    try {
      const { envelope, header, addressed, sealed } = this.#codec.decode(bytes);
      this.#counters.taken += 1;
      if (sealed) this.#counters.takenSealed += 1;
      return { envelope, bootId: header.bootId, directed: addressed };
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#drop(error.code, from, error.message);
      return undefined;
    }
  }

  #drop(code: DropReason, from: string, detail: string): void {
    this.#counters.dropped[code] = (this.#counters.dropped[code] ?? 0) + 1;
    this.#onDropped(code, from, detail);
  }
}
