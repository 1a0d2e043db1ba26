import { randomBytes } from "node:crypto";
import { BlockList, isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { checkPeers, checkTypes } from "./_check_types.ts";
import { encodeMetadata, type GossipNodeOptions } from "./gossip_options.ts";
import { formatHostPort, parseHostPort } from "./host_port.ts";
import { profiles } from "./swim_options.ts";

/** Options with every default filled in and every value checked. */
export type CheckedOptions = Required<
  Omit<
    GossipNodeOptions,
    "metadata" | "advertise" | "forgetAfterMs" | "logger" | "dns" | "maxDatagramBytes" | "timing"
  >
> &
  Pick<GossipNodeOptions, "forgetAfterMs" | "dns" | "timing"> & {
    metadata: Uint8Array;
    advertise: string | undefined;
  };

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

const stalledAfterMs = { local: 500, lan: 1_000, wan: 3_000 };

/**
 * Checks what a caller gave and fills in the rest.
 *
 * @throws {TypeError} or {RangeError} naming the option, its value and what is allowed
 */
export function checkOptions(options: GossipNodeOptions): CheckedOptions {
  checkTypes(options);
  const { address = "127.0.0.1", keys = [], insecure = false, profile = "lan" } = options;
  const { cluster = "dnd", name = "", seeds = [], port = 0, sealing = "required" } = options;
  const { id = randomBytes(16).toString("hex"), bootId = randomBytes(8).toString("hex") } = options;
  const { generation = Date.now() } = options;
  if (isIP(address) === 0) fail("address", address, "an IP literal");
  if (!Number.isInteger(port) || port < 0 || port > 65_535) fail("port", port, "0 to 65535");
  if (!/^[0-9a-f]{32}$/.test(id)) fail("id", id, "32 lower-case hex digits");
  if (!/^[0-9a-f]{16}$/.test(bootId)) fail("bootId", bootId, "16 lower-case hex digits");
  if (!Number.isSafeInteger(generation) || generation < 1)
    fail("generation", generation, "1 or more");
  if (cluster === "" || byteLength(cluster) > 64) fail("cluster", cluster, "1 to 64 bytes");
  if (byteLength(name) > 64) fail("name", name, "at most 64 bytes");
  checkKeys(keys);
  checkPeers(seeds);
  if (options.advertise !== undefined) parseHostPort(options.advertise, 1);
  if (keys.length === 0 && !insecure && !isLoopback(address)) {
    throw new TypeError(
      `Cannot bind ${address} without keys: anybody who reaches it could join. Give keys, or insecure: true`,
    );
  }
  const timing = {
    ...options.timing,
    ...(options.maxDatagramBytes === undefined
      ? {}
      : { maxDatagramBytes: options.maxDatagramBytes }),
  };
  const { maxDatagramBytes } = { ...profiles[profile], ...timing };
  if (!Number.isInteger(maxDatagramBytes) || maxDatagramBytes < 512 || maxDatagramBytes > 65_507) {
    fail("maxDatagramBytes", maxDatagramBytes, "512 to 65507");
  }
  return {
    port,
    address,
    advertise: options.advertise,
    seeds: [...seeds],
    cluster,
    name,
    metadata: encodeMetadata(options.metadata ?? new Uint8Array(0)),
    id,
    generation,
    bootId,
    volatile: options.volatile ?? false,
    remembered: options.remembered ?? [],
    thread: options.thread ?? "worker",
    profile,
    timing,
    forgetAfterMs: optional("forgetAfterMs", options.forgetAfterMs, 1),
    keys: keys.map((key) => Uint8Array.from(key)),
    sealing,
    insecure,
    stalledAfterMs:
      optional("stalledAfterMs", options.stalledAfterMs, 100) ?? stalledAfterMs[profile],
    eventBuffer: optional("eventBuffer", options.eventBuffer, 1) ?? 1_024,
    maxConnections: optional("maxConnections", options.maxConnections, 1) ?? 256,
    helloTimeoutMs: optional("helloTimeoutMs", options.helloTimeoutMs, 10) ?? 5_000,
    streamTimeoutMs: optional("streamTimeoutMs", options.streamTimeoutMs, 10) ?? 10_000,
    packetsPerSecond: optional("packetsPerSecond", options.packetsPerSecond, 1) ?? 10_000,
    partitionLevel: optional("partitionLevel", options.partitionLevel, 0) ?? 2,
    dns: options.dns,
  };
}

/** @throws {TypeError} when there is no list of them, or a key is not 32 bytes @throws {RangeError} for more than 16, or one twice */
export function checkKeys(keys: readonly Uint8Array[]): void {
  if (!Array.isArray(keys)) throw new TypeError("Cannot take the keys: they are no array");
  if (keys.length > 16) throw new RangeError(`Cannot take ${keys.length} keys: at most 16`);
  for (const key of keys) {
    // Never the key itself in a message.
    if (!(key instanceof Uint8Array) || key.length !== 32) {
      const size = key instanceof Uint8Array ? `a key of ${key.length} bytes` : "a key";
      throw new TypeError(`Cannot take ${size}: 32 bytes are needed`);
    }
  }
  const seen = new Set(keys.map((key) => Buffer.from(key).toString("latin1")));
  if (seen.size < keys.length) throw new RangeError("Cannot take the same key twice");
}

/** Whether an IP literal is of this machine alone. */
export function isLoopback(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && loopback.check(address, family === 6 ? "ipv6" : "ipv4");
}

/**
 * The address that others are told, `host:port`.
 *
 * @param bound what the sockets are bound to
 * @throws {TypeError} for a wildcard bind when this machine does not have exactly one candidate
 */
export function advertisedAddress(
  bound: { host: string; port: number },
  advertise: string | undefined,
): string {
  if (advertise !== undefined) {
    const { host, port } = parseHostPort(advertise, bound.port);
    return formatHostPort(host, port);
  }
  if (bound.host !== "0.0.0.0" && bound.host !== "::")
    return formatHostPort(bound.host, bound.port);
  const candidates = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .filter(({ family }) => (bound.host === "0.0.0.0" ? family === "IPv4" : true))
    .map(({ address }) => address);
  const four = candidates.filter((address) => isIP(address) === 4);
  const usable = four.length > 0 ? four : candidates;
  const [only] = usable;
  if (only === undefined || usable.length > 1) {
    const found = usable.length === 0 ? "none" : usable.join(", ");
    throw new TypeError(
      `Cannot tell the others where ${bound.host} is reached: advertise one address of this machine (${found})`,
    );
  }
  return formatHostPort(only, bound.port);
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

function optional(name: string, value: number | undefined, least: number): number | undefined {
  if (value !== undefined && !(Number.isSafeInteger(value) && value >= least)) {
    fail(name, value, `a whole number of at least ${least}`);
  }
  return value;
}

function fail(name: string, value: unknown, allowed: string): never {
  const error = `Cannot take ${name} ${typeof value === "number" ? value : JSON.stringify(value)}: ${allowed}`;
  throw typeof value === "number" ? new RangeError(error) : new TypeError(error);
}
