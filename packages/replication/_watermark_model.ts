import { compareVersions, type Version } from "@dnd/store";
import { idOf, seeded, TestCluster, type TestNode } from "./_test_utils.ts";

interface Write extends Version {
  readonly key: string;
  readonly deleted: boolean;
  readonly origin: TestNode;
}

/** What a schedule contains. */
export interface ScheduleOptions {
  /** Whether nodes join, leave and are forgotten. */
  readonly churn?: boolean;
  /** Steps before everything heals (default 220). */
  readonly steps?: number;
  /** How late a rumor may be, in graces (default 0.9). */
  readonly late?: number;
}

/** What a schedule ended with. */
export interface ScheduleResult {
  readonly resurrected: readonly string[];
  readonly lost: readonly string[];
  readonly diverged: boolean;
  readonly horizonRose: boolean;
}

const GRACE_MS = 300;
const KEYS = 5;

/**
 * One random schedule of writes, deletes, late rumors, exchanges (some of them cut), crashes, partitions,
 * and with `churn` of joins, leaves and forgetting, on real replicators over real maps. The times are
 * those of the model that found rule 1: a grace of 300 ms, a horizon in steps of 50 ms, clocks that
 * differ by up to 30 ms.
 */
export function runSchedule(
  seed: number,
  { churn = false, steps = 220, late = 0.9 }: ScheduleOptions = {},
): ScheduleResult {
  const prng = seeded(seed);
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(prng() * items.length)];
  const cluster = new TestCluster({
    nodes: 4,
    seed,
    latencyMs: 0,
    pingMs: 1e9,
    periodicMs: 1e9,
    graceMs: GRACE_MS,
    maxDriftMs: 60,
    horizonStepMs: 50,
    promiseIntervalMs: 100,
    loss: 0.4,
    rumorMs: (random) => random() * random() * GRACE_MS * late,
  });
  const gone = new Set<TestNode>();
  const heirs = new Map<TestNode, TestNode>();
  const forgotten = new Set<TestNode>();
  const writes: Write[] = [];
  for (const node of cluster.nodes) node.offsetMs = Math.floor(prng() * 60) - 30;
  const alive = (): TestNode[] => cluster.nodes.filter((node) => node.up && !gone.has(node));
  const forget = (node: TestNode): boolean => {
    for (let at: TestNode | undefined = node; at !== undefined; at = heirs.get(at)) {
      if (forgotten.has(at)) return true;
    }
    return false;
  };

  /** Opens an exchange and lets it end; `frames`: cut after so many. */
  const exchange = (a: TestNode, b: TestNode, frames = Infinity): void => {
    if (!a.up || !b.up || !cluster.connected(a.id, b.id)) return;
    introduce(cluster, a, b);
    introduce(cluster, b, a);
    const start = cluster.wire.frames;
    const ended = a.eventsOf("exchanged").length;
    cluster.apply(a, a.replicator.exchangeWith(b.id, cluster.wall(a)));
    cluster.run(20, () => {
      if (a.eventsOf("exchanged").length > ended) return true;
      return cluster.wire.frames - start >= frames;
    });
    if (cluster.wire.frames - start >= frames) {
      const { connected } = cluster;
      cluster.connected = () => false;
      cluster.cutStreams();
      cluster.connected = connected;
    }
  };

  const write = (node: TestNode): void => {
    const key = `k${Math.floor(prng() * KEYS)}`;
    const deleted = prng() < 0.5;
    const entry = deleted ? cluster.delete(node, key) : cluster.put(node, key, "v");
    writes.push({ ...entry.version, key, deleted, origin: node });
  };

  const fault = (x: number): void => {
    const up = alive();
    if (x < 0.86) {
      const node = pick(up);
      if (node !== undefined && up.length > 1) crash(cluster, node);
    } else if (x < 0.92) {
      const node = pick(cluster.nodes.filter((down) => !down.up && !gone.has(down)));
      if (node !== undefined) cluster.restart(node);
    } else if (x < 0.96) {
      if (prng() < 0.5) cluster.connected = () => true;
      else {
        const sides = new Map<string, boolean>();
        const side = (id: string): boolean => {
          if (!sides.has(id)) sides.set(id, prng() < 0.5);
          return sides.get(id) === true;
        };
        cluster.connected = (a, b) => side(a) === side(b);
        cluster.cutStreams();
      }
    } else if (x < 0.97) {
      cluster.run(GRACE_MS * 2);
    } else if (churn) change(up);
  };

  const change = (up: readonly TestNode[]): void => {
    const y = prng();
    if (y < 0.45 && cluster.nodes.length < 9) {
      const via = pick(up);
      if (via === undefined) return;
      const node = cluster.add({ hasSeeds: true, id: idOf(cluster.nodes.length + 1) });
      node.offsetMs = Math.floor(prng() * 60) - 30;
      node.map.advanceClock(via.map.clock({ now: cluster.wall(via) })); // by its hello (rule 1)
      if (forgotten.has(via)) forgotten.add(node);
      introduce(cluster, node, via);
      introduce(cluster, via, node);
    } else if (y < 0.75 && up.length > 2) {
      const node = pick(up);
      const peer = pick(up.filter((other) => other !== node));
      if (node === undefined || peer === undefined || !cluster.connected(node.id, peer.id)) return;
      if (!cluster.knows(node, peer) || !cluster.knows(peer, node)) return;
      leave(cluster, node);
      if (!node.events.some(({ type }) => type === "left")) return;
      gone.add(node);
      heirs.set(node, peer);
    } else {
      const victim = pick(cluster.nodes.filter((node) => !node.up && !gone.has(node)));
      const by = pick(up);
      if (victim === undefined || by === undefined || forgotten.has(by)) return;
      if (!cluster.knows(by, victim)) return;
      // Whoever only the forgotten one knew is forgotten with it.
      for (const other of cluster.nodes) {
        if (other !== by && !cluster.knows(by, other)) forgotten.add(other);
      }
      forgotten.add(victim);
      const now = cluster.wall(by);
      const departed = by.replicator.departureStamp(now);
      const { generation } = victim;
      const news = { id: victim.id, state: "forgotten", generation, departed } as const;
      cluster.apply(by, by.replicator.handleMember(news, now));
    }
  };

  for (let i = 0; i < steps; i += 1) {
    cluster.run(Math.floor(prng() * prng() * 80));
    const x = prng();
    const up = alive();
    if (x < 0.25) {
      const node = pick(up);
      if (node !== undefined) write(node);
    } else if (x < 0.8) {
      const [a, b] = [pick(up), pick(up)];
      if (a === undefined || b === undefined || a === b) continue;
      exchange(a, b, prng() < 0.85 ? Infinity : 1 + Math.floor(prng() * 12));
    } else fault(x);
  }

  // Everything heals.
  cluster.connected = () => true;
  for (const node of cluster.nodes) if (!node.up && !gone.has(node)) cluster.restart(node);
  for (let round = 0; round < 40; round += 1) {
    const up = alive();
    for (let i = 0; i < up.length; i += 1) {
      const [a, b] = [pick(up), pick(up)];
      if (a !== undefined && b !== undefined && a !== b) exchange(a, b);
    }
    if (round > 5 && alive().every((node) => signature(node) === signature(up[0]))) break;
  }
  return check(alive(), writes, forget);
}

