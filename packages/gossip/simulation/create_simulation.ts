import { Prng } from "./prng.ts";
import { SimulatedHost, type ProgramFactory } from "./simulated_host.ts";
import { type LinkConditions, SimulatedNetwork } from "./simulated_network.ts";
import { Trace } from "./trace.ts";
import { VirtualClock } from "./virtual_clock.ts";

/** Options of {@linkcode createSimulation}. */
export interface SimulationOptions {
  /** Everything random comes from it. Default 1. */
  readonly seed?: number;

  /** Conditions of the network at the start. Default: no loss, 0.5 to 1.5 ms one way. */
  readonly network?: Partial<LinkConditions>;
}

/** A world of hosts on a virtual clock and a virtual network. */
export class Simulation {
  readonly seed: number;
  readonly clock: VirtualClock;
  readonly network: SimulatedNetwork;

  /** For the schedule of faults; the network and each host have sources of their own. */
  readonly prng: Prng;
  readonly trace: Trace = new Trace();
  readonly hosts: SimulatedHost[] = [];

  #root: Prng;

  /** See {@linkcode createSimulation}. */
  constructor(options: SimulationOptions = {}) {
    checkOptions(options);
    this.seed = options.seed ?? 1;
    this.#root = new Prng(this.seed);
    this.prng = this.#root.fork();
    this.clock = new VirtualClock();
    this.network = new SimulatedNetwork({
      clock: this.clock,
      prng: this.#root.fork(),
      trace: this.trace,
    });
    if (options.network !== undefined) this.network.setConditions(options.network);
  }

  /**
   * Adds a host and starts its program.
   *
   * @param factory makes the program, at each start of the process
   * @param options `address`: default `10.x.y.z:5000`, one for each host; `start: false` leaves it down
   */
  addHost(
    factory: ProgramFactory,
    options: { readonly address?: string; readonly start?: boolean } = {},
  ): SimulatedHost {
    const index = this.hosts.length;
    const address =
      options.address ?? `10.${index >>> 16}.${(index >>> 8) & 255}.${index & 255}:5000`;
    const host = new SimulatedHost(factory, {
      address,
      index,
      prng: this.#root.fork(),
      clock: this.clock,
      network: this.network,
    });
    this.hosts.push(host);
    this.network.attach(host);
    if (options.start !== false) host.start();
    return host;
  }

  /**
   * Lets `durationMs` pass.
   *
   * @throws {RangeError} when that is no time: a clock that is not a number would never say so
   */
  run(durationMs: number): void {
    if (!(Number.isFinite(durationMs) && durationMs >= 0)) {
      throw new RangeError(`Cannot let ${durationMs} ms pass: write a number from 0`);
    }
    this.clock.run(durationMs);
  }

  /** Lets time pass until the condition holds; the ms it took, `undefined` if `limitMs` was too short. */
  runUntil(
    condition: () => boolean,
    options: { readonly limitMs: number; readonly everyMs?: number },
  ): number | undefined {
    return this.clock.runUntil(condition, options);
  }

  /** Hash over all that happened so far: the same seed and program give the same hash. */
  get traceHash(): string {
    return this.trace.hash;
  }
}

/**
 * Makes a world: a virtual clock, a virtual network, and hosts that run programs. Nothing waits for
 * real time, and the same seed gives the same run.
 *
 * @throws {TypeError} or {RangeError} for options that are none
 *
 * @example
 * ```ts
 * import { createSimulation } from "@dnd/gossip/simulation";
 *
 * const world = createSimulation({ seed: 7, network: { lossRate: 0.05 } });
 * let heard = 0;
 * const b = world.addHost(() => ({ datagram: () => void (heard += 1) }));
 * const a = world.addHost(() => ({}));
 * for (let i = 0; i < 100; i += 1) a.send(b.address, new Uint8Array([i]));
 * world.network.partition([[a], [b]]);
 * world.run(1_000); // ms of virtual time
 * ```
 */
export function createSimulation(options: SimulationOptions = {}): Simulation {
  return new Simulation(options);
}

function checkOptions(options: unknown): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("Cannot make a simulation: the options are no object");
  }
  const { seed, network, ...others } = options as Readonly<Record<string, unknown>>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw new TypeError(`Cannot make a simulation: no option ${unknown}; there are seed, network`);
  }
  if (seed !== undefined && !Number.isSafeInteger(seed)) {
    const given = typeof seed === "number" ? seed : `of type ${typeof seed}`;
    throw new RangeError(`Cannot make a simulation: a seed ${given} is no safe integer`);
  }
  if (network !== undefined && (typeof network !== "object" || network === null)) {
    throw new TypeError("Cannot make a simulation: network is no object");
  }
}
