/**
 * The real `Swim` on a simulated host. Every packet is encoded and decoded, as on the wire, or with
 * `wire: "parcels"` handed over as it is with the length that it would have.
 */
import {
  decodePacket,
  DecodeError,
  encodePacket,
  type Envelope,
  type Member,
  type Summary,
} from "@dnd/protocol";
import { Swim } from "../swim.ts";
import type { SwimMachine } from "../swim_machine.ts";
import type { SwimOptions } from "../swim_options.ts";
import type { Destination, Effect, Source, SwimDependencies, SwimEvent } from "../swim_types.ts";
import { PacketParcel } from "./_packet_parcel.ts";
import { SwimStreams } from "./_swim_streams.ts";
import { shared } from "./_shared_members.ts";
import type { Parcel } from "./parcel.ts";
import type { Program, SimulatedHost } from "./simulated_host.ts";
import type { SimulatedStream } from "./simulated_stream.ts";

/** Options of {@linkcode SwimNode}: those of `Swim` but its identity, which the host's folder holds. */
export interface SwimNodeOptions extends Partial<
  Omit<SwimOptions, "id" | "generation" | "bootId" | "address">
> {
  /** Makes the machine. Default: the real `Swim`. For builds that are broken on purpose. */
  readonly machine?: (options: SwimOptions, dependencies: SwimDependencies) => SwimMachine;

  /** Called for each event, after the node itself took note of it. */
  readonly onEvent?: (event: SwimEvent, node: SwimNode) => void;

  /** The local numbers of pings and acks; default: none are sent. */
  readonly summary?: () => Summary;

  /**
   * `bytes` encodes every packet and frame (default). `parcels` encodes one packet in 64, and fails if its
   * length is not the one that was computed; the others, and pages of members, are handed over as they
   * are: a long run of a large cluster takes a third of the time.
   */
  readonly wire?: "bytes" | "parcels";
}

const encodedEvery = 64;

/** A program for `Simulation.addHost()`: `world.addHost((host) => new SwimNode(host, options))`. */
export class SwimNode implements Program {
  readonly host: SimulatedHost;
  readonly swim: SwimMachine;
  readonly id: string;
  readonly bootId: string;

  /** Packets that could not be read, by the code of the error. */
  readonly refused: Map<string, number> = new Map();

  #cluster: string;
  #parcels: boolean;
  #streams: SwimStreams;
  #maxDatagramBytes = 0;
  #packets = 0;
  #membersChanged = true;
  #onEvent: ((event: SwimEvent, node: SwimNode) => void) | undefined;

  constructor(host: SimulatedHost, options: SwimNodeOptions = {}) {
    const { onEvent, machine, summary, wire, ...swimOptions } = options;
    const { folder, prng } = host;
    const id = (folder.get("id") as string | undefined) ?? prng.hex(16);
    const generation = ((folder.get("generation") as number | undefined) ?? 0) + 1;
    folder.set("id", id);
    folder.set("generation", generation);
    this.host = host;
    this.id = id;
    this.bootId = prng.hex(8);
    this.#cluster = options.cluster ?? "dnd";
    this.#parcels = wire === "parcels";
    this.#streams = new SwimStreams(this, { cluster: this.#cluster, parcels: this.#parcels });
    this.#onEvent = onEvent;
    const identity = { id, generation, bootId: this.bootId, address: host.address };
    const remembered = (folder.get("members") as Member[] | undefined) ?? [];
    const all: SwimOptions = { remembered, ...swimOptions, ...identity };
    const dependencies = {
      prng: prng.random,
      wall: () => host.wall(),
      ...(summary === undefined ? {} : { summary }),
    };
    this.swim = machine?.(all, dependencies) ?? new Swim(all, dependencies);
  }

  /** Bytes of the largest packet this node sent. */
  get largestPacketBytes(): number {
    return this.#maxDatagramBytes;
  }

