import {
  DndError,
  type CallOptions,
  type ClusterMember,
  type CopyProgress,
  type Explanation,
} from "@dnd/client";
import { SeedWatch, type GossipNode } from "@dnd/gossip";
import { Replicator, type HeldBack, type ReplicationEvent } from "@dnd/replication";
import type { Entry } from "@dnd/store";
import type { Followed, FollowOptions } from "../node_core.ts";
import { Awaited } from "./_awaited.ts";
import { cryptoPrng } from "./_crypto_prng.ts";
import { meterDelay } from "./_delay_meter.ts";
import { logEvent } from "./_event_log.ts";
import { MemberMemory } from "./_member_memory.ts";
import { flatten, replicationFigures } from "./_figures.ts";
import { handleGossipEvent } from "./_handle_gossip_event.ts";
import { clusterMember, isUp, wireMember } from "./_member_records.ts";
import { NoticeLog } from "./_notice_log.ts";
import { SetAside } from "./_set_aside.ts";
import { startGossip } from "./_start_gossip.ts";
import { SummaryTeller } from "./_summary_teller.ts";
import { UpdateReader } from "./_update_reader.ts";
import type { ClusterLink, LinkParts } from "./cluster_link.ts";
import { explain } from "./explanation.ts";
import { loadMembers } from "./remembered_members.ts";
import { ReplicationDriver } from "./replication_driver.ts";

/** So long after the start some other clock is waited for before values are taken for expired by ours. */
const silentMs = 10_000;

/** Starts gossip and replication of a node. @throws {BindError} and the like; nothing is left open */
export async function createPeerLink(parts: LinkParts): Promise<PeerLink> {
  const remembered = loadMembers(parts.map, parts.logger);
  const gossip = await startGossip(parts, remembered);
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
  readonly #awaited: Awaited;
  readonly #memory: MemberMemory;
  readonly #aside: SetAside;
  readonly #seeds: SeedWatch;
  readonly #readyWaiters: (() => void)[] = [];
  #summary: SummaryTeller | undefined;
  #stopMeter: (() => void) | undefined;
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
    this.#seeds = new SeedWatch(seeds);
    this.#replicator = new Replicator(
      {
        map,
        prng: cryptoPrng(),
        generation: gossip.generation,
        hasSeeds: seeds.length > 0 || hasRemembered,
        members: () => gossip.members().map(wireMember),
        canSetAside: () => this.#aside.unwritten === 0,
      },
      { maxUpdateBytes: gossip.maxUpdateBytes, maxDriftMs: options.maxDriftMs },
    );
    parts.clock.follow(() => this.#medianMs());
    this.#memory = new MemberMemory(parts, gossip);
    this.#aside = new SetAside(parts.data, parts.logger);
    this.#awaited = new Awaited({
      run: (effects) => this.#driver.run(() => effects),
      writeTargets: () => this.writeTargets(),
    });
    this.#driver = new ReplicationDriver({
      replicator: this.#replicator,
      gossip,
      map,
      logger: parts.logger,
      now: this.#now,
      onEvent: (event) => this.#hear(event),
      onChanged: () => this.#changed(),
      setAside: ({ peer, entries }) => this.#aside.keep(peer, entries),
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
    this.#driver.run(() => this.#replicator.handleWrite(entries, this.#now()));
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
    return this.#awaited.receipt(() => {
      const now = this.#now();
      const { receipt, effects } = this.#replicator.follow(entry, { needed, timeoutMs }, now);
      return { number: receipt, effects };
    }, signal);
  }

  members(): readonly ClusterMember[] {
    return this.#gossip.members().map((member) => clusterMember(member, this.#httpAddress));
  }

  async explain(key: string, _options: CallOptions): Promise<Explanation> {
    const answers = await this.#awaited.explanation(() => {
      const { request, effects } = this.#replicator.explain(key, this.#now());
      return { number: request, effects };
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
    this.#seeds.add(peers.filter((peer) => peer !== this.#gossip.address));
    this.#driver.run(() => this.#replicator.handleSeeds(true, this.#now()));
    this.#tellSeeds(this.#seeds.isDone);
  }

  async leave(_options: CallOptions): Promise<void> {
    if (this.#awaited.isLeaving) {
      throw new DndError("conflict", "Cannot leave: the node is leaving already", { status: 409 });
    }
    const departed = await this.#awaited.departure(() => {
      this.#driver.flush();
      return this.#replicator.leave(this.#now());
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
    await this.#memory.now();
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
    const figures = replicationFigures(this.#replicator);
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
    this.#stopMeter?.();
    this.#summary?.close();
    await this.#memory.close();
    this.#driver.close();
    this.#aside.close();
    for (const resolve of this.#readyWaiters.splice(0)) resolve();
    this.#awaited.close();
    await this.#gossip.stop();
  }

  /** Who has others, but has heard no clock of theirs yet, believes no step of its own: nothing agrees with it. */
  #medianMs(): number | undefined {
    return this.#replicator.medianMs ?? (this.readNow(0) === undefined ? Infinity : undefined);
  }

  #begin(): void {
    const replicator = this.#replicator;
    const gossip = this.#gossip;
    this.#driver.run(() => replicator.start(this.#now()));
    const hear = { gossip, replicator, now: this.#now, memory: this.#memory, parts: this.#parts };
    gossip.onEvent((event) => this.#driver.run(() => handleGossipEvent(event, hear)));
    const notices = new NoticeLog(this.#parts.logger);
    gossip.onNotice((notice) => {
      notices.tell(notice, performance.now());
      this.#tellSeeds(this.#seeds.hear(notice));
    });
    this.#tellSeeds(this.#seeds.isDone);
    gossip.onSummary(({ from, summary, wall, rttMs }) => {
      const times = rttMs === undefined ? { wall } : { wall, rttMs };
      this.#driver.run(() =>
        replicator.handleSummary(from, summary, { now: this.#now(), ...times }),
      );
    });
    const updates = new UpdateReader({
      logger: this.#parts.logger,
      handle: (from, entries) => {
        this.#driver.run(() => replicator.handleUpdate(from, { entries }, this.#now()));
      },
    });
    gossip.onUpdate((from, bytes) => updates.add(from, bytes));
    for (const member of gossip.members()) {
      this.#driver.run(() => replicator.handleMember(member, this.#now()));
    }
    this.#summary = new SummaryTeller({
      ...{ replicator, gossip, logger: this.#parts.logger, now: this.#now },
      onReady: () => {
        for (const resolve of this.#readyWaiters.splice(0)) resolve();
      },
    });
    this.#stopMeter = meterDelay((delayMs) => replicator.handleDelay(delayMs));
  }

  #tellSeeds(haveAnswered: boolean): void {
    if (haveAnswered) this.#driver.run(() => this.#replicator.handleSeedsAnswered(this.#now()));
  }

  /** What the pings say is brought up to date soon: there is a ping or an ack only now and then. */
  #changed(): void {
    const { map } = this.#parts;
    if (map.counter !== this.#counter) {
      this.#counter = map.counter;
      this.#parts.onChanged();
    }
    this.#summary?.soon();
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
      default:
        this.#awaited.hear(event);
    }
  }

  #reenter(generation: number): void {
    const raised = this.#parts.data.raiseGeneration(generation - 1);
    this.#parts.logger.warn({ generation: raised }, "this node was forgotten; it enters again");
    this.#gossip.raiseGeneration(raised).catch((error: unknown) => {
      this.#parts.logger.error({ err: error }, "the generation could not be raised");
    });
  }
}
