import type { Parcel } from "./parcel.ts";
import type { Prng } from "./prng.ts";
import type { SimulatedStream, StreamEnd } from "./simulated_stream.ts";
import type { Task, VirtualClock } from "./virtual_clock.ts";

/** A program that runs on a simulated host. Made anew at each start of the process. */
export interface Program {
  /** The process starts. */
  start?(): void;

  /** A datagram came. */
  datagram?(bytes: Uint8Array, from: string): void;

  /** A parcel came, in place of a datagram. Without this method it is lost. */
  parcel?(parcel: Parcel, from: string): void;

  /** Somebody opened a stream. Without this method streams are refused. */
  stream?(stream: SimulatedStream): void;

  /** SIGTERM: end in order. Without this method the process just ends. */
  terminate?(): void;
}

/** Makes the program of a host. Called at each start. */
export type ProgramFactory = (host: SimulatedHost) => Program;

/** The network, as a host sees it. */
export interface HostNetwork {
  send(from: SimulatedHost, to: string, datagram: Uint8Array | Parcel): void;
  open(from: SimulatedHost, to: string, purpose: string): SimulatedStream;
  dropStreams(host: SimulatedHost, end: StreamEnd): void;
}

/** Where a host is in its life. */
export type HostState = "running" | "paused" | "down" | "off";

/**
 * A machine with one process: an address, clocks, timers, datagrams, streams, a folder that outlives the
 * process. Faults are methods: {@linkcode kill}, {@linkcode pause}, {@linkcode restart} and so on.
 */
export class SimulatedHost {
  /** `host:port`. */
  readonly address: string;

  /** Position among the hosts of the simulation. */
  readonly index: number;

  /** The host's own randomness. */
  readonly prng: Prng;

  /** What the process keeps on disk. A restart without folder empties it. */
  readonly folder: Map<string, unknown> = new Map();

  /** Added to each delivery and timer, up to this, at random: a slow or overloaded machine. */
  slowMs = 0;

  /** Wall clock minus the simulation's. */
  wallOffsetMs = 0;

  /** @internal rises with each start: what belongs to an older process is dropped */
  epoch = 0;

  /** @internal side of a partition; hosts of different sides hear nothing of each other */
  side = 0;

  /** Datagrams that a paused process missed because its receive buffer was full. */
  overflows = 0;

  #state: HostState = "down";
  #program: Program = {};
  #factory: ProgramFactory;
  #clock: VirtualClock;
  #network: HostNetwork;
  #blocked = false;
  #waiting: Waiting = newWaiting();

  /** @internal hosts are made by `Simulation.addHost()` */
  constructor(
    factory: ProgramFactory,
    options: {
      readonly address: string;
      readonly index: number;
      readonly prng: Prng;
      readonly clock: VirtualClock;
      readonly network: HostNetwork;
    },
  ) {
    this.#factory = factory;
    this.address = options.address;
    this.index = options.index;
    this.prng = options.prng;
    this.#clock = options.clock;
    this.#network = options.network;
  }

  /** The program that runs now, or ran last. */
  get program(): Program {
    return this.#program;
  }

  get state(): HostState {
    return this.#state;
  }

  /** Monotonic milliseconds. */
  now(): number {
    return this.#clock.now;
  }

