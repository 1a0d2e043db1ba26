import {
  DndError,
  versionToEtag,
  type CallOptions,
  type ClusterMember,
  type CopyProgress,
  type Explanation,
} from "@dnd/client";
import { GossipNode, type GossipEvent } from "@dnd/gossip";
import { SUMMARY_DROPPED, SUMMARY_READY } from "@dnd/protocol";
import {
  Replicator,
  type ExplainAnswer,
  type HeldBack,
  type ReplicationEffect,
  type ReplicationEvent,
} from "@dnd/replication";
import type { Entry } from "@dnd/store";
import { exportLine } from "../export_entries.ts";
import type { Followed, FollowOptions } from "../node_core.ts";
import { cryptoPrng } from "./_crypto_prng.ts";
import { UpdateReader } from "./_update_reader.ts";
import type { ClusterLink, LinkParts } from "./cluster_link.ts";
import { logEvent } from "./_event_log.ts";
import { NoticeLog } from "./_notice_log.ts";
import { flatten, httpAddressOf, isUp, wireMember } from "./_member_records.ts";
import { explain } from "./explanation.ts";
import { loadMembers, saveMembers } from "./remembered_members.ts";
import { ReplicationDriver } from "./replication_driver.ts";

/** Members are kept so long after a change: a burst of them is one write. */
const rememberMs = 200;
/** How often the clock goes into the pings when nothing changes. */
const summaryMs = 250;
/** How long after a change at the latest; a thousand changes in this time are one. */
const summaryDelayMs = 20;
/** So long after the start some other clock is waited for before values are taken for expired by ours. */
const silentMs = 10_000;
/** How often the lateness of the event loop is measured. */
const delayMs = 100;

/** Starts gossip and replication of a node. @throws {BindError} and the like; nothing is left open */
export async function createPeerLink(parts: LinkParts): Promise<PeerLink> {
  const { options, data, map, logger, name } = parts;
  const remembered = loadMembers(map, logger);
  const gossip = new GossipNode({
    id: data.id,
    generation: data.generation,
    port: options.port,
    address: options.address === "localhost" ? "127.0.0.1" : options.address,
    seeds: options.seeds,
    cluster: options.cluster,
    name,
    volatile: data.volatile,
    remembered,
    profile: options.profile,
    logger,
    ...(options.advertise === undefined ? {} : { advertise: options.advertise }),
    ...(options.thread === undefined ? {} : { thread: options.thread }),
    ...(options.maxDatagramBytes === undefined
      ? {}
      : { maxDatagramBytes: options.maxDatagramBytes }),
    ...(options.forgetAfterMs === undefined ? {} : { forgetAfterMs: options.forgetAfterMs }),
    ...(options.keys === undefined ? {} : { keys: options.keys }),
    ...(options.sealing === undefined ? {} : { sealing: options.sealing }),
    ...(options.insecure === undefined ? {} : { insecure: options.insecure }),
  });
  await gossip.start();
  return new PeerLink(parts, gossip, remembered.length > 0);
}

/** The others, over gossip and replication. */
export class PeerLink implements ClusterLink {
  copy: CopyProgress | undefined;
  readonly #parts: LinkParts;
  readonly #now: () => number;
  readonly #gossip: GossipNode;
  readonly #replicator: Replicator;
  readonly #driver: ReplicationDriver;
  readonly #receipts = new Map<number, (event: Followed) => void>();
  readonly #explanations = new Map<number, (answers: readonly ExplainAnswer[]) => void>();
  /** Ends what waits for other members. */
  readonly #waiting = new Set<(error: DndError) => void>();
  readonly #readyWaiters: (() => void)[] = [];
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #leaving: ((error: DndError | undefined, departed: number) => void) | undefined;
  #remembering: ReturnType<typeof setTimeout> | undefined;
  #summarizing: ReturnType<typeof setTimeout> | undefined;
  #toldReady: boolean | undefined;
  #toldSkewed: boolean | undefined;
  #counter = 0;
  readonly #silentUntil: number = performance.now() + silentMs;
  #httpAddress: string | null = null;
  #stopped: Promise<void> | undefined;

