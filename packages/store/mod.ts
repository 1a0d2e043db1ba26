export * from "./engine.ts";
export * from "./entry.ts";
export * from "./errors.ts";
export * from "./map_options.ts";
export * from "./stored_entry.ts";
export * from "./version.ts";
export * from "./versioned_map.ts";
