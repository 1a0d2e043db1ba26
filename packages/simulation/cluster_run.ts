import type { SwimEvent } from "@dnd/gossip";
import { createSimulation, type SimulatedHost, type Simulation } from "@dnd/gossip/simulation";
import { ClusterFaults, running } from "./cluster_faults.ts";
import { ClusterLedger, type Finding } from "./cluster_ledger.ts";
import { ClusterNode } from "./cluster_node.ts";
import {
  CLUSTER_BOUNDS,
  CLUSTER_TIMES,
  type ClusterFault,
  type ClusterPace,
  type ClusterTimes,
} from "./cluster_pace.ts";
import { MembershipChecker } from "./membership_checker.ts";

/** One run of a whole cluster. */
export interface ClusterRunOptions {
  readonly seed: number;
  /** Nodes at the start; default 3 to 5 by the seed. */
  readonly nodes?: number;
  /** How long it takes and how close the faults are; default `long`. */
  readonly pace?: ClusterPace;
  /** Time under faults, in simulated seconds (default by the pace: 45 or 10). */
  readonly faultySeconds?: number;
  /** How long it may take to agree once everything is healed (default 180 s). */
  readonly healSeconds?: number;
  /** Time of a commit, at most; default 10 ms, of some seeds 300 ms. */
  readonly commitMs?: number;
  /** Which faults may happen; default all, or those of the pace. */
  readonly faults?: readonly ClusterFault[];
}

/** What a run showed. */
export interface ClusterRunResult {
  readonly seed: number;
  readonly findings: readonly Finding[];
  readonly traceHash: string;
  readonly writes: number;
  readonly faults: number;
  readonly exchanges: number;
  readonly reaped: number;
  readonly setAside: number;
  /** Simulated time from the end of the faults until all agree, in ms. */
  readonly healedMs: number;
}

const KEYS = 30;

/**
 * Runs a cluster of real nodes under faults and under load, heals everything, lets it come to rest, and
 * checks what was promised. First safety, then liveness (as in TigerBeetle's simulator).
 */
export function runCluster(options: ClusterRunOptions): ClusterRunResult {
  const run = new ClusterRun(options);
  return run.run();
}

class ClusterRun {
  readonly #options: ClusterRunOptions;
  readonly #world: Simulation;
  readonly #ledger = new ClusterLedger();
  readonly #hosts: SimulatedHost[] = [];
  readonly #exchanges = { count: 0, reaped: 0 };
  readonly #commitMs: number;
  readonly #times: ClusterTimes;
  readonly #faults: ClusterFaults;
  #written = 0;
  #faulty = true;

