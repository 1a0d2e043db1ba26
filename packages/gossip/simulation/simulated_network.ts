import type { Parcel } from "./parcel.ts";
import type { Prng } from "./prng.ts";
import type { SimulatedHost } from "./simulated_host.ts";
import { SimulatedTcp, type Ways } from "./_simulated_tcp.ts";
import type { SimulatedStream, StreamEnd } from "./simulated_stream.ts";
import type { Trace } from "./trace.ts";
import type { Task, VirtualClock } from "./virtual_clock.ts";

/** What happens to datagrams between two hosts, one way. */
export interface LinkConditions {
  /** Share of datagrams that vanish. Default 0. */
  readonly lossRate: number;

  /** Least time on the way, in ms. Default 0.5. */
  readonly minDelayMs: number;

  /** Most time on the way, in ms; uniform between. Default 1.5. */
  readonly maxDelayMs: number;

  /** Share of datagrams that arrive twice. Default 0. */
  readonly duplicateRate: number;

  /** Share of datagrams that take up to ten times the longest delay, and so are overtaken. Default 0. */
  readonly reorderRate: number;
}

/** What went through the network so far. */
export interface NetworkCounters {
  datagrams: number;
  bytes: number;
  lost: number;
  cut: number;
  delivered: number;
  duplicated: number;
  largestDatagram: number;
  streams: number;
  frames: number;
  frameBytes: number;
}

/**
 * The network between simulated hosts. Datagrams are bytes and nothing else; streams keep order. All
 * randomness comes from the seed.
 */
export class SimulatedNetwork {
  readonly counters: NetworkCounters = {
    datagrams: 0,
    bytes: 0,
    lost: 0,
    cut: 0,
    delivered: 0,
    duplicated: 0,
    largestDatagram: 0,
    streams: 0,
    frames: 0,
    frameBytes: 0,
  };

  /** Sees each datagram when it is sent; for checkers. */
  onDatagram:
    ((from: SimulatedHost, to: string, datagram: Uint8Array | Parcel) => void) | undefined;

