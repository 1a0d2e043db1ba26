/**
 * A deterministic world to test distributed programs in: a virtual clock, a network with loss, delay,
 * reordering, duplication, cuts and partitions, hosts that can be killed, paused, slowed and restarted.
 *
 * @example
 * ```ts
 * import { createSimulation } from "@dnd/gossip/simulation";
 *
 * const world = createSimulation({ seed: 1 });
 * const echo = world.addHost((host) => ({ datagram: (bytes, from) => host.send(from, bytes) }));
 * let answer: Uint8Array | undefined;
 * const asker = world.addHost(() => ({ datagram: (bytes) => void (answer = bytes) }));
 * asker.send(echo.address, new Uint8Array([42]));
 * world.run(10); // ms
 * if (answer?.[0] !== 42) throw new Error("no answer");
 * ```
 *
 * @module
 */
export * from "./create_simulation.ts";
export * from "./parcel.ts";
export * from "./prng.ts";
export * from "./simulated_host.ts";
export * from "./simulated_network.ts";
export * from "./simulated_stream.ts";
export * from "./trace.ts";
export * from "./virtual_clock.ts";
export * from "./swim_node.ts";
