import { hostname } from "node:os";
import { isIP } from "node:net";
import { peerFault } from "./check_peer.ts";
import {
  checkNodeOptions,
  nodeChecks,
  nodeHttpChecks,
  type NodeOptionCheck,
} from "./check_node_options.ts";
import type { NodeLogger } from "./node_logger.ts";
import type { Tokens } from "./token_file.ts";

/** How HTTP is served by a node. */
export interface NodeHttpOptions {
  /**
   * Port of the API; 0 (default) picks a free one. `off`: none is opened, and what else is said here is for
   * `node.handler`, mounted in a server of the program's own.
   */
  readonly port?: number | "off";
  /**
   * A second port with the same API, for browsers and `fetch`, which refuse port 6000. 0 picks a free
   * one. Default `off`.
   */
  readonly webPort?: number | "off";
  /** Address to bind. Default: the node's. Anything but loopback needs tokens, a CA, or `insecure`. */
  readonly address?: string;
  /** HTTPS: certificate, key, and the authority of client certificates, as PEM text. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  /** Bearer tokens by role. Default: none are needed. */
  readonly tokens?: Tokens;
  /** Further names in `Host` on a loopback bind. */
  readonly allowHosts?: readonly string[];
  /** Origins whose web pages may use the API: `https://example.org`. */
  readonly allowOrigins?: readonly string[];
  /** A line in the log for each request. Default false. */
  readonly accessLog?: boolean;
  /** Bytes that wait for one slow watcher before it is cut. Default 1 MiB. */
  readonly maxWatchBytes?: number;
  /** Most connections of each port at a time. Default 10,000. */
  readonly maxConnections?: number;
}

/** Options of {@link createNode}. All have defaults: `createNode()` is a node in memory, alone. */
export interface NodeOptions {
  /** Gossip port, UDP and TCP. 0 (default) picks a free one. */
  readonly port?: number;
  /** IP address to bind. Default 127.0.0.1. Anything else needs `keys` or `insecure`. */
  readonly address?: string;
  /** `host[:port]` that the others call. Default: the bound address. */
  readonly advertise?: string;
  /** Peers to call, `host:port` each; DNS names are resolved again each time. Default none. */
  readonly seeds?: readonly string[];
  /** Folder of entries, id and known members. Default: nothing is kept on disk. */
  readonly dataDir?: string;
  /** `sync` (default): a write is answered after fsync; `async`: before. */
  readonly durability?: "sync" | "async";
  /** Cluster name, 1 to 64 bytes. Other names are other worlds. Default `dnd`. */
  readonly cluster?: string;
  /** A label for people, at most 64 bytes. Default: host name and port. */
  readonly name?: string;
  /** Keys of 32 bytes for gossip and peer streams: the first seals, all open. Default none. */
  readonly keys?: readonly Uint8Array[];
  /** `permissive` also takes what is not sealed. Default `required`. */
  readonly sealing?: "required" | "permissive";
  /** Allow a non-loopback address without keys, and HTTP on one without tokens. Default false. */
  readonly insecure?: boolean;
  /** Timing preset. Default `lan`. */
  readonly profile?: "local" | "lan" | "wan";
  /** The largest value that may be written here, in bytes. Default 1 MiB, at most 16 MiB. */
  readonly maxValueBytes?: number;
  /** Clock difference that is still accepted, in milliseconds. Default 500. */
  readonly maxDriftMs?: number;
  /** UDP payload, in bytes. Default 1352, `wan` 1200. */
  readonly maxDatagramBytes?: number;
  /** When a dead member is forgotten by itself, in milliseconds. Default: never; volatile ones 1 h. */
  readonly forgetAfterMs?: number;
  /** Where the membership protocol runs. `main` is for tests. Default `worker`. */
  readonly thread?: "worker" | "main";
  /** Serve HTTP. Default: no port is opened; `node.handler` can be mounted anywhere all the same. */
  readonly http?: NodeHttpOptions;
  /** Log lines, in pino's shape. Default: none. */
  readonly logger?: NodeLogger;
}

/** Options with what has a fixed default filled in. */
export interface ResolvedNodeOptions extends NodeOptions {
  readonly port: number;
  readonly address: string;
  readonly seeds: readonly string[];
  readonly durability: "sync" | "async";
  readonly cluster: string;
  readonly profile: "local" | "lan" | "wan";
  readonly maxValueBytes: number;
  readonly maxDriftMs: number;
}