  #clock: VirtualClock;
  #prng: Prng;
  #trace: Trace;
  #conditions: LinkConditions = {
    lossRate: 0,
    minDelayMs: 0.5,
    maxDelayMs: 1.5,
    duplicateRate: 0,
    reorderRate: 0,
  };
  #hosts: Map<string, SimulatedHost> = new Map();
  #links: Map<string, Partial<LinkConditions>> = new Map();
  #cuts: Set<string> = new Set();
  #tcp: SimulatedTcp;

  /** @internal made by `createSimulation()` */
  constructor(dependencies: {
    readonly clock: VirtualClock;
    readonly prng: Prng;
    readonly trace: Trace;
  }) {
    this.#clock = dependencies.clock;
    this.#prng = dependencies.prng;
    this.#trace = dependencies.trace;
    const ways: Ways = {
      host: (address) => this.#hosts.get(address),
      connected: (from, to) => this.connected(from, to),
      lossRate: (from, to) => this.#linkConditions(from, to).lossRate,
      delay: (from, to) => this.#delay(this.#linkConditions(from, to)),
    };
    this.#tcp = new SimulatedTcp(dependencies, ways, this.counters);
  }

  /** @internal */
  attach(host: SimulatedHost): void {
    this.#hosts.set(host.address, host);
  }

  /** Conditions of all links that have none of their own. */
  get conditions(): LinkConditions {
    return this.#conditions;
  }

  /** Changes the conditions of all links. */
  setConditions(conditions: Partial<LinkConditions>): void {
    this.#conditions = { ...this.#conditions, ...conditions };
  }

  /** Changes one link, one way. Without conditions it is as all others again. */
  setLink(from: SimulatedHost, to: SimulatedHost, conditions?: Partial<LinkConditions>): void {
    const key = link(from, to);
    if (conditions === undefined) this.#links.delete(key);
    else this.#links.set(key, conditions);
  }

  /** Nothing goes from one to the other, one way. */
  cut(from: SimulatedHost, to: SimulatedHost): void {
    this.#cuts.add(link(from, to));
  }

  /** Undoes {@linkcode cut}. */
  mend(from: SimulatedHost, to: SimulatedHost): void {
    this.#cuts.delete(link(from, to));
  }

  /** Splits the hosts: only those of one group hear each other. Hosts in no group form one of their own. */
  partition(groups: readonly (readonly SimulatedHost[])[]): void {
    for (const host of this.#hosts.values()) host.side = 0;
    groups.forEach((group, index) => {
      for (const host of group) host.side = index + 1;
    });
  }

  /** Ends all partitions and cuts; conditions of links stay. */
  heal(): void {
    this.#cuts.clear();
    for (const host of this.#hosts.values()) host.side = 0;
  }

  /** Whether anything can go from one to the other now. */
  connected(from: SimulatedHost, to: SimulatedHost): boolean {
    if (from.side !== to.side) return false;
    return this.#cuts.size === 0 || !this.#cuts.has(link(from, to));
  }

  /** @internal */
  send(from: SimulatedHost, to: string, datagram: Uint8Array | Parcel): void {
    const { counters } = this;
    const { length } = datagram;
    counters.datagrams += 1;
    counters.bytes += length;
    if (length > counters.largestDatagram) counters.largestDatagram = length;
    this.onDatagram?.(from, to, datagram);
    const host = this.#hosts.get(to);
    if (host === undefined || !this.connected(from, host)) {
      counters.cut += 1;
      return;
    }
    const conditions = this.#linkConditions(from, host);
    if (this.#prng.chance(conditions.lossRate)) {
      counters.lost += 1;
      return;
    }
    this.#deliver(from, host, datagram, conditions);
    if (this.#prng.chance(conditions.duplicateRate)) {
      counters.duplicated += 1;
      this.#deliver(from, host, datagram, conditions);
    }
  }

  /** @internal */
  open(from: SimulatedHost, to: string, purpose: string): SimulatedStream<SimulatedHost> {
    return this.#tcp.open(from, to, purpose);
  }

  /** @internal the process of this host ended */
  dropStreams(host: SimulatedHost, end: StreamEnd): void {
    this.#tcp.drop(host, end);
  }

  #deliver(
    from: SimulatedHost,
    to: SimulatedHost,
    datagram: Uint8Array | Parcel,
    conditions: LinkConditions,
  ): void {
    let delay = this.#delay(conditions);
    if (this.#prng.chance(conditions.reorderRate)) {
      delay += this.#prng.between(0, 10 * conditions.maxDelayMs);
    }
    if (to.slowMs > 0) delay += this.#prng.between(0, to.slowMs);
    this.#clock.schedule(delay, new Delivery(this, from, to, datagram));
  }

  /** @internal a datagram is there */
  arrived(from: SimulatedHost, to: SimulatedHost, datagram: Uint8Array | Parcel): void {
    this.counters.delivered += 1;
    this.#trace.add(this.#clock.now, from.index * 65_536 + to.index, datagram);
    to.receive(datagram, from.address);
  }

  #delay(conditions: LinkConditions): number {
    return this.#prng.between(conditions.minDelayMs, conditions.maxDelayMs);
  }

  #linkConditions(from: SimulatedHost, to: SimulatedHost): LinkConditions {
    if (this.#links.size === 0) return this.#conditions;
    const own = this.#links.get(link(from, to));
    return own === undefined ? this.#conditions : { ...this.#conditions, ...own };
  }
}

/** A datagram on its way. */
class Delivery implements Task {
  #network: SimulatedNetwork;
  #from: SimulatedHost;
  #to: SimulatedHost;
  #datagram: Uint8Array | Parcel;

  constructor(
    network: SimulatedNetwork,
    from: SimulatedHost,
    to: SimulatedHost,
    datagram: Uint8Array | Parcel,
  ) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
    this.#datagram = datagram;
  }

  run(): void {
    this.#network.arrived(this.#from, this.#to, this.#datagram);
  }
}

function link(from: SimulatedHost, to: SimulatedHost): string {
  return `${from.index}>${to.index}`;
}
