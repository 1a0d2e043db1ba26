import type { SwimEvent, SwimMachine } from "@dnd/gossip";
import {
  createSimulation,
  type LinkConditions,
  type SimulatedHost,
  type Simulation,
  SwimNode,
  type SwimNodeOptions,
} from "@dnd/gossip/simulation";

/** Options of {@linkcode SwimWorld}. */
export interface SwimWorldOptions {
  /** Hosts. */
  readonly nodes: number;

  /** Everything random comes from it. Default 1. */
  readonly seed?: number;

  /** Conditions of all links. Default: no loss, 0.5 to 1.5 ms one way. */
  readonly network?: Partial<LinkConditions>;

  /** For each node. The first three hosts are seeds unless told otherwise. */
  readonly node?: Omit<SwimNodeOptions, "onEvent">;
}

/** An event of one node. */
export type Observer = (event: SwimEvent, node: SwimNode) => void;

/** A cluster of real `Swim`s on simulated hosts, and what is true of it: who runs, who may hear whom. */
export class SwimWorld {
  readonly simulation: Simulation;
  readonly observers: Observer[] = [];

  /** Time of the last fault that touched a host; -1 = none. By index. */
  readonly troubledAt: number[] = [];

  constructor(options: SwimWorldOptions) {
    this.simulation = createSimulation({
      seed: options.seed ?? 1,
      ...(options.network === undefined ? {} : { network: options.network }),
    });
    const seeds: string[] = [];
    const onEvent: Observer = (event, node) => {
      for (const observer of this.observers) observer(event, node);
    };
    for (let i = 0; i < options.nodes; i += 1) {
      const host = this.simulation.addHost(
        (self) => new SwimNode(self, { seeds, ...options.node, onEvent }),
        { start: false },
      );
      if (i < 3) seeds.push(host.address);
      this.troubledAt.push(-1);
    }
    for (const host of this.hosts) host.start();
  }

  get hosts(): readonly SimulatedHost[] {
    return this.simulation.hosts;
  }

  get now(): number {
    return this.simulation.clock.now;
  }

  /** The node that runs, or ran last, on a host. */
  node(host: SimulatedHost): SwimNode {
    return host.program as SwimNode;
  }

  /** Nodes whose process runs and is not paused. */
  running(): SwimNode[] {
    return this.hosts.filter((host) => host.state === "running").map((host) => this.node(host));
  }

  /** A fault touched these hosts, or all. */
  trouble(hosts: readonly SimulatedHost[] = this.hosts): void {
    for (const host of hosts) this.troubledAt[host.index] = this.now;
  }

  /** The host whose process has, or last had, this id. */
  hostOf(id: string): SimulatedHost | undefined {
    return this.hosts.find((host) => this.node(host).id === id);
  }

  /** Whether every running node sees exactly the running ones, each in its present generation. */
  agrees(): boolean {
    return this.disagreement() === undefined;
  }

  /** What is wrong in somebody's view; `undefined` when all agree. */
  disagreement(): string | undefined {
    const running = this.running();
    const truth = new Map(running.map((node) => [node.id, generationOf(node)]));
    for (const node of running) {
      if (node.swim.sizes().members < running.length) {
        return `${node.host.address} knows ${node.swim.sizes().members} of ${running.length}`;
      }
      const wrong = wrongIn(node.swim, truth);
      if (wrong !== undefined) return `${node.host.address} sees ${wrong}`;
    }
    return undefined;
  }
}

function generationOf(node: SwimNode): number {
  return node.swim.member(node.id)?.generation ?? 0;
}

function wrongIn(swim: SwimMachine, truth: ReadonlyMap<string, number>): string | undefined {
  let right = 0;
  for (const member of swim.members()) {
    const generation = truth.get(member.id);
    const up = member.state === "alive" || member.state === "suspect";
    if (generation === undefined) {
      if (up) return `${member.address} ${member.state}, which does not run`;
      continue;
    }
    if (member.state !== "alive" || member.generation !== generation) {
      return `${member.address} ${member.state} in generation ${member.generation}, not ${generation}`;
    }
    right += 1;
  }
  return right === truth.size ? undefined : `${right} of ${truth.size} members`;
}
