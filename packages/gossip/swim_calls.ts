import type { Ack, Member } from "@dnd/protocol";
import type { SwimContext } from "./swim_context.ts";
import type { MemberRecord } from "./swim_members.ts";
import type { Pinger } from "./swim_pinger.ts";
import type { Destination } from "./swim_types.ts";

/** A ping outside the rounds. */
interface Call {
  /** Id that is to answer; `""` = whoever is there. */
  readonly target: string;
  readonly timer: number;
  readonly answered: (id: string) => void;
}

/** What becomes of a call. */
export interface CallOptions {
  /** Told who answered. */
  readonly answered?: (id: string) => void;

  /** Told that nobody did in time. */
  readonly silent?: () => void;

  /** Claims that go with it. */
  readonly claims?: readonly Member[];
}

const maxCalls = 256;

/** Pings outside the rounds: to seeds, to the dead, and to members that are to hear or say something. */
export class Calls {
  #context: SwimContext;
  #pinger: Pinger;
  #waiting: Map<number, Call> = new Map();

  constructor(context: SwimContext, pinger: Pinger) {
    this.#context = context;
    this.#pinger = pinger;
  }

  /** Answers that are waited for. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Pings an address. Does nothing when too many calls wait already. */
  call(to: Destination, options: CallOptions = {}): void {
    const context = this.#context;
    if (this.#waiting.size >= maxCalls) return;
    const { answered = nothing, silent = nothing, claims } = options;
    const sequence = context.nextSequence();
    const timer = context.schedule(2 * context.timing.probeTimeoutMs, () => {
      this.#waiting.delete(sequence);
      silent();
    });
    this.#waiting.set(sequence, { target: to.id ?? "", timer, answered });
    this.#pinger.ping(to, sequence, claims);
  }

  /** Pings a member for what its answer says beside that it lives. */
  look(record: MemberRecord): void {
    this.call(this.#context.destination(record), { claims: this.#pinger.claimsFor(record) });
  }

  /** @returns whether the ack answers one of these */
  handleAck(ack: Ack, sender: string): boolean {
    const call = this.#waiting.get(ack.sequence);
    if (call === undefined) return false;
    if (call.target !== "" && sender !== call.target) return true;
    this.#waiting.delete(ack.sequence);
    this.#context.cancel(call.timer);
    call.answered(sender);
    return true;
  }
}

function nothing(): void {}