// Every option has its check, and every check its option.
nodeChecks satisfies Readonly<Record<keyof NodeOptions, NodeOptionCheck>>;
nodeHttpChecks satisfies Readonly<Record<keyof NodeHttpOptions, NodeOptionCheck>>;

const maxReplicaValueBytes = 16 * 1024 * 1024;

/**
 * Checks options and fills in defaults.
 *
 * @throws {TypeError} or {RangeError} naming the option, its value, and what is allowed
 */
export function resolveNodeOptions(options: NodeOptions): ResolvedNodeOptions {
  checkNodeOptions(options);
  const resolved = {
    ...options,
    port: options.port ?? 0,
    address: options.address ?? "127.0.0.1",
    seeds: options.seeds ?? [],
    durability: options.durability ?? "sync",
    cluster: options.cluster ?? "dnd",
    profile: options.profile ?? "lan",
    maxValueBytes: options.maxValueBytes ?? 1024 * 1024,
    maxDriftMs: options.maxDriftMs ?? 500,
  };
  checkPort("port", resolved.port);
  checkAddress("address", resolved.address);
  for (const seed of resolved.seeds) {
    const fault = peerFault(seed);
    if (fault !== undefined) {
      throw new TypeError(`Cannot make a node: seeds has ${JSON.stringify(seed)}, ${fault}`);
    }
  }
  if (resolved.advertise !== undefined) checkAdvertised(resolved.advertise);
  checkLabel("cluster", resolved.cluster);
  if (resolved.name !== undefined) checkLabel("name", resolved.name);
  if (!["sync", "async"].includes(resolved.durability)) {
    throw new TypeError(
      `Cannot make a node: durability is ${resolved.durability}, not sync or async`,
    );
  }
  checkRange("maxValueBytes", resolved.maxValueBytes, 1, maxReplicaValueBytes);
  checkRange("maxDriftMs", resolved.maxDriftMs, 1, 86_400_000);
  const { http, logger, dataDir } = options;
  if (dataDir !== undefined && (typeof dataDir !== "string" || dataDir === "")) {
    throw new TypeError(`Cannot make a node: dataDir is ${String(dataDir) || '""'}, write a path`);
  }
  if (logger !== undefined) {
    for (const level of ["trace", "debug", "info", "warn", "error"] as const) {
      if (typeof (logger as Partial<NodeLogger> | null)?.[level] !== "function") {
        throw new TypeError(`Cannot make a node: logger has no function ${level}, as pino has`);
      }
    }
  }
  if (http !== undefined) {
    if (http.port !== "off") checkPort("http.port", http.port ?? 0);
    if (http.webPort !== undefined && http.webPort !== "off")
      checkPort("http.webPort", http.webPort);
    if (http.address !== undefined) checkAddress("http.address", http.address);
  }
  return resolved;
}

/** The label of a node that was given none: host name and port, or the id where the port is any. */
export function defaultName(port: number, id: string): string {
  const host = hostname().replace(/[^\x20-\x7e]/g, "");
  return `${host.slice(0, 55)}:${port === 0 ? id.slice(0, 8) : port}`;
}

function checkPort(name: string, port: number): void {
  checkRange(name, port, 0, 65_535);
}

function checkRange(name: string, value: number, least: number, most: number): void {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    const message = `Cannot make a node: ${name} is ${value}`;
    if (typeof value === "number") throw new RangeError(`${message}, write ${least} to ${most}`);
    throw new TypeError(`${message}, a ${typeof value}: write a number from ${least} to ${most}`);
  }
}

function checkAddress(name: string, address: string): void {
  if (isIP(address) === 0 && address !== "localhost") {
    throw new TypeError(
      `Cannot make a node: ${name} is ${JSON.stringify(address)}, write an IP address or localhost`,
    );
  }
}

/** Without a port it is that of gossip; 0 is none that the others could call. */
function checkAdvertised(advertise: string): void {
  const hasPort = /^(?:\[[^\]]*\]|[^:]*):\d+$/.test(advertise);
  const fault = peerFault(hasPort ? advertise : `${advertise}:1`);
  if (fault !== undefined) {
    const given = JSON.stringify(advertise);
    const how = fault.startsWith("write") ? "write host[:port], for IPv6 [::1]:5000" : fault;
    throw new TypeError(`Cannot make a node: advertise is ${given}, ${how}`);
  }
}

function checkLabel(name: string, value: string): void {
  const bytes = Buffer.byteLength(value);
  if (bytes < 1 || bytes > 64) {
    throw new RangeError(`Cannot make a node: ${name} has ${bytes} bytes, write 1 to 64`);
  }
}
