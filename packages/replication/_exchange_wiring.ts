import type { Entry } from "@dnd/store";
import { msOf, stampOf } from "@dnd/store";
import { isStripped } from "@dnd/store/engine";
import type { ExchangeOpen, Member } from "@dnd/protocol";
import { MEMBER_READY } from "@dnd/protocol";
import type { Backpressure } from "./_backpressure.ts";
import type { Context } from "./_context.ts";
import { notify, promiseLimit } from "./_context.ts";
import type {
  ExchangeHost,
  ExchangeResult,
  ExchangeTerms,
  MergeSummary,
  OwnOpen,
  SessionView,
} from "./_exchange_host.ts";
import { CopyCursor } from "./_copy_cursor.ts";
import { ExchangeError } from "./exchange_error.ts";
import type { Exchanges } from "./_exchanges.ts";
import { believable } from "./_hearsay.ts";
import type { MemberPlace } from "./member_table.ts";
import type { Promises } from "./_promises.ts";
import type { Readiness } from "./_readiness.ts";
import type { ReplicaMap } from "./replica_map.ts";
import type { ResolvedReplicationOptions } from "./replication_options.ts";
import type { Rumors } from "./_rumors.ts";
import type { OutgoingMember, ReplicationFrame } from "./wire.ts";

/** What new entries of an exchange are passed on as rumors: a copy must not flood the cluster. */
const PASS_ON_REASONS = new Set(["difference", "dropped", "healed", "periodic"]);
const PASS_ON_ENTRIES = 16;

/** Members of which an opening says what was heard: they fit into its frame. */
const MAX_HEARD = 4096;

const NOTHING: Uint8Array = new Uint8Array(0);

/** The parts that an exchange touches. */
export interface ExchangeWiringParts {
  readonly rumors: Rumors;
  readonly backpressure: Backpressure;
  readonly promises: Promises;
  readonly readiness: Readiness;
  /** The member table of the membership layer, as it goes out. */
  readonly members: () => readonly OutgoingMember[];
  /** From which stamp on entries are on their way to a peer over its push stream. */
  readonly onWaySince: (peer: string, now: number) => number;
  /** An exchange was complete. */
  readonly onComplete: (session: SessionView, result: ExchangeResult, now: number) => void;
}

/** What a session sees of the node around it: see {@linkcode ExchangeHost}. */
export class ExchangeWiring implements ExchangeHost {
  readonly map: ReplicaMap;
  readonly options: ResolvedReplicationOptions;
  readonly #context: Context;
  readonly #parts: ExchangeWiringParts;
  readonly #seenFor = new Map<string, number>();
  readonly #progress = new Map<number, { bytes: number; percent: number }>();
  readonly #cursor: CopyCursor;
  exchanges: Exchanges | undefined;

  constructor(context: Context, parts: ExchangeWiringParts) {
    this.#context = context;
    this.#parts = parts;
    this.map = context.map;
    this.options = context.options;
    this.#cursor = new CopyCursor(context.map);
  }

  /** Reads what is known from before a restart. */
  load(): void {
    this.#cursor.load();
  }

  get ready(): boolean {
    return this.#parts.readiness.ready;
  }

  get delayMs(): number {
    return this.#context.delayMs;
  }

  send(stream: number, frame: ReplicationFrame): void {
    this.#context.emit({ type: "frame", stream, frame });
  }

  close(stream: number, error?: string): void {
    this.#context.emit({ type: "close-stream", stream, ...(error === undefined ? {} : { error }) });
  }

  wake(stream: number, delayMs: number): void {
    this.#context.emit({ type: "schedule", token: `session:${stream}`, delayMs });
  }

  throttled(): void {
    this.#context.metrics.exchangeThrottled += 1;
  }

