/**
 * Membership and failure detection for Node.js: SWIM with Lifeguard, as a ready-made node over UDP
 * ({@linkcode GossipNode}) and as the pure state machine below it ({@linkcode Swim}).
 *
 * ```ts
 * import { GossipNode } from "@dnd/gossip";
 *
 * const gossip = new GossipNode({ port: 0, cluster: "example", metadata: { role: "web" } });
 * await gossip.start();
 * const [self] = gossip.members();
 * console.log(self?.state, self?.address === gossip.address); // alive true
 * await gossip.stop();
 * ```
 *
 * @module
 */
export * from "./bind_error.ts";
export * from "./gossip_events.ts";
export * from "./gossip_node.ts";
export * from "./gossip_options.ts";
export * from "./host_port.ts";
export * from "./membership_error.ts";
export * from "./peer_stream.ts";
export * from "./peer_stream_error.ts";
export * from "./seed_resolver.ts";
export * from "./seed_watch.ts";
export * from "./shared_state.ts";
export * from "./swim.ts";
export * from "./swim_accusations.ts";
export * from "./swim_machine.ts";
export * from "./swim_options.ts";
export * from "./swim_transition.ts";
export * from "./swim_types.ts";
export * from "./udp_transport.ts";
