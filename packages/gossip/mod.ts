export * from "./bind_error.ts";
export * from "./host_port.ts";
export * from "./seed_resolver.ts";
export * from "./shared_state.ts";
export * from "./udp_transport.ts";
