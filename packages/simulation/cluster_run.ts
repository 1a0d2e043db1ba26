import type { SwimEvent } from "@dnd/gossip";
import { createSimulation, type SimulatedHost, type Simulation } from "@dnd/gossip/simulation";
import type { ReplicationOptions } from "@dnd/replication";
import { ClusterLedger, type Finding } from "./cluster_ledger.ts";
import { ClusterNode } from "./cluster_node.ts";
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

/**
 * `long`: 45 s of faults that last up to 15 s, every packet as bytes. `short`: 10 s of faults that come and
 * go faster, graces to match, three or four nodes, and one packet in 64 as bytes: a fifth of the work.
 * `churn`: 30 s in which members come and go, are wiped and forgotten, behind splits that outlast the grace,
 * and every other write is a delete: what rule 1 has to stand.
 */
export type ClusterPace = "long" | "short" | "churn";

/** What can go wrong. */
export type ClusterFault =
  | "kill"
  | "stop"
  | "wipe"
  | "pause"
  | "partition"
  | "one-way"
  | "loss"
  | "burst"
  | "restart-all"
  | "skew"
  | "forget"
  | "join";

/** Every fault that leaves the number of nodes as it is. */
export const CLUSTER_FAULTS: readonly ClusterFault[] = [
  "kill",
  "stop",
  "wipe",
  "pause",
  "partition",
  "one-way",
  "loss",
  "burst",
  "restart-all",
  "skew",
  "forget",
];

/** What churn is made of; what is named twice happens twice as often. */
const CHURN_FAULTS: readonly ClusterFault[] = [
  "join",
  "wipe",
  "wipe",
  "forget",
  "forget",
  "forget",
  "kill",
  "stop",
  "stop",
  "partition",
  "partition",
  "one-way",
  "restart-all",
];

/** A run has so many nodes at most. */
const MOST_NODES = 7;

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

/** The times of a pace. Graces are short, so that deletes are forgotten inside a run. */
interface Times {
  readonly replication: ReplicationOptions;
  readonly wire: "bytes" | "parcels";
  readonly nodes: readonly number[];
  readonly faultySeconds: number;
  /** Time after all agree in which deletes are forgotten, in ms. */
  readonly settleMs: number;
  readonly writeEveryMs: readonly [number, number];
  readonly faultEveryMs: readonly [number, number];
  readonly faultMs: readonly [number, number];
  readonly faults: readonly ClusterFault[];
  /** How much of the writes are deletes, 0 to 1. */
  readonly deletes: number;
}

/** Fewer than there are keys, so that bursts and skewed clocks reach them. */
const BOUNDS = { outboxEntries: 20, waitingEntries: 10 };

