import type { GossipLogger, GossipNodeOptions } from "./gossip_options.ts";
import { parseHostPort } from "./host_port.ts";
import { profiles } from "./swim_options.ts";

/** Checks the type of one value. @returns what it must be, if it is something else */
type Check = (value: unknown) => string | undefined;

function typed(type: "string" | "boolean" | "number"): Check {
  return (value) => (typeof value === type ? undefined : `a ${type}`);
}

function oneOf(...words: readonly string[]): Check {
  return (value) => (words.includes(value as string) ? undefined : words.join(" or "));
}

const peers: Check = (value) => {
  if (!Array.isArray(value)) return "an array of strings";
  return value.every((peer) => typeof peer === "string") ? undefined : "an array of strings";
};

const logger: Check = (value) => {
  for (const level of ["debug", "info", "warn", "error"] as const) {
    if (typeof (value as Partial<GossipLogger> | null)?.[level] !== "function") {
      return `a logger with a function ${level}, as pino has`;
    }
  }
  return undefined;
};

const object: Check = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? undefined : "an object";

const timing: Check = (value) => {
  if (object(value) !== undefined) return "an object";
  const unknown = Object.keys(value as object).find((name) => !Object.hasOwn(profiles.lan, name));
  if (unknown === undefined) return undefined;
  return `an object without ${unknown}; there are ${Object.keys(profiles.lan).join(", ")}`;
};

/** Checked for its range later. */
const number = typed("number");

// Every option has its check.
const optionChecks: Readonly<Record<keyof GossipNodeOptions, Check>> = {
  ...{ port: number, address: typed("string"), advertise: typed("string"), seeds: peers },
  ...{ cluster: typed("string"), name: typed("string"), id: typed("string") },
  ...{ generation: number, bootId: typed("string"), volatile: typed("boolean") },
  metadata: (value) =>
    typeof value === "string" || (typeof value === "object" && value !== null)
      ? undefined
      : "bytes, a string or an object",
  remembered: (value) =>
    Array.isArray(value) && value.every((member) => object(member) === undefined && hasId(member))
      ? undefined
      : "what remembered() gave",
  thread: oneOf("worker", "main"),
  profile: oneOf("local", "lan", "wan"),
  ...{ timing, maxDatagramBytes: number, forgetAfterMs: number },
  keys: (value) => (Array.isArray(value) ? undefined : "an array of keys of 32 bytes"),
  ...{ sealing: oneOf("required", "permissive"), insecure: typed("boolean"), logger },
  ...{ stalledAfterMs: number, eventBuffer: number, maxConnections: number },
  ...{ helloTimeoutMs: number, streamTimeoutMs: number, packetsPerSecond: number },
  ...{ partitionLevel: number, dns: object },
};

function hasId(member: unknown): boolean {
  const { id, address } = member as { id?: unknown; address?: unknown };
  return typeof id === "string" && typeof address === "string";
}

/**
 * Checks that all options exist and have the right types: one that is mistyped would not be heard of.
 *
 * @throws {TypeError} naming the option and what it must be
 */
export function checkTypes(options: unknown): void {
  if (object(options) !== undefined) {
    throw new TypeError(`Cannot make a node: the options are ${show(options)}, give an object`);
  }
  for (const [name, value] of Object.entries(options as object)) {
    if (!Object.hasOwn(optionChecks, name)) {
      const known = Object.keys(optionChecks).join(", ");
      throw new TypeError(`Cannot make a node: there is no option ${name}; there are ${known}`);
    }
    if (value === undefined) continue;
    const must = optionChecks[name as keyof GossipNodeOptions](value);
    if (must !== undefined) {
      throw new TypeError(`Cannot make a node: ${name} is ${show(value)}, it must be ${must}`);
    }
  }
}

/** Checks addresses to call. @throws {TypeError} for one that is none, or cannot be called */
export function checkPeers(given: readonly string[]): void {
  const must = peers(given);
  if (must !== undefined) throw new TypeError(`Cannot call ${show(given)}: give ${must}`);
  for (const peer of given) {
    if (parseHostPort(peer, 5_000).port === 0) {
      throw new TypeError(`Cannot call ${JSON.stringify(peer)}: port 0 is no port to call`);
    }
  }
}

/** A value for a message; of objects and lists only what they are: they may hold keys. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value === "function") return "a function";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
