import { type AddressedUpdate, batchedBytes, unpackUpdates } from "./_update_batch.ts";
import type { SharedState } from "./shared_state.ts";

/** Updates of the host that are sent in one turn of the event loop. */
const updatesPerTurn = 64;

/** Options of {@linkcode UpdateInbox}. */
export interface UpdateInboxOptions {
  shared: SharedState;
  /** Whether the socket takes more now. */
  hasRoom: () => boolean;
  send: (update: AddressedUpdate) => void;
  /** Runs an action of a later turn and takes care of what it throws. */
  guard: (action: () => void) => void;
}

/**
 * Updates of the host that wait for the engine. Some are sent in each turn, then the socket has its own:
 * a flood of the host must not keep this thread from answering pings. What waits keeps its credit, so
 * that the host feels it (RULES 15).
 */
export class UpdateInbox {
  readonly #options: UpdateInboxOptions;
  readonly #waiting: AddressedUpdate[] = [];
  #head = 0;

  constructor(options: UpdateInboxOptions) {
    this.#options = options;
  }

  /** Takes a batch; the first of it is sent before this returns. */
  add(buffer: ArrayBuffer): void {
    const wasIdle = this.#waiting.length === 0;
    for (const update of unpackUpdates(buffer)) this.#waiting.push(update);
    if (wasIdle) this.#pump();
  }

  #pump(): void {
    const { shared, hasRoom, send, guard } = this.#options;
    for (let left = updatesPerTurn; left > 0 && hasRoom(); left--) {
      const update = this.#waiting[this.#head++];
      if (update === undefined) {
        this.#waiting.length = 0;
        this.#head = 0;
        return;
      }
      shared.giveCredit("toWorker", batchedBytes(update));
      send(update);
    }
    setImmediate(() => guard(() => this.#pump()));
  }
}