  constructor(options: ClusterRunOptions) {
    this.#options = options;
    this.#times = CLUSTER_TIMES[options.pace ?? "long"];
    this.#world = createSimulation({ seed: options.seed });
    this.#commitMs = options.commitMs ?? (this.#world.prng.chance(0.3) ? 300 : 10);
    this.#faults = new ClusterFaults({
      ...{ world: this.#world, hosts: this.#hosts, ledger: this.#ledger, times: this.#times },
      faults: options.faults ?? this.#times.faults,
      write: (node) => this.#write(node),
      add: () => this.#add(),
    });
  }

  run(): ClusterRunResult {
    const { nodes: counts, settleMs } = this.#times;
    const { seed, healSeconds = 180 } = this.#options;
    const faultySeconds = this.#options.faultySeconds ?? this.#times.faultySeconds;
    const world = this.#world;
    const count = this.#options.nodes ?? counts[Math.abs(seed) % counts.length] ?? 3;
    for (let i = 0; i < count; i += 1) this.#add();
    world.runUntil(() => this.#agreed(), { limitMs: 5000, everyMs: 250 });
    this.#load();
    this.#faults.begin();
    this.#watch();
    world.run(faultySeconds * 1000);
    this.#faulty = false;
    this.#faults.heal();
    const healed = world.runUntil(() => this.#agreed(), {
      limitMs: healSeconds * 1000,
      everyMs: 500,
    });
    if (healed === undefined) this.#ledger.report("liveness", this.#states());
    // Deletes may be forgotten now, and nothing may come back while they are.
    world.run(settleMs);
    world.runUntil(() => this.#agreed(), { limitMs: healSeconds * 1000, everyMs: 500 });
    const nodes = this.#nodes();
    this.#checkReady();
    this.#ledger.check(nodes, nodes[0]?.host.wall() ?? 0);
    for (const node of nodes) this.#count(node);
    return {
      seed,
      findings: this.#ledger.findings,
      traceHash: world.traceHash,
      writes: this.#ledger.writes,
      faults: this.#faults.happened,
      exchanges: this.#exchanges.count,
      reaped: this.#exchanges.reaped,
      setAside: nodes.reduce((sum, node) => sum + node.record.aside.length, 0),
      healedMs: healed ?? Infinity,
    };
  }

  /** Who has seeds that answer is not ready alone before ten seconds have passed (rule 12). */
  #checkReady(): void {
    for (const { record } of this.#nodes()) {
      let skewedAt = Infinity;
      for (const { sinceStartMs, seeded, event } of record.events) {
        if (event.type === "not-ready" && event.reason === "skewed") skewedAt = sinceStartMs;
        if (event.type !== "ready") continue;
        // It had been ready before, and says so again because its clock is right.
        const again = skewedAt <= sinceStartMs;
        skewedAt = Infinity;
        if (again || !event.alone || !seeded || sinceStartMs > 9000) continue;
        this.#ledger.report("ready", `alone after ${Math.round(sinceStartMs)} ms, with seeds`);
      }
    }
  }

  #add(): void {
    const host = this.#world.addHost((at) => {
      const seeds = this.#hosts.slice(0, 2).map(({ address }) => address);
      const { replication, wire } = this.#times;
      const views = new MembershipChecker();
      const onEvent = (event: SwimEvent): void => {
        const wrong = views.hear(event);
        if (wrong !== undefined) this.#ledger.report("membership", wrong);
      };
      return new ClusterNode(at, { seeds, commitMs: this.#commitMs, replication, wire, onEvent });
    });
    this.#hosts.push(host);
  }

  #nodes(): ClusterNode[] {
    return running(this.#hosts);
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[this.#world.prng.integer(Math.max(1, items.length))];
  }

  // --------------------------------------------------------------------------------------- load

  #load(): void {
    const { prng } = this.#world;
    if (!this.#faulty) return;
    const node = this.#pick(this.#nodes());
    const burst = prng.chance(0.02) ? 40 : 1;
    for (let i = 0; node !== undefined && i < burst; i += 1) this.#write(node);
    this.#world.clock.schedule(prng.between(...this.#times.writeEveryMs), () => this.#load());
  }

  #write(node: ClusterNode): void {
    const { prng } = this.#world;
    if (node.host.state !== "running") return;
    const key = `key ${prng.integer(KEYS)}`;
    this.#written += 1;
    const text = `write ${this.#written} ${prng.chance(0.03) ? "x".repeat(5000) : ""}`;
    const now = node.now();
    const kind = prng.random();
    const write = (): ReturnType<ClusterNode["map"]["put"]> => {
      const { deletes } = this.#times;
      if (kind < deletes) return node.map.delete(key, { now });
      const ttlMs = kind < deletes + 0.1 ? { ttlMs: Math.floor(prng.between(1000, 20_000)) } : {};
      return node.map.put(key, new TextEncoder().encode(text), { now, ...ttlMs });
    };
    node.write(
      () => {
        const entry = write();
        this.#ledger.stamped(node, entry);
        return entry;
      },
      (entry) => this.#ledger.acknowledged(node, entry, text),
    );
    this.#checkBounds(node); // before the turn ends in which all of a burst waits
  }

  // --------------------------------------------------------------------------------------- checks

  /** Nothing grows beyond its bound. */
  #watch(): void {
    for (const node of this.#nodes()) {
      this.#checkBounds(node);
      const { replicator, gossip } = node;
      if (replicator.status().exchanges.length > 14) this.#ledger.report("bounds", "sessions");
      if (replicator.metrics.misbehaved > 0) this.#ledger.report("protocol", gossip.id.slice(-4));
    }
    this.#world.clock.schedule(1000, () => this.#watch());
  }

  #checkBounds({ replicator }: ClusterNode): void {
    const { outboxEntries, waitingEntries } = replicator.metrics;
    if (outboxEntries > CLUSTER_BOUNDS.outboxEntries) this.#ledger.report("bounds", "outbox");
    if (waitingEntries > CLUSTER_BOUNDS.waitingEntries) this.#ledger.report("bounds", "waiting");
  }

  #agreed(): boolean {
    const nodes = this.#nodes();
    if (nodes.length < this.#hosts.length) return false;
    const digest = String(nodes[0]?.map.digest());
    return nodes.every((node) => node.replicator.ready && String(node.map.digest()) === digest);
  }

  #states(): string {
    return this.#nodes()
      .map(({ gossip, replicator, map }) => {
        const alive = gossip.swim.members().filter(({ state }) => state === "alive").length;
        const { ready, skewed } = replicator.status();
        return `${gossip.id.slice(-4)}:${alive} alive,ready=${ready},skewed=${skewed},${map.counter}`;
      })
      .join(" ");
  }

  #count({ replicator }: ClusterNode): void {
    this.#exchanges.count += replicator.metrics.exchangesComplete;
    this.#exchanges.reaped += replicator.metrics.reaped;
  }
}