  members(): readonly OutgoingMember[] {
    const { table, generation, map } = this.#context;
    const said = new Map(this.#parts.members().map((member) => [member.id, member]));
    const all: OutgoingMember[] = [];
    for (const [id, record] of table.records) {
      const base = said.get(id);
      const place = record.state;
      all.push({
        ...base,
        id,
        generation:
          id === map.node ? generation : Math.max(record.generation, base?.generation ?? 0),
        state: place !== "in" ? place : aliveState(base?.state),
        seen: id === map.node ? table.announcedSeen : record.seen,
        departed: record.departed,
        flags: ((base?.flags ?? 0) & ~MEMBER_READY) | (this.#saysReady(id) ? MEMBER_READY : 0),
      });
    }
    return all;
  }

  mergeMembers(peer: string, said: readonly Member[], now: number): boolean {
    const { table } = this.#context;
    const members = believable(said, peer, this.#context);
    // Before merging: what counts is whom we had forgotten until now.
    const counted = members.filter((member) => placeOf(member.state) === "in").map(({ id }) => id);
    this.#seenFor.set(peer, table.seenFor(counted));
    const wasForgotten = table.records.get(peer);
    let reentered = false;
    for (const member of members) {
      if (member.id === this.map.node) {
        const own = members.find(({ id }) => id === peer)?.generation ?? 0;
        const mutual = wasForgotten?.state === "forgotten" && wasForgotten.generation >= own;
        reentered = this.handleOwnRecord(member, { peer, mutual, now }) || reentered;
        continue;
      }
      table.merge(member.id, {
        state: placeOf(member.state),
        generation: member.generation,
        departed: member.departed,
        seen: member.seen,
        ready: (member.flags & MEMBER_READY) !== 0,
      });
    }
    this.#context.emit({ type: "members", from: peer, members });
    return reentered;
  }

  /**
   * Rule 3: somebody says that this node left or was forgotten. It raises its generation and enters
   * through an exchange. If each of two had forgotten the other, the one with the smaller id stays
   * ready: somebody has to be.
   *
   * @returns whether this node speaks with a new generation now
   */
  handleOwnRecord(
    record: Pick<Member, "state" | "generation">,
    how: { readonly peer: string; readonly mutual: boolean; readonly now: number },
  ): boolean {
    const place = placeOf(record.state);
    const { promises, readiness } = this.#parts;
    if (place === "in" || record.generation < promises.entered) return false;
    const raised = record.generation >= this.#context.generation;
    if (raised) {
      this.#context.generation = record.generation + 1;
      this.#context.table.reenter(this.#context.generation);
      this.#context.emit({ type: "re-enter", generation: record.generation + 1, by: how.peer });
    }
    promises.entered = this.#context.generation;
    if (!how.mutual || this.map.node > how.peer) {
      readiness.handleForgotten(how.now);
      if (how.peer !== "") this.exchanges?.request(how.peer, "returned", how.now);
    }
    promises.persist(how.now);
    return raised;
  }

  opening(peer: string, reason: string, now: number): OwnOpen {
    const { table, map } = this.#context;
    const { valueBytes } = map.statistics();
    const heard: { id: string; time: number }[] = [];
    for (const place of ["in", "left", "forgotten"]) {
      for (const [id, time] of table.announcedHeard) {
        if (heard.length < MAX_HEARD && table.records.get(id)?.state === place)
          heard.push({ id, time });
      }
    }
    return {
      heard,
      seen: table.announcedSeen,
      horizon: map.horizon,
      clock: map.clock({ now }),
      ready: this.ready,
      reason,
      counter: map.counter,
      keys: this.#keys(),
      bytes: valueBytes,
      below: this.#seenFor.get(peer) ?? table.announcedSeen,
      copies: true,
      anchored: this.#parts.promises.anchored,
    };
  }

  copyAfter(session: SessionView): string | undefined {
    if (this.ready || session.reason !== "join" || session.role !== "opener") return undefined;
    return this.#cursor.next({ own: this.#keys(), peer: session.peerOpen?.keys ?? 0 });
  }

  onWaySince(peer: string, now: number): number {
    return this.#parts.onWaySince(peer, now);
  }

  copied(key: string | undefined, bytes: number, now: number): void {
    if (key === undefined) this.#cursor.end(now);
    else this.#cursor.note(key, bytes, now);
  }

  admit(
    session: SessionView,
  ): { readonly code: string; readonly retryAfterMs: number } | undefined {
    const record = this.#context.table.records.get(session.peer);
    if (record !== undefined && record.state !== "in")
      return { code: "forgotten", retryAfterMs: 1000 };
    return this.exchanges?.admit(session);
  }

  settled(
    session: SessionView,
    outcome: { readonly terms: ExchangeTerms; readonly met: boolean },
    now: number,
  ): void {
    this.#seenFor.delete(session.peer);
    this.#checkHorizon(session.peerOpen, now);
    if (!outcome.met) notify(this.#context, { type: "merged-clusters", peer: session.peer });
    const { below, joins, horizon } = outcome.terms;
    if (below || joins) this.#context.crossings.set(session.stream, { horizon, crossed: false });
    const clock = session.peerOpen?.clock ?? 0;
    const { maxDriftMs } = this.options;
    // A joining node's clock starts above that of the member that admits it (rule 1).
    if (!this.ready && clock <= stampOf(this.#context.time.trusted(now) + maxDriftMs)) {
      this.map.advanceClock(clock);
    }
  }

  isCrossed(session: SessionView): boolean {
    return this.#context.crossings.get(session.stream)?.crossed === true;
  }

  merge(
    session: SessionView,
    entries: readonly Entry[],
    { now, late }: { readonly now: number; readonly late: boolean },
  ): MergeSummary {
    const passOn = PASS_ON_REASONS.has(session.reason) && entries.length <= PASS_ON_ENTRIES;
    const summary = this.#parts.rumors.merge(session.peer, entries, {
      ...{ now, passOn, late },
      session: session.stream,
    });
    let bytes = 0;
    for (const entry of entries) bytes += entry.key.length + entry.value.length + 64;
    this.#parts.backpressure.took(session.stream, bytes);
    if (session.reason === "join" && session.role === "opener") this.#report(session, bytes);
    return summary;
  }

  setAside(peer: string, entries: readonly Entry[]): void {
    const live = entries.filter((entry) => entry.deleted !== true && !isStripped(entry));
    if (live.length > 0 && !this.#context.canSetAside()) {
      throw new ExchangeError("storage", "what was set aside before is in no file yet"); // rule 1: nothing is lost
    }
    this.#context.metrics.setAside += live.length;
    if (live.length > 0) this.#context.emit({ type: "set-aside", peer, entries: live });
    this.map.forget(entries);
  }

  retain(entries: readonly Entry[], horizon: number, now: number): void {
    const { map, time } = this.#context;
    // Whoever has heard us at this moment has these; our own clock must not read less any more. It may have
    // read less than the time until now: after a restart it stays below the ceiling until something is written.
    const clock = Math.max(map.clock({ now }), stampOf(now), horizon);
    const expiresAt = msOf(clock) + 1;
    map.advanceClock(stampOf(expiresAt));
    const kept = entries.map(({ key, version, extra }) => ({
      ...{ key, version, expiresAt, value: NOTHING, deleted: true },
      ...(extra === undefined ? {} : { extra }),
    }));
    map.merge(kept, { now, trustedNow: time.trusted(now) });
    this.#context.metrics.retained += kept.length;
  }

  reapSlice(horizon: number): boolean {
    return this.#parts.promises.reapSlice(horizon);
  }

  finished(session: SessionView, result: ExchangeResult, now: number): void {
    this.#progress.delete(session.stream);
    this.#context.crossings.delete(session.stream);
    this.#parts.backpressure.forget(session.stream);
    const { table } = this.#context;
    const { promises, readiness } = this.#parts;
    if (result.complete && result.promise !== undefined && table.isIn(session.peer)) {
      const cutoff = Math.min(result.promise.cutoff, promiseLimit(this.#context, now));
      table.complete(session.peer, { ...result.promise, cutoff });
      const { terms } = result;
      const becomesReady = !promises.ready && result.peerReady;
      if (terms !== undefined && (terms.below || becomesReady))
        promises.adoptHorizon(terms.horizon);
      const { peerReady, peerAnchored } = result;
      readiness.handleComplete(session.peer, { ready: peerReady, anchored: peerAnchored }, now);
      promises.persist(now);
      if (promises.ready) this.#cursor.end(now);
      this.#parts.onComplete(session, result, now);
    }
    this.exchanges?.finished(session, result, now);
  }

  /**
   * What is proven lies an hour back for everybody (rule 1), and below the clock of whoever was counted. A horizon
   * that is ahead of both comes of a wrong clock: believed once, it would forget every delete at once, for years.
   */
  #checkHorizon(open: ExchangeOpen | undefined, now: number): void {
    if (open?.ready !== true) return;
    const latest = stampOf(this.#context.time.trusted(now) + this.options.earlyMs);
    const aheadMs = msOf(open.horizon) - msOf(Math.max(latest, this.map.clock({ now })));
    if (aheadMs <= 0) return;
    throw new ExchangeError("refused", `a horizon that is ${aheadMs} ms too far ahead of time`);
  }

  /** Keys that this node holds an entry of, live or not. */
  #keys(): number {
    const { live, tombstones, expired } = this.map.statistics();
    return live + tombstones + expired;
  }

  #saysReady(id: string): boolean {
    if (id === this.map.node) return this.ready;
    return this.#context.table.records.get(id)?.ready === true;
  }

  #report(session: SessionView, bytes: number): void {
    const total = session.peerOpen?.keys ?? 0;
    let progress = this.#progress.get(session.stream);
    if (progress === undefined) {
      progress = { bytes: 0, percent: -1 };
      this.#progress.set(session.stream, progress);
    }
    progress.bytes += bytes;
    const keys = this.#keys(); // a resumed copy goes on where the one before was cut
    const percent = total === 0 ? 100 : Math.min(100, Math.floor((keys * 100) / total));
    if (percent === progress.percent) return;
    progress.percent = percent;
    notify(this.#context, {
      type: "progress",
      peer: session.peer,
      keys,
      bytes: progress.bytes,
      percent,
    });
  }
}

/** Whether a state keeps a place in `seen` and watermark (rule 2: stopped and dead ones do). */
export function placeOf(state: Member["state"]): MemberPlace {
  return state === "left" || state === "forgotten" ? state : "in";
}

function aliveState(state: Member["state"] | undefined): Member["state"] {
  return state === undefined || placeOf(state) !== "in" ? "alive" : state;
}