function introduce(cluster: TestCluster, a: TestNode, b: TestNode): void {
  if (!a.up) return;
  const news = { id: b.id, state: "alive", generation: b.generation } as const;
  const now = cluster.wall(a);
  cluster.apply(a, a.replicator.handleMember({ ...news, ready: b.replicator.ready }, now));
}

/** Ends a process without a word. */
function crash(cluster: TestCluster, node: TestNode): void {
  node.up = false;
  const { connected } = cluster;
  cluster.connected = (a, b) => a !== node.id && b !== node.id;
  cluster.cutStreams();
  cluster.connected = connected;
}

function leave(cluster: TestCluster, node: TestNode): void {
  cluster.apply(node, node.replicator.leave(cluster.wall(node)));
  cluster.run(20, () => node.events.some(({ type }) => type === "left"));
  const left = node.eventsOf("left").at(-1);
  if (left === undefined) return;
  const served = node.eventsOf("exchanged").findLast((event) => event.reason === "leave");
  const peer = cluster.nodes.find(({ id }) => id === served?.peer);
  node.up = false;
  if (peer === undefined) return;
  const { generation } = node;
  const news = { id: node.id, state: "left", generation, departed: left.departed } as const;
  cluster.apply(peer, peer.replicator.handleMember(news, cluster.wall(peer)));
}

function signature(node: TestNode | undefined): string {
  if (node === undefined) return "";
  const texts: string[] = [];
  for (let k = 0; k < KEYS; k += 1) {
    const entry = node.map.peek(`k${k}`);
    if (entry === undefined || entry.deleted === true) continue;
    texts.push(`${entry.key}@${entry.version.time}-${entry.version.node}`);
  }
  return texts.join();
}

function check(
  up: readonly TestNode[],
  writes: readonly Write[],
  isForgotten: (origin: TestNode) => boolean,
): ScheduleResult {
  const [first] = up;
  const resurrected: string[] = [];
  const lost: string[] = [];
  for (let k = 0; first !== undefined && k < KEYS; k += 1) {
    const key = `k${k}`;
    const own = writes.filter((write) => write.key === key && !isForgotten(write.origin));
    const newest = own.reduce<Write | undefined>(
      (best, write) => (best === undefined || compareVersions(write, best) > 0 ? write : best),
      undefined,
    );
    if (newest === undefined) continue;
    const held = first.map.peek(key);
    const live = held !== undefined && held.deleted !== true;
    const older = held !== undefined && compareVersions(newest, held.version) > 0;
    if (newest.deleted) {
      if (live && older) resurrected.push(`${key}@${held.version.time} deleted@${newest.time}`);
    } else if (held === undefined || older) {
      const later = writes.some((write) => write.key === key && compareVersions(write, newest) > 0);
      if (!later) lost.push(`${key}@${newest.time}`);
    }
  }
  return {
    resurrected,
    lost,
    diverged: new Set(up.map(signature)).size > 1,
    horizonRose: up.some((node) => node.map.horizon > 0),
  };
}
