import type { SimulatedHost, Simulation } from "@dnd/gossip/simulation";
import type { ClusterLedger } from "./cluster_ledger.ts";
import type { ClusterNode } from "./cluster_node.ts";
import type { ClusterFault, ClusterTimes } from "./cluster_pace.ts";

/** A run has so many nodes at most. */
const MOST_NODES = 7;

/** What the faults of a run befall. */
export interface ClusterFaultsParts {
  readonly world: Simulation;
  readonly hosts: readonly SimulatedHost[];
  readonly ledger: ClusterLedger;
  readonly times: ClusterTimes;
  readonly faults: readonly ClusterFault[];
  /** One write at a node. */
  readonly write: (node: ClusterNode) => void;
  /** One host more. */
  readonly add: () => void;
}

/** The nodes that run. */
export function running(hosts: readonly SimulatedHost[]): ClusterNode[] {
  return hosts
    .filter(({ state }) => state === "running")
    .map(({ program }) => program as ClusterNode);
}

/** What goes wrong in a run of a whole cluster, one fault after the other, and how it ends. */
export class ClusterFaults {
  readonly #parts: ClusterFaultsParts;
  #happened = 0;
  #isFaulty = true;
  readonly #forgotten: { readonly by: string; readonly id: string }[] = [];

  constructor(parts: ClusterFaultsParts) {
    this.#parts = parts;
  }

  /** How many there were. */
  get happened(): number {
    return this.#happened;
  }

  /** A fault, and then the next ones, until `heal`. */
  begin(): void {
    const { prng, clock } = this.#parts.world;
    if (!this.#isFaulty) return;
    const fault = this.#pick(this.#parts.faults);
    if (fault !== undefined) {
      this.#happened += 1;
      this.#inflict(fault);
    }
    clock.schedule(prng.between(...this.#parts.times.faultEveryMs), () => this.begin());
  }

  #later(run: () => void): void {
    const { prng, clock } = this.#parts.world;
    clock.schedule(prng.between(...this.#parts.times.faultMs), () => {
      if (this.#isFaulty) run();
    });
  }

  #inflict(fault: ClusterFault): void {
    const { network, prng } = this.#parts.world;
    const host = this.#pick(this.#parts.hosts.filter(({ state }) => state === "running"));
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
        if (running(this.#parts.hosts).filter((node) => node.replicator.ready).length < 3) return;
        if (!this.#hasSeedBeside(host)) return;
        const { gossip } = host.program as ClusterNode;
        this.#parts.ledger.excuse(gossip.id);
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
        for (const each of this.#parts.hosts) sides[prng.chance(0.5) ? 1 : 0].push(each);
        network.partition(sides);
        this.#later(() => network.heal());
        return;
      }
      case "one-way": {
        const other = this.#pick(this.#parts.hosts.filter((each) => each !== host));
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
        for (let i = 0; i < 400; i += 1) this.#parts.write(host.program as ClusterNode);
        return;
      case "restart-all":
        for (const each of this.#parts.hosts) if (each.state === "running") each.restart();
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
        if (ahead) this.#parts.ledger.skewed(gossip.id);
        this.#later(() => (host.wallOffsetMs = 0));
        return;
      }
      case "forget":
        this.#forget(host);
        return;
      case "join":
        if (this.#parts.hosts.length < MOST_NODES) this.#parts.add();
    }
  }

  /**
   * Whether a seed with data is left when this host's is gone. Of two empty ones that find each other, and
   * nobody else, each is ready (rule 12): a cluster of their own, which owes the other one nothing.
   */
  #hasSeedBeside(host: SimulatedHost): boolean {
    return this.#parts.hosts.slice(0, 2).some((seed) => {
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
    const up = members.filter(({ state }) => state === "alive" || state === "suspect");
    const isUp = new Set(up.map(({ id }) => id));
    const here = new Set(
      members.filter(({ state }) => state !== "left" && state !== "forgotten").map(({ id }) => id),
    );
    const victim = this.#pick(
      members.filter(({ state }) => state === "dead" || state === "stopped"),
    );
    if (victim === undefined) return;
    const there = this.#parts.hosts
      .map(({ program }) => program as ClusterNode)
      .find((node) => node.gossip.id === victim.id);
    const known = there?.gossip.swim.members() ?? [];
    if (known.some(({ id, state }) => state === "forgotten" && here.has(id))) return;
    // Its list of members may be older than its last start; what it has in its map is not.
    const isMutual = this.#forgotten.some(
      ({ by, id }) => id !== victim.id && here.has(id) && !isUp.has(by),
    );
    if (isMutual) return;
    this.#forgotten.push({ by: gossip.id, id: victim.id });
    this.#parts.ledger.excuse(victim.id);
    const departed = replicator.departureStamp((host.program as ClusterNode).now());
    gossip.perform(gossip.swim.forget(victim.id, host.now(), { departed }));
  }

  /** Ends all faults: everybody runs again, by the right time, and reaches everybody. */
  heal(): void {
    const { network } = this.#parts.world;
    this.#isFaulty = false;
    network.heal();
    network.setConditions({ lossRate: 0, reorderRate: 0, duplicateRate: 0 });
    for (const a of this.#parts.hosts) {
      for (const b of this.#parts.hosts) if (a !== b) network.mend(a, b);
      a.wallOffsetMs = 0;
      if (a.state === "paused") a.resume();
    }
    this.#startAll();
    // One that was stopping when the faults ended is down a little later.
    this.#parts.world.clock.schedule(1000, () => this.#startAll());
  }

  #startAll(): void {
    for (const host of this.#parts.hosts) if (host.state !== "running") host.start();
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[this.#parts.world.prng.integer(Math.max(1, items.length))];
  }
}
