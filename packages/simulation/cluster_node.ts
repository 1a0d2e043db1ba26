import {
  decode,
  encode,
  type FrameBody,
  type Init,
  type Member,
  type Summary,
} from "@dnd/protocol";
import {
  BelievedClock,
  type ReplicationEffect,
  type ReplicationEvent,
  type ReplicationOptions,
  Replicator,
} from "@dnd/replication";
import { SeedWatch, type ProfileName, type SwimEvent } from "@dnd/gossip";
import type {
  Parcel,
  Program,
  SimulatedHost,
  SimulatedStream,
  SwimNodeOptions,
} from "@dnd/gossip/simulation";
import { SwimNode } from "@dnd/gossip/simulation";
import { type Entry, VersionedMap } from "@dnd/store";
import { DiskEngine, newDisk, type SimulatedDisk } from "./disk_engine.ts";

/** What a simulated node is made with. */
export interface ClusterNodeOptions {
  readonly seeds: readonly string[];
  readonly replication?: ReplicationOptions;
  /** Time of one commit, at most; the least is a tenth of it. */
  readonly commitMs?: number;
  /** Times of the membership; default `local`. */
  readonly profile?: ProfileName;
  /** How datagrams travel; default `bytes`. */
  readonly wire?: SwimNodeOptions["wire"];
  /** Called with each event of the membership, before the node acts on it. */
  readonly onEvent?: ((event: SwimEvent) => void) | undefined;
}

/** What happened on a node, for the checkers; outlives the process. */
export interface ClusterNodeRecord {
  readonly aside: Entry[];
  readonly events: {
    /** Milliseconds since the process started. */
    readonly sinceStartMs: number;
    /** Whether it had somebody to call. */
    readonly seeded: boolean;
    readonly event: ReplicationEvent;
  }[];
}

interface OpenStream {
  readonly stream: SimulatedStream;
  readonly peer: string;
  paused: boolean;
  held: Uint8Array[];
}

/**
 * A whole node on a simulated host: the real `Swim`, the real `VersionedMap`, the real `Replicator`, and a
 * driver as thin as the server's. Frames and updates are encoded and decoded; packets too, or by `wire` one in 64.
 */
export class ClusterNode implements Program {
  readonly host: SimulatedHost;
  readonly gossip: SwimNode;
  readonly map: VersionedMap;
  readonly engine: DiskEngine;
  readonly replicator: Replicator;
  readonly record: ClusterNodeRecord;
  readonly #streams = new Map<number, OpenStream>();
  readonly #clock = new BelievedClock({ maxDriftMs: 500 });
  readonly #startedAt: number;
  readonly #seeded: boolean;
  readonly #seeds: SeedWatch;
  #running = false;
  #readyTold = false;
  #skewed = false;
  #skewedTold = false;

  constructor(host: SimulatedHost, options: ClusterNodeOptions) {
    this.host = host;
    const { folder } = host;
    const disk = (folder.get("disk") as SimulatedDisk | undefined) ?? newDisk();
    folder.set("disk", disk);
    this.record = (folder.get("record") as ClusterNodeRecord | undefined) ?? {
      aside: [],
      events: [],
    };
    folder.set("record", this.record);
    const commitMs = options.commitMs ?? 10;
    this.engine = new DiskEngine({
      disk,
      schedule: (run) => host.schedule(commitMs * host.prng.between(0.1, 1), run),
    });
    const seeds = options.seeds.filter((seed) => seed !== host.address);
    this.gossip = new SwimNode(host, {
      seeds,
      profile: options.profile ?? "local",
      wire: options.wire ?? "bytes",
      onEvent: (event) => {
        options.onEvent?.(event);
        this.#hear(event);
      },
      summary: () => this.#summary(),
    });
    this.#startedAt = host.now();
    this.#seeded = seeds.length > 0;
    this.#seeds = new SeedWatch(seeds);
    this.map = new VersionedMap({ node: this.gossip.id, engine: this.engine });
    const generation = folder.get("generation") as number;
    const remembered = (folder.get("members") as Member[] | undefined) ?? [];
    this.replicator = new Replicator(
      {
        map: this.map,
        prng: host.prng.random,
        generation,
        members: () => this.gossip.swim.remembered(),
        hasSeeds: this.hasSeeds(seeds.length + remembered.length),
      },
      options.replication,
    );
  }

