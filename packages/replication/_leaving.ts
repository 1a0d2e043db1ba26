import type { Context } from "./_context.ts";
import { isReachable, notify } from "./_context.ts";
import type { SessionView } from "./_exchange_host.ts";
import type { Exchanges } from "./_exchanges.ts";
import type { Promises } from "./_promises.ts";

/** Leaving (rule 2): one full exchange with a ready member first; it fails loudly otherwise. */
export class Leaving {
  readonly #context: Context;
  readonly #parts: { readonly promises: Promises; readonly exchanges: Exchanges };
  #isUnderWay = false;

  constructor(
    context: Context,
    parts: { readonly promises: Promises; readonly exchanges: Exchanges },
  ) {
    this.#context = context;
    this.#parts = parts;
  }

  start(now: number): void {
    const { table, peers, options } = this.#context;
    if (table.others().length === 0) {
      this.#failed("no other member is known to hand the data over to");
      return;
    }
    this.#isUnderWay = true;
    let asked = 0;
    for (const peer of peers.values()) {
      if (!isReachable(peer) || !peer.ready) continue;
      asked += 1;
      this.#parts.exchanges.request(peer.id, "leave", now);
    }
    if (asked === 0) this.#failed("no ready member can be reached");
    this.#context.emit({ type: "schedule", token: "leave", delayMs: options.sessionMs });
  }

  /** An exchange was complete. */
  handleComplete(session: SessionView, peerReady: boolean, now: number): void {
    if (!this.#isUnderWay || session.reason !== "leave" || session.role !== "opener") return;
    if (peerReady) this.#left(now);
  }

  handleTimer(): void {
    if (this.#isUnderWay) this.#failed("no exchange with a ready member was complete in time");
  }

  #left(now: number): void {
    this.#isUnderWay = false;
    this.#parts.promises.setReady({ ready: false }, now); // who comes back after leaving enters anew
    notify(this.#context, { type: "left", departed: this.#context.map.clock({ now }) });
  }

  #failed(detail: string): void {
    this.#isUnderWay = false;
    notify(this.#context, { type: "leave-failed", detail });
  }
}
