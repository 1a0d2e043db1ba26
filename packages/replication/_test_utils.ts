import type { Entry } from "@dnd/store";
import { VersionedMap, type Engine } from "@dnd/store";
import {
  decode,
  encode,
  encodeFrame,
  FrameDecoder,
  type FrameBody,
  type Member,
} from "@dnd/protocol";
import type { ReplicationEffect } from "./replication_effect.ts";
import type { ReplicationEvent } from "./replication_event.ts";
import type { ReplicationOptions } from "./replication_options.ts";
import { Replicator } from "./replicator.ts";

/** A moment in 2027, in milliseconds since 1970. */
export const START_MS: number = Date.UTC(2027, 0, 1);

/** The id of node `n`: 32 hex digits, in the order of the numbers. */
export function idOf(n: number): string {
  return n.toString(16).padStart(32, "0");
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A small seeded generator (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Task {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

interface Pipe {
  readonly ends: readonly [End, End];
  closed: boolean;
  /** Something was lost on its way: what follows waits for it. */
  stuck?: boolean;
}

interface End {
  readonly node: TestNode;
  stream: number;
  readonly decoder: FrameDecoder;
  paused: boolean;
  held: Uint8Array[];
}

export interface TestClusterOptions extends ReplicationOptions {
  readonly nodes?: number;
  readonly seed?: number;
  /** Part of the rumors that is lost. */
  readonly loss?: number;
  readonly latencyMs?: number;
  /** How long a rumor takes; default: about the latency. */
  readonly rumorMs?: (prng: () => number) => number;
  readonly pingMs?: number;
  /** How long a stream takes for a frame before it takes the next one. */
  readonly frameMs?: number;
  /** How long a commit takes. */
  readonly commitMs?: number;
  /** Nodes that know each other from the start and are ready; default all. */
  readonly together?: boolean;
}

export class TestNode {
  readonly id: string;
  readonly map: VersionedMap;
  readonly events: ReplicationEvent[] = [];
  readonly aside: Entry[] = [];
  replicator: Replicator;
  generation = 1;
  up = true;
  /** Wall clock minus true time. */
  offsetMs = 0;

  constructor(id: string, map: VersionedMap, replicator: Replicator) {
    this.id = id;
    this.map = map;
    this.replicator = replicator;
  }

  eventsOf<T extends ReplicationEvent["type"]>(type: T): Extract<ReplicationEvent, { type: T }>[] {
    return this.events.filter(
      (event): event is Extract<ReplicationEvent, { type: T }> => event.type === type,
    );
  }
}

/**
 * Replicators in one process on virtual time. Every update and frame is encoded and decoded. Pings are
 * plain calls: each node pings one other in turn.
 */
export class TestCluster {
  now: number = START_MS;
  readonly nodes: TestNode[] = [];
  readonly prng: () => number;
  readonly options: TestClusterOptions;
  /** Whether a packet or stream between two nodes gets through. */
  connected: (a: string, b: string) => boolean = () => true;
  /** Counts of what went over the wire. */
  readonly wire = { rumors: 0, rumorBytes: 0, frames: 0, frameBytes: 0, streams: 0 };
  readonly frames: { from: string; to: string; type: string; bytes: number }[] = [];
  /** What becomes of a frame on its way. */
  change: (frame: FrameBody) => FrameBody = (frame) => frame;
  #tasks: Task[] = [];
  #order = 0;
  readonly #pipes = new Map<string, Pipe>();

  constructor(options: TestClusterOptions = {}) {
    this.options = options;
    this.prng = seeded(options.seed ?? 1);
    for (let i = 0; i < (options.nodes ?? 3); i += 1) this.add();
    if (options.together !== false) {
      for (const a of this.nodes) for (const b of this.nodes) if (a !== b) this.meet(a, b);
      this.run(3000);
    }
  }

  /** Whether the nodes can write what they set aside. */
  canSetAside = true;

  /** Adds a node that knows nobody; it is ready alone unless `hasSeeds`. */
  add(how: { hasSeeds?: boolean; engine?: Engine; id?: string; offsetMs?: number } = {}): TestNode {
    const id = how.id ?? idOf(this.nodes.length + 1);
    const map = new VersionedMap({ node: id, ...(how.engine ? { engine: how.engine } : {}) });
    const replicator = this.#replicator(map, 1, how.hasSeeds ?? this.options.together === false);
    const node = new TestNode(id, map, replicator);
    node.offsetMs = how.offsetMs ?? 0;
    this.nodes.push(node);
    this.apply(node, replicator.start(this.wall(node)));
    this.#pinging(node);
    return node;
  }

  #replicator(map: VersionedMap, generation: number, hasSeeds: boolean): Replicator {
    const prng = seeded(Math.floor(this.prng() * 2 ** 31));
    // Who loses packets wants to see what is lost: nothing is on a stream that is open.
    const streamLimit = (this.options.loss ?? 0) > 0 ? 0 : 9;
    const options = { streamLimit, ...this.options };
    return new Replicator(
      { map, prng, generation, hasSeeds, canSetAside: () => this.canSetAside },
      options,
    );
  }

  node(i: number): TestNode {
    const node = this.nodes[i];
    if (node === undefined) throw new RangeError(`Cannot find node ${i}`);
    return node;
  }

  wall(node: TestNode): number {
    return this.now + node.offsetMs;
  }

  /** `a` hears that `b` is alive. */
  meet(a: TestNode, b: TestNode, state: Member["state"] = "alive"): void {
    const news = { id: b.id, state, generation: b.generation, ready: b.replicator.ready };
    this.apply(a, a.replicator.handleMember(news, this.wall(a)));
  }

  put(node: TestNode, key: string, value: string | Uint8Array): Entry {
    const bytes = typeof value === "string" ? bytesOf(value) : value;
    const entry = node.map.put(key, bytes, { now: this.wall(node) });
    this.wrote(node, entry);
    return entry;
  }

  delete(node: TestNode, key: string): Entry {
    const entry = node.map.delete(key, { now: this.wall(node) });
    this.wrote(node, entry);
    return entry;
  }

  wrote(node: TestNode, entry: Entry): void {
    this.apply(node, node.replicator.handleWrite([entry], this.wall(node)));
    this.apply(node, node.replicator.flush(this.wall(node)));
  }

  /** Kills a process; its map is as it was. The others hear of it. */
  kill(node: TestNode): void {
    node.up = false;
    for (const [name, pipe] of this.#pipes) {
      if (pipe.ends.some((end) => end.node === node)) this.#close(name, pipe, node);
    }
    for (const other of this.nodes) if (other !== node && other.up) this.meet(other, node, "dead");
  }

  /** Starts it again with the next generation. */
  restart(node: TestNode): void {
    node.up = true;
    node.generation += 1;
    node.replicator = this.#replicator(node.map, node.generation, true);
    this.apply(node, node.replicator.start(this.wall(node)));
    for (const other of this.nodes) {
      if (other === node || !other.up || !this.connected(node.id, other.id)) continue;
      this.meet(node, other);
      this.meet(other, node);
    }
  }

  at(delayMs: number, run: () => void): void {
    this.#order += 1;
    const task = { at: this.now + delayMs, order: this.#order, run };
    this.#tasks.push(task);
    let i = this.#tasks.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (before(this.#tasks[parent] as Task, task)) break;
      this.#tasks[i] = this.#tasks[parent] as Task;
      i = parent;
    }
    this.#tasks[i] = task;
  }

  /** Lets time pass; ends early once `until` holds, and says whether it did. */
  run(ms: number, until?: () => boolean): boolean {
    const end = this.now + ms;
    if (until?.() === true) return true;
    for (;;) {
      const task = this.#tasks[0];
      if (task === undefined || task.at > end) break;
      this.#pop();
      this.now = Math.max(this.now, task.at);
      task.run();
      if (until?.() === true) return true;
    }
    this.now = end;
    return until === undefined;
  }

  /** Whether all nodes that are up hold the same. */
  converged(): boolean {
    const up = this.nodes.filter((node) => node.up);
    const [first] = up;
    if (first === undefined) return true;
    const digest = String(first.map.digest());
    return up.every((node) => String(node.map.digest()) === digest);
  }

  apply(node: TestNode, effects: readonly ReplicationEffect[]): void {
    for (const effect of effects) this.#apply(node, effect);
  }

  #apply(node: TestNode, effect: ReplicationEffect): void {
    const { replicator } = node;
    const alive = (run: () => readonly ReplicationEffect[]) => (): void => {
      if (node.up && node.replicator === replicator) this.apply(node, run());
    };
    switch (effect.type) {
      case "rumor":
        this.#rumor(node, effect.to, effect.update);
        return;
      case "open-stream":
        this.#open(node, effect);
        return;
      case "frame": {
        const name = `${node.id}/${effect.stream}`;
        const pipe = this.#pipes.get(name);
        const bytes = encodeFrame(effect.frame);
        this.at(
          this.options.frameMs ?? 0,
          alive(() => replicator.handleSent(effect.stream, this.wall(node))),
        );
        if (pipe === undefined || pipe.closed) return;
        const other = pipe.ends.find((end) => end.node !== node) as End;
        this.wire.frames += 1;
        this.wire.frameBytes += bytes.length;
        this.frames.push({
          from: node.id,
          to: other.node.id,
          type: effect.frame.type,
          bytes: bytes.length,
        });
        this.at(this.options.latencyMs ?? 1, () => this.#receive(pipe, other, bytes));
        return;
      }
      case "pause":
      case "resume":
        this.#flow(node, effect.stream, effect.type === "pause");
        return;
      case "close-stream": {
        const name = `${node.id}/${effect.stream}`;
        const pipe = this.#pipes.get(name);
        if (pipe !== undefined) {
          this.at(this.options.latencyMs ?? 1, () => this.#close(name, pipe, node));
        }
        return;
      }
      case "schedule":
        this.at(
          effect.delayMs,
          alive(() => replicator.handleTimer(effect.token, this.wall(node))),
        );
        return;
      case "commit":
        this.at(
          this.options.commitMs ?? 0,
          alive(() => replicator.handleCommitted(effect.mark, this.wall(node))),
        );
        return;
      case "set-aside":
        node.aside.push(...effect.entries);
        return;
      case "re-enter":
        node.generation = Math.max(node.generation, effect.generation);
        for (const other of this.nodes) if (other !== node && other.up) this.meet(other, node);
        return;
      case "members":
        for (const member of effect.members) {
          const other = this.nodes.find(({ id }) => id === member.id);
          if (other === undefined || other === node || !other.up) continue;
          this.apply(
            node,
            replicator.handleMember(
              { ...member, ready: (member.flags & 2) !== 0, stalled: false },
              this.wall(node),
            ),
          );
        }
        return;
      case "notify":
        node.events.push(effect.event);
        return;
    }
  }

  #rumor(
    node: TestNode,
    to: readonly string[],
    update: Extract<ReplicationEffect, { type: "rumor" }>["update"],
  ): void {
    const bytes = encode(update, "Update");
    for (const id of to) {
      this.wire.rumors += 1;
      this.wire.rumorBytes += bytes.length;
      const other = this.nodes.find((candidate) => candidate.id === id);
      if (other === undefined || this.prng() < (this.options.loss ?? 0)) continue;
      const delayMs =
        this.options.rumorMs?.(this.prng) ?? (this.options.latencyMs ?? 1) * (0.5 + this.prng());
      this.at(delayMs, () => {
        if (!other.up || !this.connected(node.id, id)) return;
        const decoded = decode(bytes, "Update");
        this.apply(other, other.replicator.handleUpdate(node.id, decoded, this.wall(other)));
      });
    }
  }

  #open(
    node: TestNode,
    effect: {
      readonly stream: number;
      readonly peer: string;
      readonly purpose: "exchange" | "push";
    },
  ): void {
    const { replicator } = node;
    this.at(this.options.latencyMs ?? 1, () => {
      if (!node.up || node.replicator !== replicator) return;
      const other = this.nodes.find(({ id }) => id === effect.peer);
      if (other === undefined || !other.up || !this.connected(node.id, effect.peer)) {
        this.apply(node, replicator.handleStreamClosed(effect.stream, this.wall(node), "refused"));
        return;
      }
      this.wire.streams += 1;
      const accepted = other.replicator.acceptStream(node.id, effect.purpose, this.wall(other));
      const end = (of: TestNode, stream: number): End => ({
        node: of,
        stream,
        decoder: new FrameDecoder(),
        paused: false,
        held: [],
      });
      const pipe: Pipe = {
        ends: [end(node, effect.stream), end(other, accepted.stream)],
        closed: false,
      };
      this.#pipes.set(`${node.id}/${effect.stream}`, pipe);
      this.#pipes.set(`${other.id}/${accepted.stream}`, pipe);
      this.apply(other, accepted.effects);
      this.apply(node, replicator.handleStreamOpened(effect.stream, this.wall(node)));
    });
  }

  #receive(pipe: Pipe, end: End, bytes: Uint8Array): void {
    if (pipe.closed || !end.node.up) return;
    const [a, b] = pipe.ends;
    if (!this.connected(a.node.id, b.node.id)) pipe.stuck = true; // TCP tries again, but not soon
    if (pipe.stuck === true) return;
    if (end.paused) {
      end.held.push(bytes);
      return;
    }
    for (const { body } of end.decoder.push(bytes)) {
      if (body === undefined) continue;
      const { node } = end;
      const frame = this.change(body);
      this.apply(node, node.replicator.handleFrame(end.stream, frame, this.wall(node)));
    }
  }

  #flow(node: TestNode, stream: number, paused: boolean): void {
    const pipe = this.#pipes.get(`${node.id}/${stream}`);
    const end = pipe?.ends.find((candidate) => candidate.node === node);
    if (pipe === undefined || end === undefined) return;
    end.paused = paused;
    if (paused) return;
    const held = end.held;
    end.held = [];
    for (const bytes of held) this.at(0, () => this.#receive(pipe, end, bytes));
  }

  #close(name: string, pipe: Pipe, closer: TestNode): void {
    this.#pipes.delete(name);
    if (pipe.closed) return;
    pipe.closed = true;
    for (const { node, stream } of pipe.ends) {
      this.#pipes.delete(`${node.id}/${stream}`);
      if (node === closer || !node.up) continue;
      this.apply(node, node.replicator.handleStreamClosed(stream, this.wall(node)));
    }
  }

  /** Cuts every stream between nodes that are not connected any more. */
  cutStreams(): void {
    for (const [name, pipe] of [...this.#pipes]) {
      const [a, b] = pipe.ends;
      if (pipe.closed || this.connected(a.node.id, b.node.id)) continue;
      this.#close(name, pipe, a.node);
      this.apply(a.node, a.node.replicator.handleStreamClosed(a.stream, this.wall(a.node)));
    }
  }

  #pinging(node: TestNode): void {
    const pingMs = this.options.pingMs ?? 500;
    const turn = (): void => {
      this.at(pingMs * (0.9 + 0.2 * this.prng()), turn);
      if (!node.up) return;
      const others = this.nodes.filter(
        (other) => other !== node && other.up && this.connected(node.id, other.id),
      );
      const other = others[Math.floor(this.prng() * others.length)];
      if (other !== undefined && this.knows(node, other)) this.ping(node, other);
    };
    this.at(pingMs * this.prng(), turn);
  }

  knows(node: TestNode, other: TestNode): boolean {
    return node.replicator.knows(other.id);
  }

  /** A ping and its ack. */
  ping(a: TestNode, b: TestNode): void {
    const send = (from: TestNode, to: TestNode): void => {
      const wall = this.wall(from);
      const summary = decode(encode(from.replicator.summary(wall), "Summary"), "Summary");
      this.at(this.options.latencyMs ?? 1, () => {
        if (!to.up || !from.up) return;
        const now = this.wall(to);
        this.apply(to, to.replicator.handleSummary(from.id, summary, { now, wall }));
      });
    };
    send(a, b);
    if (this.knows(b, a)) send(b, a);
  }

  #pop(): void {
    const last = this.#tasks.pop();
    if (last === undefined || this.#tasks.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= this.#tasks.length) break;
      const right = this.#tasks[child + 1];
      if (right !== undefined && before(right, this.#tasks[child] as Task)) child += 1;
      const least = this.#tasks[child] as Task;
      if (before(last, least)) break;
      this.#tasks[i] = least;
      i = child;
    }
    this.#tasks[i] = last;
  }
}

function before(a: Task, b: Task): boolean {
  return a.at !== b.at ? a.at < b.at : a.order < b.order;
}
