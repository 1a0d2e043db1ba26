import { stampOf, StorageError } from "@dnd/store";
import type { Context } from "./_context.ts";
import { notify, promiseLimit } from "./_context.ts";
import type { HeldBack } from "./held_back.ts";
import type { MemberSnapshot } from "./member_table.ts";

/** Entries that one slice of forgetting takes (rule 1). */
const REAP_SLICE = 1000;

/** A member that holds the horizon back for longer than this gets a warning. */
const HELD_BACK_MS = 86_400_000;

/** A node whose seeds are silent waits for nobody who is known to be away: it says so sooner. */
const NO_CONTACT_MS = 60_000;

const STAMPS_PER_MS = 4096;
const META = "replication";

interface Stored extends MemberSnapshot {
  readonly format: 1;
  readonly ready: boolean;
  readonly alone: boolean;
  /** Absent in folders of before it was kept. */
  readonly anchored?: boolean;
  /** The generation with which this node last entered through an exchange (rule 3). */
  readonly entered: number;
}

/** What {@linkcode Promises.setReady} takes. */
export interface ReadyState {
  readonly ready: boolean;
  /** Only because nobody else was there; default `false`. */
  readonly alone?: boolean;
  /** See `Readiness`; default `false`. */
  readonly anchored?: boolean;
}

/**
 * The durable promises of a node: what it heard and saw, and the horizon that follows (rules 1 and 9).
 * They go into the map as a named value, in order with the entries that they speak of, and are told to
 * others only after that commit.
 */
export class Promises {
  readonly #context: Context;
  #ready = false;
  #alone = false;
  #anchored = false;
  #entered = 0;
  #dirty = false;
  #writing = false;
  #again = false;
  #scheduled = false;
  #reaping = false;
  #heldBack: (HeldBack & { warnedAt: number }) | undefined;

  /** Whether there is anybody to call. */
  hasSeeds = false;

  /** Whether all of them have answered once. */
  seedsAnswered = false;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Whether this node holds what the others hold (rule 12). */
  get ready(): boolean {
    return this.#ready;
  }

  /** Whether it is ready only because nobody else was there. */
  get alone(): boolean {
    return this.#alone;
  }

  /** Whether what it proves counts: see `Readiness`. */
  get anchored(): boolean {
    return this.#ready && this.#anchored;
  }

  /** Whether it waits for seeds of its own, to be anchored. */
  get awaitsSeeds(): boolean {
    return this.hasSeeds && !this.seedsAnswered && !this.anchored;
  }

  /** The generation with which this node last entered through an exchange. */
  get entered(): number {
    return this.#entered;
  }

  set entered(generation: number) {
    this.#entered = generation;
  }

  /** Reads what was promised before the restart. */
  load(): void {
    const bytes = this.#context.map.getMeta(META);
    if (bytes === undefined) return;
    const stored = JSON.parse(new TextDecoder().decode(bytes)) as Stored;
    this.#context.table.restore(stored);
    this.#take(stored);
    this.#entered = stored.entered;
  }

  setReady(state: ReadyState, now: number): void {
    this.#take({ alone: false, anchored: false, ...state });
    if (state.ready) this.#entered = this.#context.generation;
    this.persist(now);
  }

