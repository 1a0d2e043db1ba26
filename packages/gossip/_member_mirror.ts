import type { EngineEvent } from "./_engine_protocol.ts";
import { EventHub, Listeners } from "./_event_hub.ts";
import type { GossipEvent, GossipNotice } from "./gossip_events.ts";
import type { MemberView, SummaryEvent } from "./swim_types.ts";

/** The engine's member table as the host's thread last heard of it, and everybody who listens to it. */
export class MemberMirror {
  readonly events: EventHub<GossipEvent>;
  readonly notices: Listeners<GossipNotice>;
  readonly summaries: Listeners<SummaryEvent>;
  readonly #members = new Map<string, MemberView>();
  readonly #selfId: string;

  /** @param selfId id of this node */
  constructor(eventBuffer: number, selfId: string, onListenerError: (error: unknown) => void) {
    this.#selfId = selfId;
    this.events = new EventHub<GossipEvent>({
      bound: eventBuffer,
      lost: (count) => ({ type: "lost", count, member: this.self }),
      onListenerError,
    });
    this.notices = new Listeners(onListenerError);
    this.summaries = new Listeners(onListenerError);
  }

  /** This node, from the start on. */
  get self(): MemberView {
    const self = this.#members.get(this.#selfId);
    if (self === undefined) throw new Error("Cannot tell: the node has not been started");
    return self;
  }

  all(): MemberView[] {
    return [...this.#members.values()];
  }

  get(id: string): MemberView | undefined {
    return this.#members.get(id);
  }

  /** Takes over the table as it was at the start; events may have come before it. */
  begin(members: readonly MemberView[]): void {
    for (const member of members) {
      if (!this.#members.has(member.id)) this.#members.set(member.id, member);
    }
  }

  /** Takes over the whole table after events were lost. */
  recover(members: readonly MemberView[], lost: number): void {
    this.#members.clear();
    for (const member of members) this.#members.set(member.id, member);
    this.events.emit({ type: "lost", count: lost, member: this.self });
  }

  /** The engine is gone: the last event. */
  fail(error: Error): void {
    const member = this.#members.get(this.#selfId);
    if (member !== undefined) this.events.emit({ type: "failed", error, member });
  }

  /** Takes an event of the engine over and passes it on. */
  apply(event: EngineEvent): void {
    switch (event.type) {
      case "summary":
        if (event.rttMs !== undefined) this.#measure(event.from, event.rttMs);
        this.summaries.emit(event);
        break;
      case "refused":
      case "seed":
        this.notices.emit(event);
        break;
      case "ended":
        break;
      case "joined":
      case "forgotten-self":
      case "exhausted":
      case "copy":
        this.events.emit({ ...event, type: event.type, member: this.self });
        break;
      default: {
        const { id } = event.member;
        if (event.type === "removed") this.#members.delete(id);
        else this.#members.set(id, event.member);
        this.events.emit(event);
      }
    }
  }

  /** Smooths round trips as TCP does (RFC 6298): a new one counts an eighth. */
  #measure(id: string, rttMs: number): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    const rtt = member.rttMs === undefined ? rttMs : member.rttMs + (rttMs - member.rttMs) / 8;
    this.#members.set(id, { ...member, rttMs: rtt });
  }
}
