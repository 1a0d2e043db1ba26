import { type EngineEvent, type EngineReport, maxUpdateBytesUnderWay } from "./_engine_protocol.ts";
import { type AddressedUpdate, batchedBytes, packUpdates } from "./_update_batch.ts";
import type { SharedState } from "./shared_state.ts";
import type { MemberView, SwimEvent } from "./swim_types.ts";

/** Events under way to the host, at most. */
const maxEventsUnderWay = 4_096;

/**
 * What the engine has to tell its host: collected until the end of the turn, handed over at once, and
 * bounded, because a blocked host takes nothing. Updates beyond the bound are dropped and mark the
 * summary *dropped*; after events were dropped the host gets the whole table (RULES 15).
 */
export class ReportQueue {
  updatesDropped = 0;
  eventsDropped = 0;
  readonly #shared: SharedState;
  readonly #report: (report: EngineReport, transfer?: ArrayBuffer[]) => void;
  #events: EngineEvent[] = [];
  #updates: AddressedUpdate[] = [];
  #scheduled = false;
  #lost = 0;

  constructor(
    shared: SharedState,
    report: (report: EngineReport, transfer?: ArrayBuffer[]) => void,
  ) {
    this.#shared = shared;
    this.#report = report;
  }

  add(event: SwimEvent): void {
    if (event.type !== "update") {
      this.#addEvent(event);
      return;
    }
    const update = { ids: [event.from], bytes: event.bytes };
    if (!this.#shared.takeCredit("toMain", batchedBytes(update), maxUpdateBytesUnderWay)) {
      this.updatesDropped += 1;
      this.#shared.markDropped();
      return;
    }
    this.#updates.push(update);
    this.#schedule();
  }

  /** Hands over what waits. */
  flush(): void {
    this.#scheduled = false;
    if (this.#events.length > 0) this.#report({ type: "events", events: this.#events });
    this.#events = [];
    if (this.#updates.length > 0) {
      const buffer = packUpdates(this.#updates);
      this.#updates = [];
      this.#report({ type: "updates", buffer }, [buffer]);
    }
  }

  /** After events were lost: the whole table, as soon as the host takes events again. */
  recover(members: () => MemberView[]): void {
    if (this.#lost === 0 || this.#shared.underWay("events") > maxEventsUnderWay / 2) return;
    this.flush();
    this.#report({ type: "table", members: members(), lost: this.#lost });
    this.#lost = 0;
  }

  #addEvent(event: EngineEvent): void {
    if (this.#lost > 0 || !this.#shared.takeCredit("events", 1, maxEventsUnderWay)) {
      this.eventsDropped += 1;
      // The next summary comes anyway; after anything else the host needs the table.
      if (event.type !== "summary") this.#lost += 1;
      return;
    }
    this.#events.push(event);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }
}