  /** Whether there is anybody to call (rule 12). */
  hasSeeds(known: number): boolean {
    return known > 0;
  }

  start(): void {
    this.#running = true;
    this.perform(this.replicator.start(this.now()));
    if (this.#seeds.isDone) this.perform(this.replicator.handleSeedsAnswered(this.now()));
    this.gossip.start();
    for (const view of this.gossip.swim.members()) {
      if (!view.self) this.perform(this.replicator.handleMember(view, this.now()));
    }
    this.#expire();
  }

  /** Wall time as this node believes it (rule 8). */
  now(): number {
    const { host, replicator } = this;
    return this.#clock.read(host.wall(), host.now(), replicator.medianMs);
  }

  datagram(bytes: Uint8Array, from: string): void {
    this.gossip.datagram(bytes, from);
  }

  parcel(parcel: Parcel, from: string): void {
    this.gossip.parcel(parcel, from);
  }

  stream(stream: SimulatedStream): void {
    if (stream.purpose !== "exchange" && stream.purpose !== "push") {
      this.gossip.stream(stream);
      return;
    }
    const { purpose } = stream;
    let number: number | undefined;
    stream.onFrame = (bytes) => {
      const { body } = decode(bytes, "Frame");
      if (body === undefined) return;
      if (number !== undefined) {
        this.#receive(number, bytes);
        return;
      }
      if (body.type !== "hello") {
        stream.close();
        return;
      }
      const accepted = this.replicator.acceptStream(body.id, purpose, this.now());
      number = accepted.stream;
      this.#streams.set(number, { stream, peer: body.id, paused: false, held: [] });
      this.perform(accepted.effects);
    };
    stream.onEnd = () => {
      if (number !== undefined) this.#ended(number);
    };
  }

  terminate(): void {
    this.gossip.terminate();
  }

  /** A client's write; `done` once it is durable, which is when the client is answered. */
  write(write: () => Entry, done: (entry: Entry) => void): void {
    const entry = write();
    this.perform(this.replicator.handleWrite([entry], this.now()));
    this.host.schedule(0, () => this.perform(this.replicator.flush(this.now())));
    this.engine.onCommitted(() => done(entry));
  }

  perform(effects: readonly ReplicationEffect[]): void {
    for (const effect of effects) this.#perform(effect);
    this.#tellFlags();
  }

  #perform(effect: ReplicationEffect): void {
    const { host, replicator } = this;
    switch (effect.type) {
      case "rumor": {
        const bytes = encode(effect.update, "Update");
        this.gossip.perform(this.gossip.swim.send(effect.to, bytes, host.now()));
        return;
      }
      case "open-stream":
        this.#open(effect);
        return;
      case "frame": {
        const { stream } = effect;
        this.#streams.get(stream)?.stream.send(encode({ body: effect.frame }, "Frame"));
        host.schedule(0, () => this.perform(replicator.handleSent(stream, this.now())));
        return;
      }
      case "pause":
      case "resume":
        this.#flow(effect.stream, effect.type === "pause");
        return;
      case "close-stream": {
        const open = this.#streams.get(effect.stream);
        this.#streams.delete(effect.stream);
        if (open === undefined) return;
        open.stream.onEnd = undefined;
        open.stream.close();
        host.schedule(0, () =>
          this.perform(replicator.handleStreamClosed(effect.stream, this.now())),
        );
        return;
      }
      case "schedule":
        host.schedule(effect.delayMs, () =>
          this.perform(replicator.handleTimer(effect.token, this.now())),
        );
        return;
      case "commit":
        this.engine.onCommitted(() =>
          this.perform(replicator.handleCommitted(effect.mark, this.now())),
        );
        return;
      case "set-aside":
        this.record.aside.push(...effect.entries);
        return;
      case "members":
        this.gossip.perform(
          this.gossip.swim.mergeMembers(effect.members, { id: effect.from }, host.now()),
        );
        return;
      case "re-enter":
        this.#raise(effect.generation);
        return;
      case "notify":
        if (effect.event.type === "skewed") this.#skewed = effect.event.skewed;
        this.record.events.push({
          sinceStartMs: host.now() - this.#startedAt,
          seeded: this.#seeded,
          event: effect.event,
        });
        return;
    }
  }

