import type { Member } from "@dnd/protocol";
import type { DnsQueries } from "./seed_resolver.ts";
import type { ProfileName, SwimTiming } from "./swim_options.ts";

/** Where log lines go: the shape of pino. */
export interface GossipLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What a member tells the others about itself: bytes, text (UTF-8), or anything JSON can hold. */
export type Metadata = Uint8Array | string | { readonly [key: string]: unknown };

/** Options of `GossipNode`. All have defaults: `new GossipNode()` is a node on a free loopback port. */
export interface GossipNodeOptions {
  /** UDP port, and TCP port of the peer stream. 0 = one that is free for both. Default 0. */
  port?: number;
  /** IP literal to bind. Default `127.0.0.1`. Anything but loopback needs `keys` or `insecure`. */
  address?: string;
  /**
   * `host[:port]` that the others call. Default: the bound address; on a wildcard bind the one address of
   * this machine that is not loopback, and an error when there is not exactly one.
   */
  advertise?: string;
  /** `host:port` of peers to call; names are resolved again each time, `_service` names by SRV. */
  seeds?: readonly string[];
  /** Cluster name, at most 64 bytes; other names are other worlds. Default `dnd`. */
  cluster?: string;
  /** Label for people, at most 64 bytes. Default none. */
  name?: string;
  /** At most 512 bytes for the others to read. Default none. */
  metadata?: Metadata;
  /** This node's id, 32 hex digits: keep it with its data. Default: random. */
  id?: string;
  /** Rises at each start with the same id. Default: the milliseconds since 1970 (see the README). */
  generation?: number;
  /** 16 hex digits, new at each start. Default: random. */
  bootId?: string;
  /** Nothing of this node survives its process: when dead it is forgotten after an hour. Default false. */
  volatile?: boolean;
  /** What `remembered()` gave in an earlier life: called at start, beside the seeds. */
  remembered?: readonly Member[];
  /** Where the protocol runs. `main` is for tests and small programs. Default `worker`. */
  thread?: "worker" | "main";
  /** Timing preset. Default `lan`. */
  profile?: ProfileName;
  /** Single values that differ from the preset. */
  timing?: Partial<SwimTiming>;
  /** UDP payload at most, bytes. Default 1352, `wan` 1200. Raised: fewer packets, lost where the MTU is less. */
  maxDatagramBytes?: number;
  /** Dead members are forgotten after this long, ms. Default: never; volatile ones after an hour. */
  forgetAfterMs?: number;
  /** Keys of 32 bytes; the first seals, all open. Default none: packets and streams are plain. */
  keys?: readonly Uint8Array[];
  /** `permissive` also takes what is not sealed, for a cluster that is being switched over. Default `required`. */
  sealing?: "required" | "permissive";
  /** Allow a bind on a non-loopback address without keys. Default false. */
  insecure?: boolean;
  /** The main thread counts as stalled when its heartbeat is this old, ms. Default 500 / 1000 / 3000 by preset. */
  stalledAfterMs?: number;
  /** Default: nothing is logged. */
  logger?: GossipLogger;
  /** Events that wait for one slow reader of `events()`; older ones are lost and counted. Default 1024. */
  eventBuffer?: number;
  /** TCP connections open at once, both ways; more are turned away. Default 256. */
  maxConnections?: number;
  /** For connection, TLS and hello of a peer stream together, ms. Default 5000. */
  helloTimeoutMs?: number;
  /** A stream that makes no progress in a frame or in sending is cut after this long, ms. Default 10000. */
  streamTimeoutMs?: number;
  /** Packets of one sender that are read in a second; more are dropped and counted as `flood`. Default 10000. */
  packetsPerSecond?: number;
  /** Level of the digest tree that a partition is; told in the hello. Default 2. */
  partitionLevel?: number;
  /** Only for `thread: "main"`: where names are asked. Default `dns.Resolver`. */
  dns?: DnsQueries;
}

/**
 * Metadata as the bytes that travel.
 *
 * @throws {RangeError} when it is more than 512 bytes
 * @throws {TypeError} when JSON cannot hold it
 */
export function encodeMetadata(metadata: Metadata): Uint8Array {
  const bytes =
    metadata instanceof Uint8Array ? metadata.slice() : new TextEncoder().encode(textOf(metadata));
  if (bytes.length > 512) {
    throw new RangeError(`Cannot take metadata of ${bytes.length} bytes: at most 512`);
  }
  return bytes;
}

function textOf(metadata: Exclude<Metadata, Uint8Array>): string {
  if (typeof metadata === "string") return metadata;
  if (typeof metadata !== "object") {
    throw new TypeError(`Cannot take metadata: a ${typeof metadata} is no object, string or bytes`);
  }
  try {
    return JSON.stringify(metadata);
  } catch (cause) {
    throw new TypeError(`Cannot take metadata: JSON cannot hold it (${String(cause)})`, { cause });
  }
}

/**
 * A member's metadata as what JSON it is.
 *
 * @returns undefined when the bytes are no JSON
 * @example
 * ```ts
 * import { decodeMetadata, encodeMetadata } from "@dnd/gossip";
 * decodeMetadata(encodeMetadata({ role: "web" })); // { role: "web" }
 * ```
 */
export function decodeMetadata(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
