export * from "./engine.ts";
export * from "./entry.ts";
export * from "./errors.ts";
export * from "./stored_entry.ts";
export * from "./version.ts";