  #raise(generation: number): void {
    const held = this.host.folder.get("generation") as number;
    if (generation > held) this.host.folder.set("generation", generation);
    // In a later turn: the core may be in the middle of merging what said so.
    this.host.schedule(0, () => {
      const own = this.gossip.swim.member(this.gossip.id);
      if (own === undefined || own.generation >= generation) return;
      this.gossip.perform(this.gossip.swim.raiseGeneration(generation, this.host.now()));
    });
  }

  #open(effect: Extract<ReplicationEffect, { type: "open-stream" }>): void {
    const { host, replicator } = this;
    const { stream: number, peer, purpose } = effect;
    const member = this.gossip.swim.member(peer);
    if (member === undefined) {
      host.schedule(0, () => this.perform(replicator.handleStreamClosed(number, this.now())));
      return;
    }
    const stream = host.open(member.address, purpose);
    this.#streams.set(number, { stream, peer, paused: false, held: [] });
    stream.onOpen = () => {
      const { id, bootId } = this.gossip;
      const hello: Init<FrameBody> = { type: "hello", id, bootId, purpose };
      stream.send(encode({ body: hello }, "Frame"));
      this.perform(replicator.handleStreamOpened(number, this.now()));
    };
    stream.onFrame = (bytes) => this.#receive(number, bytes);
    stream.onEnd = () => this.#ended(number);
  }

  #receive(number: number, bytes: Uint8Array): void {
    const open = this.#streams.get(number);
    if (open === undefined) return;
    if (open.paused) {
      open.held.push(bytes);
      return;
    }
    const { body } = decode(bytes, "Frame");
    if (body !== undefined) {
      this.perform(this.replicator.handleFrame(number, body, this.now()));
    }
  }

  #flow(number: number, paused: boolean): void {
    const open = this.#streams.get(number);
    if (open === undefined) return;
    open.paused = paused;
    if (paused) return;
    const { held } = open;
    open.held = [];
    for (const bytes of held) this.#receive(number, bytes);
  }

  #ended(number: number): void {
    if (!this.#streams.delete(number)) return;
    this.perform(this.replicator.handleStreamClosed(number, this.now()));
  }

  #hear(event: SwimEvent): void {
    if (!this.#running) return;
    const { replicator } = this;
    const now = this.now();
    switch (event.type) {
      case "summary": {
        const { from, summary, wall, rttMs } = event;
        const times = rttMs === undefined ? { now, wall } : { now, wall, rttMs };
        this.perform(replicator.handleSummary(from, summary, times));
        return;
      }
      case "update":
        this.perform(replicator.handleUpdate(event.from, decode(event.bytes, "Update"), now));
        return;
      case "forgotten-self":
      case "exhausted": {
        const { generation } = event;
        this.perform(
          replicator.handleMember({ id: this.gossip.id, state: "forgotten", generation }, now),
        );
        return;
      }
      case "seed":
        if (this.#seeds.hear(event)) this.perform(replicator.handleSeedsAnswered(now));
        return;
      case "removed":
        this.perform(replicator.handleMemberRemoved(event.member.id, now));
        return;
      default:
        if ("member" in event && !event.member.self) {
          this.perform(replicator.handleMember(event.member, now));
        }
    }
  }

  #summary(): Summary {
    this.gossip.swim.setSeen(this.replicator.seen);
    return this.replicator.summary(this.now());
  }

  #tellFlags(): void {
    if (!this.#running) return;
    const { ready } = this.replicator;
    if (ready !== this.#readyTold) {
      this.#readyTold = ready;
      this.gossip.perform(this.gossip.swim.setReady(ready, this.host.now()));
    }
    if (this.#skewed === this.#skewedTold) return;
    this.#skewedTold = this.#skewed;
    this.gossip.perform(this.gossip.swim.setSkewed(this.#skewed, this.host.now()));
  }

  #expire(): void {
    this.map.expire({ now: this.replicator.expiryNow(this.now()) });
    this.host.schedule(1000, () => this.#expire());
  }
}
