import { maxUpdateBytesUnderWay } from "./_engine_protocol.ts";
import { type AddressedUpdate, batchedBytes, packUpdates } from "./_update_batch.ts";
import type { SharedState } from "./shared_state.ts";

/**
 * Updates of the host on their way to the engine: collected until the end of the running microtasks, then
 * handed over as one buffer, and bounded by byte credits (RULES 15).
 */
export class HostUpdates {
  dropped = 0;
  readonly #shared: SharedState;
  readonly #flush: (buffer: ArrayBuffer) => void;
  #pending: AddressedUpdate[] = [];

  constructor(shared: SharedState, flush: (buffer: ArrayBuffer) => void) {
    this.#shared = shared;
    this.#flush = flush;
  }

  /** @returns false when it was dropped at the bound */
  add(update: AddressedUpdate): boolean {
    if (!this.#shared.takeCredit("toWorker", batchedBytes(update), maxUpdateBytesUnderWay)) {
      this.dropped += 1;
      this.#shared.markDropped();
      return false;
    }
    this.#pending.push(update);
    if (this.#pending.length === 1) queueMicrotask(() => this.#send());
    return true;
  }

  #send(): void {
    const updates = this.#pending;
    this.#pending = [];
    this.#flush(packUpdates(updates));
  }
}
