import { type Envelope, PROTOCOL_VERSION, PROTOCOL_VERSION_MIN } from "@dnd/protocol";
import type { Caller } from "./swim_caller.ts";
import type { Caution } from "./swim_caution.ts";
import type { Claims } from "./swim_claims.ts";
import type { SwimContext } from "./swim_context.ts";
import type { Exchanger } from "./swim_exchanger.ts";
import type { MemberRecord } from "./swim_members.ts";
import type { Prober } from "./swim_prober.ts";
import type { Relays } from "./swim_relays.ts";
import type { SelfClaims } from "./swim_self_claims.ts";
import { isUp } from "./swim_transition.ts";
import type { Source } from "./swim_types.ts";

/** Who hears what is in a packet. */
export interface ReceiverParts {
  readonly caution: Caution;
  readonly claims: Claims;
  readonly self: SelfClaims;
  readonly prober: Prober;
  readonly relays: Relays;
  readonly exchanger: Exchanger;
  readonly caller: Caller;
}

/** What becomes of a packet: whether it is for us, what it says of members, who sent it, its message. */
export class Receiver {
  #context: SwimContext;
  #parts: ReceiverParts;

  constructor(context: SwimContext, parts: ReceiverParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** A packet that passed authentication. */
  receive(envelope: Envelope, from: Source): void {
    const { phase } = this.#context;
    if (phase !== "running" && phase !== "ending") return;
    if (this.#isForUs(envelope, from)) this.#receive(envelope, from);
  }

  #isForUs(envelope: Envelope, from: Source): boolean {
    const { counters, cluster, self } = this.#context;
    if (envelope.cluster !== cluster) {
      counters.wrongCluster += 1;
      return false;
    }
    const { protocolVersion } = envelope;
    if (protocolVersion < PROTOCOL_VERSION_MIN || protocolVersion > PROTOCOL_VERSION) {
      counters.wrongVersion += 1;
      return false;
    }
    if (envelope.senderId.length !== 32 || from.bootId.length !== 16 || from.address === "") {
      counters.malformed += 1;
      return false;
    }
    if (envelope.senderId === self.id) {
      if (from.bootId !== self.member.bootId && envelope.generation >= self.member.generation) {
        this.#parts.self.copy(from.bootId, envelope.generation);
      }
      return false;
    }
    return true;
  }

  #receive(envelope: Envelope, from: Source): void {
    const { message } = envelope;
    if (!from.directed) {
      // It may be a recording: answered, and nothing more (RULES 13).
      if (message?.type === "ping") this.#parts.prober.handlePing(message, envelope, from);
      else this.#context.counters.undirectedDropped += 1;
      return;
    }
    for (const claim of envelope.members) {
      this.#parts.claims.apply(claim, envelope.senderId, "packet");
      if (this.#context.phase === "silent") return;
    }
    const known = this.#hear(envelope, from);
    switch (message?.type) {
      case "ping":
        this.#parts.prober.handlePing(message, envelope, from);
        if (known !== undefined && message.summary !== undefined) {
          const { wall, senderId } = envelope;
          const { summary } = message;
          this.#context.notify({ type: "summary", from: senderId, summary, wall });
        }
        break;
      case "ack":
        this.#parts.prober.handleAck(message, envelope);
        break;
      case "pingRequest":
        this.#parts.relays.handlePingRequest(message, envelope, from);
        break;
      case "nack":
        this.#parts.prober.handleNack(message, envelope);
        break;
      case "refusal": {
        const { code, detail } = message;
        this.#context.notify({ type: "refused", address: from.address, code, detail });
        break;
      }
      case undefined:
        break;
    }
    if (known === undefined) {
      this.#context.counters.updatesDropped += envelope.updates.length;
      return;
    }
    for (const bytes of envelope.updates) {
      this.#context.notify({ type: "update", from: envelope.senderId, bytes });
    }
  }

  /** Who sent a packet that was made for us lives, whatever is said of it. */
  #hear(envelope: Envelope, from: Source): MemberRecord | undefined {
    const context = this.#context;
    const { senderId, generation } = envelope;
    const record = context.table.get(senderId);
    const held = record?.member;
    if (record === undefined || held === undefined || generation > held.generation) {
      context.counters.unknownSender += 1;
      const { address, bootId } = from;
      this.#parts.exchanger.stranger({ id: senderId, address, generation, bootId });
      if (record !== undefined) record.bootId = bootId;
      return undefined;
    }
    if (generation < held.generation) return undefined;
    record.bootId = from.bootId;
    record.lastHeardAt = Math.floor(context.now);
    this.#parts.caution.heard();
    if (!isUp(held.state)) return undefined;
    this.#parts.caller.heard();
    this.#parts.exchanger.handleView(record, envelope.view);
    const { message } = envelope;
    if ((message?.type === "ping" || message?.type === "ack") && message.summary !== undefined) {
      this.#parts.claims.setSeen(record, message.summary.seen);
    }
    return record;
  }
}
