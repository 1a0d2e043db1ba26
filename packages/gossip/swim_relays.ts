import type { Ack, Envelope, PingRequest } from "@dnd/protocol";
import type { SwimContext } from "./swim_context.ts";
import type { Pinger } from "./swim_pinger.ts";
import type { Destination, Source } from "./swim_types.ts";

/** A ping on behalf of somebody else. */
interface Relay {
  readonly target: string;
  readonly asker: Destination;

  /** Of the asker. */
  readonly sequence: number;
  readonly timer: number;
}

const maxRelays = 256;

/** Indirect probes, seen from the one that is asked (SWIM 3.1), with nacks (Lifeguard IV.A). */
export class Relays {
  #context: SwimContext;
  #pinger: Pinger;
  #waiting: Map<number, Relay> = new Map();

  constructor(context: SwimContext, pinger: Pinger) {
    this.#context = context;
    this.#pinger = pinger;
  }

  /** Answers that are waited for. */
  get size(): number {
    return this.#waiting.size;
  }

  /** A member asks us to probe another one. */
  handlePingRequest(request: PingRequest, envelope: Envelope, from: Source): void {
    const context = this.#context;
    const asker = context.table.get(envelope.senderId);
    const known = context.table.get(request.target);
    const address = known?.member.address ?? request.address;
    if (asker === undefined || this.#waiting.size >= maxRelays || !isAddress(address)) {
      context.counters.relaysRefused += 1;
      return;
    }
    if (request.target.length !== 32 || request.target === context.self.id) return;
    const to = known === undefined ? { address, id: request.target } : context.destination(known);
    const back = { address: from.address, id: asker.id, bootId: from.bootId };
    const sequence = context.nextSequence();
    const timer = context.schedule(this.#pinger.timeout(known), () => {
      if (!this.#waiting.delete(sequence) || !request.nack) return;
      const nack = { sequence: request.sequence, target: request.target };
      context.send(back, { type: "nack", ...nack });
    });
    const { target } = request;
    this.#waiting.set(sequence, { target, asker: back, sequence: request.sequence, timer });
    this.#pinger.ping(to, sequence);
  }

  /** @returns whether the ack answers one of these */
  handleAck(ack: Ack, sender: string): boolean {
    const relay = this.#waiting.get(ack.sequence);
    if (relay === undefined) return false;
    if (sender !== relay.target) return true;
    this.#waiting.delete(ack.sequence);
    this.#context.cancel(relay.timer);
    const { sequence, target } = relay;
    this.#context.send(relay.asker, { type: "ack", sequence, target });
    return true;
  }
}

function isAddress(address: string): boolean {
  return address !== "" && address.length <= 255;
}