  start(): void {
    this.perform(this.swim.start(this.host.now()));
    this.#remember();
  }

  datagram(bytes: Uint8Array, address: string): void {
    this.#read(() => {
      const packet = decodePacket(bytes, {
        cluster: this.#cluster,
        id: this.id,
        bootId: this.bootId,
      });
      const { bootId } = packet.header;
      const { members } = packet.envelope;
      const envelope =
        members.length === 0
          ? packet.envelope
          : { ...packet.envelope, members: members.map(shared) };
      this.#receive(envelope, { address, bootId, directed: packet.addressed });
    });
  }

  parcel(parcel: Parcel, address: string): void {
    if (!(parcel instanceof PacketParcel)) return;
    this.#read(() => {
      const directed = parcel.open({ cluster: this.#cluster, id: this.id, bootId: this.bootId });
      this.#receive(parcel.content, { address, bootId: parcel.bootId, directed });
    });
  }

  stream(stream: SimulatedStream): void {
    this.#streams.accept(stream);
  }

  #read(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.refused.set(error.code, (this.refused.get(error.code) ?? 0) + 1);
    }
  }

  #receive(envelope: Envelope, from: Source): void {
    this.perform(this.swim.handleMessage(envelope, from, this.host.now()));
  }

  #send(envelope: Envelope, to: Destination): void {
    const { bootId } = this;
    const counter = this.#packets++;
    const parcel = this.#parcels ? new PacketParcel(envelope, to, bootId) : undefined;
    if (parcel !== undefined && counter % encodedEvery !== 0) {
      this.#sendPacket(to.address, parcel);
      return;
    }
    const bytes = encodePacket(envelope, { bootId, counter, destination: to });
    if (parcel !== undefined && parcel.length !== bytes.length) {
      throw new Error(`A packet of ${bytes.length} bytes was taken for one of ${parcel.length}`);
    }
    this.#sendPacket(to.address, bytes);
  }

  #sendPacket(address: string, packet: Uint8Array | Parcel): void {
    if (packet.length > this.#maxDatagramBytes) this.#maxDatagramBytes = packet.length;
    this.host.send(address, packet);
  }

  /** SIGTERM: says *stopped*, then ends. */
  terminate(): void {
    this.perform(this.swim.stop(this.host.now()));
  }

  /** Does what `Swim` wants. Call it with the effects of each of its methods. */
  perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "send":
          this.#send(effect.envelope, effect.to);
          break;
        case "schedule": {
          const { token, delayMs } = effect;
          this.host.schedule(delayMs, () =>
            this.perform(this.swim.handleTimer(token, this.host.now())),
          );
          break;
        }
        case "resolve":
          this.perform(this.swim.handleResolved(effect.seed, [effect.seed], this.host.now()));
          break;
        case "exchange":
          this.#streams.exchange(effect.peer);
          break;
        case "probe-stream":
          this.#streams.probe(effect.peer, effect.token, effect.timeoutMs);
          break;
        case "notify":
          this.#hear(effect.event);
      }
    }
  }

  #hear(event: SwimEvent): void {
    if ("member" in event) this.#membersChanged = true;
    this.#onEvent?.(event, this);
    if (event.type === "ended") {
      this.#remember();
      this.host.kill();
    } else if (event.type === "forgotten-self" || event.type === "exhausted") {
      const generation = event.generation + 1;
      this.host.folder.set("generation", generation);
      this.host.schedule(0, () => {
        // The program around this one may have raised it already.
        if ((this.swim.member(this.id)?.generation ?? 0) >= generation) return;
        this.perform(this.swim.raiseGeneration(generation, this.host.now()));
      });
    }
  }

  /** Writes the members to the folder, if they changed, each ten seconds. */
  #remember(): void {
    if (this.#membersChanged) this.host.folder.set("members", this.swim.remembered());
    this.#membersChanged = false;
    if (this.host.state === "running") this.host.schedule(10_000, () => this.#remember());
  }
}