const TIMES: Readonly<Record<ClusterPace, Times>> = {
  long: {
    replication: {
      ...BOUNDS,
      graceMs: 8000,
      horizonStepMs: 1000,
      periodicMs: 6000,
      promiseIntervalMs: 500,
    },
    wire: "bytes",
    nodes: [3, 4, 5],
    faultySeconds: 45,
    settleMs: 12_000,
    writeEveryMs: [20, 400],
    faultEveryMs: [500, 6000],
    faultMs: [500, 15_000],
    faults: CLUSTER_FAULTS,
    deletes: 0.3,
  },
  short: {
    replication: {
      ...BOUNDS,
      graceMs: 2000,
      horizonStepMs: 500,
      periodicMs: 3000,
      promiseIntervalMs: 250,
    },
    wire: "parcels",
    nodes: [3, 3, 4],
    faultySeconds: 10,
    settleMs: 4000,
    writeEveryMs: [20, 200],
    faultEveryMs: [200, 1800],
    faultMs: [300, 5000],
    faults: CLUSTER_FAULTS,
    deletes: 0.3,
  },
  churn: {
    replication: {
      ...BOUNDS,
      graceMs: 1500,
      horizonStepMs: 250,
      periodicMs: 3000,
      promiseIntervalMs: 250,
    },
    wire: "parcels",
    nodes: [3, 4, 5],
    faultySeconds: 30,
    settleMs: 5000,
    writeEveryMs: [20, 250],
    faultEveryMs: [300, 3000],
    faultMs: [500, 20_000],
    faults: CHURN_FAULTS,
    deletes: 0.5,
  },
};

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
  readonly #faults: readonly ClusterFault[];
  readonly #exchanges = { count: 0, reaped: 0 };
  readonly #commitMs: number;
  readonly #times: Times;
  #written = 0;
  #happened = 0;
  #faulty = true;

  constructor(options: ClusterRunOptions) {
    this.#options = options;
    this.#times = TIMES[options.pace ?? "long"];
    this.#faults = options.faults ?? this.#times.faults;
    this.#world = createSimulation({ seed: options.seed });
    this.#commitMs = options.commitMs ?? (this.#world.prng.chance(0.3) ? 300 : 10);
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
    this.#fault();
    this.#watch();
    world.run(faultySeconds * 1000);
    this.#heal();
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
      faults: this.#happened,
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
    return this.#hosts
      .filter(({ state }) => state === "running")
      .map(({ program }) => program as ClusterNode);
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

  // -------------------------------------------------------------------------------------- faults

  #fault(): void {
    const { prng, clock } = this.#world;
    if (!this.#faulty) return;
    const fault = this.#pick(this.#faults);
    if (fault !== undefined) {
      this.#happened += 1;
      this.#inflict(fault);
    }
    clock.schedule(prng.between(...this.#times.faultEveryMs), () => this.#fault());
  }

  #later(run: () => void): void {
    const { prng, clock } = this.#world;
    clock.schedule(prng.between(...this.#times.faultMs), () => {
      if (this.#faulty) run();
    });
  }

  #inflict(fault: ClusterFault): void {
    const { network, prng } = this.#world;
    const host = this.#pick(this.#hosts.filter(({ state }) => state === "running"));
    if (host === undefined) return;
    switch (fault) {
      case "kill":
        host.kill();
        this.#later(() => host.start());
        return;
      case "stop":
        host.terminate();
        this.#later(() => host.start());
        return;
      case "wipe": {
        // Not the last one that holds the data, and not the seeds of everybody at once.
        if (this.#nodes().filter((node) => node.replicator.ready).length < 3) return;
        if (!this.#hasSeedBeside(host)) return;
        const { gossip } = host.program as ClusterNode;
        this.#ledger.excuse(gossip.id);
        host.kill();
        host.folder.clear();
        this.#later(() => host.start());
        return;
      }
      case "pause":
        host.pause();
        this.#later(() => host.resume());
        return;
      case "partition": {
        const sides: [SimulatedHost[], SimulatedHost[]] = [[], []];
        for (const each of this.#hosts) sides[prng.chance(0.5) ? 1 : 0].push(each);
        network.partition(sides);
        this.#later(() => network.heal());
        return;
      }
      case "one-way": {
        const other = this.#pick(this.#hosts.filter((each) => each !== host));
        if (other === undefined) return;
        network.cut(host, other);
        this.#later(() => network.mend(host, other));
        return;
      }
      case "loss":
        network.setConditions({
          lossRate: prng.between(0, 0.4),
          reorderRate: 0.2,
          duplicateRate: 0.1,
        });
        this.#later(() => network.setConditions({ lossRate: 0, reorderRate: 0, duplicateRate: 0 }));
        return;
      case "burst":
        for (let i = 0; i < 400; i += 1) this.#write(host.program as ClusterNode);
        return;
      case "restart-all":
        for (const each of this.#hosts) if (each.state === "running") each.restart();
        return;
      case "skew": {
        const { gossip } = host.program as ClusterNode;
        // Behind: its stamps must still rise, after a restart too. Ahead: they may be set back (rule 8).
        const ahead = prng.chance(0.5);
        host.wallOffsetMs = ahead
          ? prng.chance(0.5)
            ? prng.between(0, 5000)
            : 3_600_000
          : -prng.between(0, 8000);
        if (ahead) this.#ledger.skewed(gossip.id);
        this.#later(() => (host.wallOffsetMs = 0));
        return;
      }
      case "forget":
        this.#forget(host);
        return;
      case "join":
        if (this.#hosts.length < MOST_NODES) this.#add();
    }
  }

  /**
   * Whether a seed with data is left when this host's is gone. Of two empty ones that find each other, and
   * nobody else, each is ready (rule 12): a cluster of their own, which owes the other one nothing.
   */
  #hasSeedBeside(host: SimulatedHost): boolean {
    return this.#hosts.slice(0, 2).some((seed) => {
      if (seed === host || seed.state !== "running") return false;
      return (seed.program as ClusterNode).replicator.ready;
    });
  }

  /**
   * An operator forgets a dead member; not one that has forgotten somebody here: of two sides that have
   * forgotten each other nobody can tell what one has deleted from what the other has written, so they
   * merge (rule 1), and deletes that were forgotten meanwhile are undone.
   */
  #forget(host: SimulatedHost): void {
    const { gossip, replicator } = host.program as ClusterNode;
    const members = gossip.swim.members();
    const here = new Set(
      members.filter(({ state }) => state === "alive" || state === "suspect").map(({ id }) => id),
    );
    const victim = this.#pick(
      members.filter(({ state }) => state === "dead" || state === "stopped"),
    );
    if (victim === undefined) return;
    const there = this.#hosts
      .map(({ program }) => program as ClusterNode)
      .find((node) => node.gossip.id === victim.id);
    const known = there?.gossip.swim.members() ?? [];
    if (known.some(({ id, state }) => state === "forgotten" && here.has(id))) return;
    this.#ledger.excuse(victim.id);
    const departed = replicator.departureStamp((host.program as ClusterNode).now());
    gossip.perform(gossip.swim.forget(victim.id, host.now(), { departed }));
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
    if (outboxEntries > BOUNDS.outboxEntries) this.#ledger.report("bounds", "outbox");
    if (waitingEntries > BOUNDS.waitingEntries) this.#ledger.report("bounds", "waiting");
  }

  #heal(): void {
    const { network } = this.#world;
    this.#faulty = false;
    network.heal();
    network.setConditions({ lossRate: 0, reorderRate: 0, duplicateRate: 0 });
    for (const a of this.#hosts) {
      for (const b of this.#hosts) if (a !== b) network.mend(a, b);
      a.wallOffsetMs = 0;
      if (a.state === "paused") a.resume();
    }
    this.#startAll();
    // One that was stopping when the faults ended is down a little later.
    this.#world.clock.schedule(1000, () => this.#startAll());
  }

  #startAll(): void {
    for (const host of this.#hosts) if (host.state !== "running") host.start();
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