  /** Something changed: to disk within `promiseIntervalMs`. */
  touch(): void {
    this.#dirty = true;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#context.emit({
      type: "schedule",
      token: "promises",
      delayMs: this.#context.options.promiseIntervalMs,
    });
  }

  handleTimer(now: number): void {
    this.#scheduled = false;
    if (this.#dirty) this.persist(now);
    this.advanceHorizon(now);
  }

  /** To disk now; told to others when it is there. */
  persist(now: number): void {
    if (this.#writing) {
      this.#again = true; // one at a time: under load the next one takes everything along
      return;
    }
    const { map, table } = this.#context;
    // Who is not ready may not know the members yet: of an empty table everything is "seen".
    const clock = map.clock({ now });
    if (this.anchored) table.advance(Math.min(clock, promiseLimit(this.#context, now)));
    table.prune(map.horizon);
    const snapshot = table.snapshot();
    const stored: Stored = {
      format: 1,
      ...snapshot,
      ready: this.#ready,
      alone: this.#alone,
      anchored: this.#anchored,
      entered: this.#entered,
    };
    try {
      map.setMeta(META, new TextEncoder().encode(JSON.stringify(stored)), { now });
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.touch(); // the disk is full: what is not kept is not told, and kept when there is room (rule 17)
      return;
    }
    this.#dirty = false;
    this.#again = false;
    this.#writing = true;
    this.#context.onCommitted((committedAt) => {
      this.#writing = false;
      table.announce(snapshot);
      if (this.#again) this.persist(committedAt);
      this.advanceHorizon(committedAt);
    });
  }

  /** The horizon that the watermark allows now. */
  advanceHorizon(now: number): void {
    if (!this.#ready) return;
    const { table, options, map } = this.#context;
    const { stamp, heldBackBy } = table.watermark();
    const graced = stampOf(this.#context.time.sober(now) - options.graceMs);
    this.#noteHeldBack(heldBackBy, stamp < graced - options.horizonStepMs * STAMPS_PER_MS, now);
    const step = options.horizonStepMs * STAMPS_PER_MS;
    const horizon = Math.floor(Math.min(stamp, graced) / step) * step;
    if (horizon > map.horizon) this.adoptHorizon(horizon);
  }

  /** Raises the horizon; forgetting goes on in slices. */
  adoptHorizon(horizon: number): void {
    const { map } = this.#context;
    if (horizon < map.horizon) return;
    if (this.reapSlice(horizon)) this.#continue();
  }

  /** One slice; returns whether there may be more. */
  reapSlice(horizon: number): boolean {
    const { map, metrics } = this.#context;
    const reaped = map.reap(Math.max(horizon, map.horizon), REAP_SLICE);
    metrics.reaped += reaped;
    return reaped >= REAP_SLICE;
  }

  handleReapTimer(): void {
    this.#reaping = false;
    if (this.reapSlice(this.#context.map.horizon)) this.#continue();
  }

  /** Who holds the horizon back, and since when (rule 10). */
  get heldBack(): HeldBack | undefined {
    return this.#heldBack;
  }

  #take({
    ready,
    alone,
    anchored = ready && !alone,
  }: Pick<Stored, "ready" | "alone" | "anchored">): void {
    this.#ready = ready;
    this.#alone = alone;
    this.#anchored = anchored;
    this.#context.table.unproven = ready && (alone || !anchored);
  }

  /** Who waits for seeds: this node, or the member of which it has its readiness. */
  #awaiting(): string {
    const { peers, table } = this.#context;
    if (this.awaitsSeeds) return table.self;
    return table.others().find((id) => peers.get(id)?.awaitsSeeds !== false) ?? table.self;
  }

  #continue(): void {
    if (this.#reaping) return;
    this.#reaping = true;
    this.#context.emit({ type: "schedule", token: "reap", delayMs: 0 });
  }

  #noteHeldBack(by: string, isLate: boolean, now: number): void {
    if (!isLate) {
      this.#heldBack = undefined;
      return;
    }
    const { table } = this.#context;
    const reason = this.anchored ? "behind" : "no-contact";
    const late = by === table.self ? (table.leastHeard() ?? by) : by;
    const member = this.anchored ? late : this.#awaiting();
    if (this.#heldBack?.member !== member || this.#heldBack.reason !== reason) {
      this.#heldBack = { member, reason, since: now, warnedAt: -Infinity };
    }
    const { since, warnedAt } = this.#heldBack;
    const patienceMs = reason === "behind" ? HELD_BACK_MS : NO_CONTACT_MS;
    if (now - since < patienceMs || now - warnedAt < HELD_BACK_MS) return;
    this.#heldBack.warnedAt = now;
    notify(this.#context, { type: "held-back", member, reason, sinceMs: now - since });
  }
}