  /** Wall clock in ms since 1970, with this host's offset. Virtual time 0 is 2026-06-01. */
  wall(): number {
    return 1_780_272_000_000 + Math.floor(this.#clock.now) + this.wallOffsetMs;
  }

  /** Runs `run` in `delayMs`, unless the process has ended by then; late while it is paused. */
  schedule(delayMs: number, run: () => void): void {
    this.#clock.schedule(delayMs + this.#slowness(), new HostTimer(this, run));
  }

  /** Sends a datagram, or what stands for one. It may be lost, late, doubled, out of order. */
  send(to: string, datagram: Uint8Array | Parcel): void {
    if (this.#state !== "running") return;
    if (this.#blocked) this.#wait(datagram.length, () => this.send(to, datagram));
    else this.#network.send(this, to, datagram);
  }

  /** Opens a stream; listen to its `onOpen`, `onFrame` and `onEnd`. */
  open(to: string, purpose: string): SimulatedStream {
    return this.#network.open(this, to, purpose);
  }

  /** Starts the process. Does nothing if it runs. */
  start(): void {
    if (this.#state === "running" || this.#state === "paused") return;
    this.epoch += 1;
    this.#state = "running";
    this.#blocked = false;
    this.#waiting = newWaiting();
    this.#program = this.#factory(this);
    this.#program.start?.();
  }

  /** Ends the process at once (SIGKILL): the machine stays and refuses connections. */
  kill(): void {
    this.#end("down");
  }

  /** The machine is gone: silence. */
  powerOff(): void {
    this.#end("off");
  }

  /** Asks the process to end (SIGTERM); it ends when its program calls {@linkcode kill}. */
  terminate(): void {
    if (this.#program.terminate === undefined) this.kill();
    else this.#program.terminate();
  }

  /** Ends the process and starts it again at once. */
  restart(options: { readonly keepFolder?: boolean } = {}): void {
    this.kill();
    if (options.keepFolder === false) this.folder.clear();
    this.start();
  }

  /** Freezes the process (SIGSTOP): timers wait, datagrams queue in a receive buffer of 4 MiB. */
  pause(): void {
    if (this.#state === "running") this.#state = "paused";
  }

  /** Continues it: first all timers that came due, then all that arrived, as an event loop does. */
  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    this.#catchUp();
  }

  /**
   * Blocks what it sends and receives while its timers run: the anomaly of the Lifeguard paper. At
   * {@linkcode unblock} it all happens, in its order.
   */
  block(): void {
    this.#blocked = true;
  }

  /** Ends {@linkcode block}. */
  unblock(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    if (this.#state === "running") this.#catchUp();
  }

  /** @internal something arrived: now, or when the process goes on */
  arrive(bytes: number, run: () => void): void {
    if (this.#state === "running" && !this.#blocked) run();
    else if (this.#state === "running" || this.#state === "paused") this.#wait(bytes, run);
  }

  /** @internal a timer is due: now, or when the process goes on */
  fire(run: () => void): void {
    if (this.#state === "running") run();
    else if (this.#state === "paused") this.#waiting.timers.push(run);
  }

  /** @internal a datagram is there */
  receive(datagram: Uint8Array | Parcel, from: string): void {
    if (this.#state === "running" && !this.#blocked) {
      if (datagram instanceof Uint8Array) this.#program.datagram?.(datagram, from);
      else this.#program.parcel?.(datagram, from);
      return;
    }
    const { epoch } = this;
    this.arrive(datagram.length + 64, () => {
      if (this.epoch === epoch) this.receive(datagram, from);
    });
  }

  #wait(bytes: number, run: () => void): void {
    if (this.#waiting.bytes + bytes > 4 * 1024 * 1024) {
      this.overflows += 1;
      return;
    }
    this.#waiting.bytes += bytes;
    this.#waiting.input.push(run);
  }

  #catchUp(): void {
    const { timers, input } = this.#waiting;
    this.#waiting = newWaiting();
    const { epoch } = this;
    for (const run of [...timers, ...input]) {
      if (epoch === this.epoch) run();
    }
  }

  #slowness(): number {
    return this.slowMs > 0 ? this.prng.between(0, this.slowMs) : 0;
  }

  #end(state: HostState): void {
    if (this.#state === "down" || this.#state === "off") {
      this.#state = state;
      return;
    }
    this.#state = state;
    this.epoch += 1;
    this.#network.dropStreams(this, state === "down" ? "reset" : "timeout");
  }
}

/** What a process that does not go on has before it. */
interface Waiting {
  readonly timers: (() => void)[];
  readonly input: (() => void)[];
  bytes: number;
}

function newWaiting(): Waiting {
  return { timers: [], input: [], bytes: 0 };
}

class HostTimer implements Task {
  #host: SimulatedHost;
  #epoch: number;
  #run: () => void;

  constructor(host: SimulatedHost, run: () => void) {
    this.#host = host;
    this.#epoch = host.epoch;
    this.#run = run;
  }

  run(): void {
    if (this.#host.epoch === this.#epoch) this.#host.fire(this.#run);
  }
}