  /** @param gossip has been started */
  constructor(parts: LinkParts, gossip: GossipNode, hasRemembered: boolean) {
    const { map, options } = parts;
    this.#parts = parts;
    this.#now = parts.clock.now;
    this.#gossip = gossip;
    const seeds = options.seeds.filter((seed) => seed !== gossip.address);
    this.#replicator = new Replicator(
      {
        map,
        prng: cryptoPrng(),
        generation: gossip.generation,
        hasSeeds: seeds.length > 0 || hasRemembered,
        members: () => gossip.members().map(wireMember),
      },
      { maxUpdateBytes: gossip.maxUpdateBytes, maxDriftMs: options.maxDriftMs },
    );
    parts.clock.follow(() => this.#medianMs());
    this.#driver = new ReplicationDriver({
      replicator: this.#replicator,
      gossip,
      map,
      logger: parts.logger,
      now: this.#now,
      onEvent: (event) => this.#hear(event),
      onChanged: () => this.#changed(),
      setAside: (effect) => this.#setAside(effect),
      reenter: (generation) => this.#reenter(generation),
    });
    this.#begin();
  }

  get address(): string {
    return this.#gossip.address;
  }

  get port(): number {
    return this.#gossip.port;
  }

  get generation(): number {
    return this.#gossip.generation;
  }

  get ready(): boolean {
    return this.#replicator.ready;
  }

  get alone(): boolean {
    return this.#replicator.status().alone;
  }

  get heldBack(): HeldBack | undefined {
    return this.#replicator.status().heldBackBy;
  }

  reasons(): readonly string[] {
    const { ready, skewed, aheadMs } = this.#replicator.status();
    const reasons: string[] = [];
    if (skewed) {
      reasons.push(`the clock is ${Math.round(aheadMs)} ms ahead of the other members'`);
    } else if (!ready) {
      const { copy } = this;
      reasons.push(
        copy === undefined
          ? "the first exchange with a ready member is not complete"
          : `the first copy is at ${copy.percent} percent`,
      );
    }
    return reasons;
  }

  written(entries: readonly Entry[]): void {
    // Nobody to tell: whoever comes later copies by exchange.
    if (!this.#replicator.hasReachable) {
      this.#changed();
      return;
    }
    this.#driver.run(this.#replicator.handleWrite(entries, this.#now()));
    this.#driver.flushSoon();
  }

  expiryNow(now: number): number {
    return this.#replicator.expiryNow(now);
  }

  readNow(now: number): number | undefined {
    const readNow = this.#replicator.readNow(now);
    if (readNow !== undefined || performance.now() < this.#silentUntil) return readNow;
    // Nobody is there to contradict (the same bound as of rule 12).
    return now;
  }

  writeTargets(): number {
    return this.#replicator.writeTargets();
  }

  liveTargets(): number {
    return this.#gossip.members().filter(({ self, state, ready }) => self || (ready && isUp(state)))
      .length;
  }

  follow(entry: Entry, needed: number, options: FollowOptions): Promise<Followed> {
    const { timeoutMs, signal } = options;
    return new Promise((resolve, reject) => {
      let number = 0;
      const onAbort = (): void => {
        this.#receipts.delete(number);
        this.#waiting.delete(reject);
        reject(signal?.reason as Error);
      };
      this.#waiting.add(reject);
      signal?.addEventListener("abort", onAbort, { once: true });
      const { receipt, effects } = this.#replicator.follow(
        entry,
        { needed, timeoutMs },
        this.#now(),
      );
      number = receipt;
      this.#receipts.set(receipt, (followed) => {
        signal?.removeEventListener("abort", onAbort);
        this.#waiting.delete(reject);
        resolve(followed);
      });
      this.#driver.run(effects);
    });
  }

  members(): readonly ClusterMember[] {
    return this.#gossip.members().map((member) => ({
      id: member.id,
      name: member.name,
      address: member.address,
      httpAddress: member.self ? this.#httpAddress : httpAddressOf(member),
      state: member.state,
      self: member.self,
      incarnation: member.incarnation,
      generation: member.generation,
      stalled: member.stalled,
      skewed: member.skewed,
      rttMs: member.rttMs === undefined ? null : Math.round(member.rttMs * 1000) / 1000,
    }));
  }

  async explain(key: string, _options: CallOptions): Promise<Explanation> {
    const answers = await new Promise<readonly ExplainAnswer[]>((resolve, reject) => {
      const { request, effects } = this.#replicator.explain(key, this.#now());
      this.#waiting.add(reject);
      this.#explanations.set(request, (answers) => {
        this.#waiting.delete(reject);
        resolve(answers);
      });
      this.#driver.run(effects);
    });
    const members = this.members();
    return explain(key, answers, {
      members,
      counts: (id) => this.#replicator.isWriteTarget(id),
    });
  }

  async join(peers: readonly string[]): Promise<void> {
    try {
      await this.#gossip.join(peers);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new DndError("invalid-argument", why, { status: 400, cause: error });
    }
    this.#driver.run(this.#replicator.handleSeeds(true, this.#now()));
  }

  async leave(_options: CallOptions): Promise<void> {
    if (this.#leaving !== undefined) {
      throw new DndError("conflict", "Cannot leave: the node is leaving already", { status: 409 });
    }
    const departed = await new Promise<number>((resolve, reject) => {
      this.#leaving = (error, stamp) => {
        this.#leaving = undefined;
        if (error === undefined) resolve(stamp);
        else reject(error);
      };
      this.#driver.flush();
      this.#driver.run(this.#replicator.leave(this.#now()));
    });
    await this.#gossip.leave({ departed });
  }

  async forget(node: string): Promise<void> {
    try {
      const departed = this.#replicator.departureStamp(this.#now());
      await this.#gossip.forget(node, { departed });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new DndError("conflict", why, { status: 409, cause: error });
    }
  }

  setHttpAddress(address: string): void {
    this.#httpAddress = address;
    this.#gossip.setMetadata({ http: address }).catch((error: unknown) => {
      this.#parts.logger.warn({ err: error }, "the others were not told where HTTP is");
    });
  }

  whenReady(): Promise<void> {
    if (this.ready) return Promise.resolve();
    return new Promise((resolve) => this.#readyWaiters.push(resolve));
  }

  async figures(): Promise<Readonly<Record<string, number>>> {
    const figures: Record<string, number> = {};
    for (const [name, value] of Object.entries(this.#replicator.metrics)) {
      if (typeof value === "number") figures[`replication_${name}`] = value;
    }
    const { seen, watermark, horizon, aheadMs, exchanges } = this.#replicator.status();
    Object.assign(figures, {
      ...{ replication_seen: seen, replication_watermark: watermark },
      ...{ replication_horizon: horizon, replication_clock_ahead_ms: aheadMs },
      replication_sessions: exchanges.length,
    });
    flatten("gossip", await this.#gossip.counters(), figures);
    return figures;
  }

  async setKeys(keys: readonly Uint8Array[]): Promise<void> {
    await this.#gossip.setKeys(keys);
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    this.#driver.flush();
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#remembering);
    clearTimeout(this.#summarizing);
    await this.#remember();
    this.#driver.close();
    for (const resolve of this.#readyWaiters.splice(0)) resolve();
    const closed = new DndError("closed", "Cannot wait for other members: the node is closed", {
      outcome: "unknown",
    });
    for (const reject of this.#waiting) reject(closed);
    await this.#gossip.stop();
  }

  /** Who has others, but has heard no clock of theirs yet, believes no step of its own: nothing agrees with it. */
  #medianMs(): number | undefined {
    return this.#replicator.medianMs ?? (this.readNow(0) === undefined ? Infinity : undefined);
  }

  #begin(): void {
    const replicator = this.#replicator;
    const gossip = this.#gossip;
    this.#driver.run(replicator.start(this.#now()));
    gossip.onEvent((event) => this.#hearGossip(event));
    const notices = new NoticeLog(this.#parts.logger);
    gossip.onNotice((notice) => notices.tell(notice, performance.now()));
    gossip.onSummary(({ from, summary, wall, rttMs }) => {
      const times = rttMs === undefined ? { wall } : { wall, rttMs };
      this.#driver.run(replicator.handleSummary(from, summary, { now: this.#now(), ...times }));
    });
    const updates = new UpdateReader({
      logger: this.#parts.logger,
      handle: (from, entries) => {
        this.#driver.run(replicator.handleUpdate(from, { entries }, this.#now()));
      },
    });
    gossip.onUpdate((from, bytes) => updates.add(from, bytes));
    for (const member of gossip.members()) {
      this.#driver.run(replicator.handleMember(member, this.#now()));
    }
    this.#tellSummary();
    let due = performance.now() + delayMs;
    let wasLate = 0;
    this.#timers.push(
      setInterval(() => this.#tellSummary(), summaryMs),
      setInterval(() => {
        const now = performance.now();
        const late = Math.max(0, now - due);
        // One that is late alone is a collection of garbage, and no load.
        replicator.handleDelay(Math.min(late, wasLate));
        wasLate = late;
        due = now + delayMs;
      }, delayMs),
    );
  }

  /** What the pings say is brought up to date soon: there is a ping or an ack only now and then. */
  #changed(): void {
    const { map } = this.#parts;
    if (map.counter !== this.#counter) {
      this.#counter = map.counter;
      this.#parts.onChanged();
    }
    this.#summarizing ??= setTimeout(() => this.#tellSummary(), summaryDelayMs);
  }

  #tellSummary(): void {
    this.#summarizing = undefined;
    try {
      const { clock, counter, digest, algorithm, scope, horizon, seen, flags } =
        this.#replicator.summary(this.#now());
      const ready = (flags & SUMMARY_READY) !== 0;
      this.#gossip.setSummary({
        ...{ clock, counter, digest, algorithm, scope, horizon, seen, ready },
        dropped: (flags & SUMMARY_DROPPED) !== 0,
      });
      this.#tellFlags(ready, this.#replicator.status().skewed);
    } catch (error) {
      // A failed storage ends the node by its own way.
      this.#parts.logger.debug({ err: error }, "the summary could not be made");
    }
  }

  #tellFlags(ready: boolean, skewed: boolean): void {
    if (ready === this.#toldReady && skewed === this.#toldSkewed) return;
    this.#toldReady = ready;
    this.#toldSkewed = skewed;
    if (ready) for (const resolve of this.#readyWaiters.splice(0)) resolve();
    this.#gossip.setFlags({ ready, skewed }).catch(() => undefined);
  }

  #hearGossip(event: GossipEvent): void {
    const { logger } = this.#parts;
    const replicator = this.#replicator;
    const now = this.#now();
    switch (event.type) {
      case "lost":
        for (const member of this.#gossip.members()) {
          this.#driver.run(replicator.handleMember(member, now));
        }
        return;
      case "failed":
        logger.error({ err: event.error }, "gossip has failed");
        return;
      case "copy":
        this.#parts.onCopy();
        return;
      case "forgotten-self":
      case "exhausted":
        this.#driver.run(
          replicator.handleMember(
            { id: this.#gossip.id, state: "forgotten", generation: event.generation },
            now,
          ),
        );
        return;
      case "joined":
        logger.info({ member: event.member.name }, "joined the cluster");
        return;
      case "removed":
        this.#driver.run(replicator.handleMemberRemoved(event.member.id, now));
        this.#rememberSoon();
        return;
      default: {
        const { member, type } = event;
        if (!member.self && type !== "updated") {
          const { id, name, address } = member;
          logger[type === "alive" || type === "resumed" ? "info" : "warn"](
            { member: id, name, address },
            `member ${name === "" ? address : name} is ${type}`,
          );
        }
        this.#driver.run(replicator.handleMember(member, now));
        this.#rememberSoon();
      }
    }
  }

  #hear(event: ReplicationEvent): void {
    logEvent(this.#parts.logger, event);
    switch (event.type) {
      case "ready":
        this.copy = undefined;
        return;
      case "progress": {
        const { peer, keys, bytes, percent } = event;
        this.copy = { peer, keys, bytes, percent };
        return;
      }
      case "exchanged":
        if (event.complete) this.#gossip.clearDropped();
        return;
      case "receipt": {
        const done = this.#receipts.get(event.receipt);
        this.#receipts.delete(event.receipt);
        const { ok, acked, needed, superseded } = event;
        done?.({ ok, acked, needed, superseded, members: this.writeTargets() });
        return;
      }
      case "explained": {
        const done = this.#explanations.get(event.request);
        this.#explanations.delete(event.request);
        done?.(event.answers);
        return;
      }
      case "left":
        this.#leaving?.(undefined, event.departed);
        return;
      case "leave-failed": {
        const why = `Cannot leave: ${event.detail}`;
        this.#leaving?.(new DndError("conflict", why, { status: 409 }), 0);
        return;
      }
      default:
    }
  }

  #setAside(effect: Extract<ReplicationEffect, { type: "set-aside" }>): void {
    const { data, logger } = this.#parts;
    const text = effect.entries.map((entry) => `${exportLine(entry)}\n`).join("");
    const file = data.setAside(text);
    logger.warn(
      {
        file,
        peer: effect.peer,
        entries: effect.entries.length,
        versions: effect.entries.slice(0, 10).map(({ version }) => versionToEtag(version)),
      },
      `${effect.entries.length} entries that the others may have deleted were set aside (rule 1)`,
    );
  }

  #reenter(generation: number): void {
    const raised = this.#parts.data.raiseGeneration(generation - 1);
    this.#parts.logger.warn({ generation: raised }, "this node was forgotten; it enters again");
    this.#gossip.raiseGeneration(raised).catch((error: unknown) => {
      this.#parts.logger.error({ err: error }, "the generation could not be raised");
    });
  }

  #rememberSoon(): void {
    if (this.#remembering !== undefined || this.#stopped !== undefined) return;
    this.#remembering = setTimeout(() => {
      this.#remembering = undefined;
      void this.#remember();
    }, rememberMs);
  }

  async #remember(): Promise<void> {
    if (this.#parts.data.volatile) return;
    try {
      saveMembers(this.#parts.map, await this.#gossip.remembered());
    } catch (error) {
      this.#parts.logger.debug({ err: error }, "the members could not be remembered");
    }
  }
}
