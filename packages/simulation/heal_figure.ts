/**
 * How long a cluster of five takes after a split of a minute until all hold the same, and of what that
 * time is made: the two sides have to find each other again, the difference has to last (rule 11), and
 * the exchanges have to go round. Both sides were written to. Times are simulated and say nothing of the
 * work of a processor.
 */
import type { ProfileName } from "@dnd/gossip";
import { createSimulation, type SimulatedHost } from "@dnd/gossip/simulation";
import { ClusterNode } from "./cluster_node.ts";

/** Options of {@linkcode healFigure}. */
export interface HealOptions {
  readonly seed: number;
  /** Default 5. */
  readonly nodes?: number;
  /** Keys before the split; default 2,000. */
  readonly keys?: number;
  /** Part of them that is written on each side while it stands; default 0.01. */
  readonly diverged?: number;
  /** Default 60,000. */
  readonly splitMs?: number;
  /** Default `lan`, which a node has by default. */
  readonly profile?: ProfileName;
}

/** Milliseconds of simulated time after the split has ended. */
export interface HealTimes {
  /** Until some node knows again that one of the other side lives. */
  readonly firstMs: number;
  /** Until every node knows it of every other. */
  readonly metMs: number;
  /** Until the first exchange between the sides is complete. */
  readonly exchangedMs: number;
  /** Until all digests are equal. */
  readonly equalMs: number;
}

const LIMIT_MS = 120_000;
const EVERY_MS = 50;

/** Splits a cluster, heals it, and measures. @throws {Error} when it is not equal in two minutes */
export function healFigure(options: HealOptions): HealTimes {
  const { seed, nodes: count = 5, keys = 2000, diverged = 0.01, splitMs = 60_000 } = options;
  const { profile = "lan" } = options;
  const world = createSimulation({ seed });
  const hosts: SimulatedHost[] = [];
  for (let i = 0; i < count; i += 1) {
    const seeds = hosts.slice(0, 1).map(({ address }) => address);
    hosts.push(world.addHost((at) => new ClusterNode(at, { seeds, wire: "parcels", profile })));
  }
  const nodes = hosts.map(({ program }) => program as ClusterNode);
  const write = (node: ClusterNode, key: string): void => {
    const value = new TextEncoder().encode(`${key} of ${node.gossip.id}`);
    node.write(
      () => node.map.put(key, value, { now: node.now() }),
      () => undefined,
    );
  };
  const equal = (): boolean => {
    const digest = String(nodes[0]?.map.digest());
    return nodes.every(({ map }) => String(map.digest()) === digest);
  };
  const met = (): boolean => nodes.every((node) => aliveIn(node) === count);
  const waitFor = (holds: () => boolean): number => {
    const ms = world.runUntil(holds, { limitMs: LIMIT_MS, everyMs: EVERY_MS });
    if (ms === undefined) throw new Error(`seed ${seed}: not healed in ${LIMIT_MS} ms`);
    return ms;
  };
  waitFor(() => met() && nodes.every(({ replicator }) => replicator.ready));
  for (let i = 0; i < keys; i += 1) {
    const node = nodes[i % count];
    if (node !== undefined) write(node, `key ${i}`);
    if (i % 100 === 99) world.run(20);
  }
  waitFor(equal);

  const smaller = count >> 1;
  const cut = [hosts.slice(smaller), hosts.slice(0, smaller)];
  world.network.partition(cut);
  const steps = 50;
  const each = Math.max(1, Math.round((keys * diverged) / steps));
  for (let step = 0; step < steps; step += 1) {
    for (let i = 0; i < each; i += 1) {
      for (const side of [nodes.slice(smaller), nodes.slice(0, smaller)]) {
        const node = side[world.prng.integer(side.length)];
        if (node !== undefined) write(node, `key ${world.prng.integer(keys)}`);
      }
    }
    world.run(splitMs / steps);
  }
  const before = nodes.map((node) => aliveIn(node));
  const events = nodes.map(({ record }) => record.events.length);
  const ids = nodes.map(({ gossip }) => gossip.id);
  const across = (from: number, peer: string): boolean =>
    from < smaller !== ids.indexOf(peer) < smaller;
  const exchanged = (): boolean =>
    nodes.some(({ record }, i) =>
      record.events
        .slice(events[i])
        .some(({ event }) => event.type === "exchanged" && event.complete && across(i, event.peer)),
    );
  world.network.heal();
  let elapsed = 0;
  const times = { firstMs: -1, metMs: -1, exchangedMs: -1, equalMs: -1 };
  while (times.metMs < 0 || times.exchangedMs < 0 || times.equalMs < 0) {
    if (elapsed > LIMIT_MS) throw new Error(`seed ${seed}: ${JSON.stringify(times)}`);
    if (times.firstMs < 0 && nodes.some((node, i) => aliveIn(node) > (before[i] ?? 0))) {
      times.firstMs = elapsed;
    }
    if (times.metMs < 0 && met()) times.metMs = elapsed;
    if (times.exchangedMs < 0 && exchanged()) times.exchangedMs = elapsed;
    if (times.equalMs < 0 && equal()) times.equalMs = elapsed;
    world.run(EVERY_MS);
    elapsed += EVERY_MS;
  }
  return times;
}

function aliveIn({ gossip }: ClusterNode): number {
  return gossip.swim.members().filter(({ state }) => state === "alive").length;
}
