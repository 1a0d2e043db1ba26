import { MAX_METADATA_BYTES, MAX_NAME_BYTES, type Member } from "@dnd/protocol";

/**
 * Times and counts of the protocol. Every time is in milliseconds. See {@linkcode profiles} for the
 * presets and the formulas they follow.
 */
export interface SwimTiming {
  /** Length of a protocol period: one member is probed in each. Raised: less load, later detection. */
  readonly probeIntervalMs: number;

  /**
   * Longest wait for a direct answer, and the wait before round trips are known. The real wait is
   * `clamp(srtt + 4 * rttvar, minProbeTimeoutMs, probeTimeoutMs) * (1 + local health)`.
   */
  readonly probeTimeoutMs: number;

  /** Shortest wait for a direct answer. Raised: fewer indirect probes after a pause of the peer. */
  readonly minProbeTimeoutMs: number;

  /** Longest wait for a stream probe. */
  readonly streamProbeTimeoutMs: number;

  /** Members that are asked to probe for us when there is no direct answer (k of the paper). */
  readonly indirectProbes: number;

  /**
   * Least time from *suspect* to *dead*: `suspicionMult * max(1, log10(members)) * probeIntervalMs`.
   * Raised: fewer false deaths, later detection.
   */
  readonly suspicionMult: number;

  /** Most time from *suspect* to *dead*, in multiples of the least: what a lone accuser waits. */
  readonly suspicionMaxMult: number;

  /** Period of packets that carry nothing but rumors; they only flow while there are rumors. */
  readonly gossipIntervalMs: number;

  /** Members that get such a packet in each period. */
  readonly gossipFanout: number;

  /** Each rumor is sent `retransmitMult * ceil(log10(members + 1))` times by each node. */
  readonly retransmitMult: number;

  /** Period of the exchange of member pages with a random member whose view differs. */
  readonly exchangeIntervalMs: number;

  /** Period of calling one dead member, with probability dead/alive (RULES 20). */
  readonly deadIntervalMs: number;

  /** Period of calling one seed that is no live member (RULES 20). */
  readonly seedIntervalMs: number;

  /** UDP payload of a packet at most, header included. */
  readonly maxDatagramBytes: number;
}

/** Names of the presets. */
export type ProfileName = "local" | "lan" | "wan";

/** Options of {@linkcode Swim}: who this node is, and how patient. */
export interface SwimOptions {
  /** 32 lower-case hex digits, kept in the data folder. */
  readonly id: string;

  /** Rises at each start of a node with a disk (durable before the first packet). */
  readonly generation: number;

  /** 16 lower-case hex digits, random at each start. */
  readonly bootId: string;

  /** `host:port` that others reach this node at. */
  readonly address: string;

  /** Cluster name, at most 64 bytes. Default `"dnd"`. */
  readonly cluster?: string;

  /** Label for people, at most 64 bytes. Default `""`. */
  readonly name?: string;

  /** Opaque bytes for the others, at most 512. Default none. */
  readonly metadata?: Uint8Array;

  /** This node has no disk: when dead it is forgotten after an hour. Default false. */
  readonly volatile?: boolean;

  /** `host:port` of peers to call, names allowed. Default none. */
  readonly seeds?: readonly string[];

  /** What `remembered()` gave before the restart. Default none. */
  readonly remembered?: readonly Member[];

  /** Preset. Default `"lan"`. */
  readonly profile?: ProfileName;

  /** Single values that differ from the preset. */
  readonly timing?: Partial<SwimTiming>;

  /**
   * Dead members are forgotten after this time. Default: never; volatile ones after one hour, or after
   * this time if it is set and shorter.
   */
  readonly forgetAfterMs?: number;

  /** Members in the table at most, dead ones included; further ones are refused. Default 16,384. */
  readonly maxMembers?: number;

  /** Ended members (stopped, dead, left, forgotten) kept at most. Default 4,096 (RULES 3). */
  readonly maxDead?: number;

  /** Lifeguard's local health multiplier and the caution after own stalls. Default true. */
  readonly localHealth?: boolean;
}

/**
 * The presets.
 *
 * | | `local` | `lan` | `wan` |
 * |---|---|---|---|
 * | for | tests, one machine | one data centre | between regions |
 * | probe interval | 200 ms | 1 s | 3 s |
 * | direct answer at most | 100 ms | 500 ms | 2 s |
 * | least suspicion, 10 / 100 / 1,000 members | 1 / 2 / 3 s | 1.5 / 3 / 4.5 s | 6 / 12 / 18 s |
 * | datagram | 1,352 | 1,352 | 1,200 |
 */
export const profiles: Readonly<Record<ProfileName, SwimTiming>> = {
  local: {
    probeIntervalMs: 200,
    probeTimeoutMs: 100,
    minProbeTimeoutMs: 50,
    streamProbeTimeoutMs: 200,
    indirectProbes: 3,
    suspicionMult: 5,
    suspicionMaxMult: 6,
    gossipIntervalMs: 50,
    gossipFanout: 3,
    retransmitMult: 3,
    exchangeIntervalMs: 10_000,
    deadIntervalMs: 1_000,
    seedIntervalMs: 10_000,
    maxDatagramBytes: 1352,
  },
  lan: {
    probeIntervalMs: 1_000,
    probeTimeoutMs: 500,
    minProbeTimeoutMs: 100,
    streamProbeTimeoutMs: 500,
    indirectProbes: 3,
    suspicionMult: 1.5,
    suspicionMaxMult: 6,
    gossipIntervalMs: 200,
    gossipFanout: 3,
    retransmitMult: 3,
    exchangeIntervalMs: 30_000,
    deadIntervalMs: 1_000,
    seedIntervalMs: 10_000,
    maxDatagramBytes: 1352,
  },
  wan: {
    probeIntervalMs: 3_000,
    probeTimeoutMs: 2_000,
    minProbeTimeoutMs: 300,
    streamProbeTimeoutMs: 2_000,
    indirectProbes: 3,
    suspicionMult: 2,
    suspicionMaxMult: 6,
    gossipIntervalMs: 500,
    gossipFanout: 4,
    retransmitMult: 3,
    exchangeIntervalMs: 60_000,
    deadIntervalMs: 1_000,
    seedIntervalMs: 10_000,
    maxDatagramBytes: 1200,
  },
};

/**
 * Checks what a host passed.
 *
 * @throws {TypeError} if an id is not lower-case hex of its length, or the address is empty
 * @throws {RangeError} if a number or length is outside its bounds
 */
export function checkOptions(options: SwimOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("Cannot start: the options are no object");
  }
  checkHex("id", options.id, 32);
  checkHex("bootId", options.bootId, 16);
  if (typeof options.address !== "string" || options.address === "") {
    throw new TypeError("Cannot start: the address is empty");
  }
  if (!Number.isSafeInteger(options.generation) || options.generation < 0) {
    throw new RangeError(`Cannot start: ${options.generation} is no generation`);
  }
  const encoder = new TextEncoder();
  checkLength("cluster name", encoder.encode(options.cluster ?? "").length, MAX_NAME_BYTES);
  checkLength("name", encoder.encode(options.name ?? "").length, MAX_NAME_BYTES);
  checkLength("metadata", options.metadata?.length ?? 0, MAX_METADATA_BYTES);
  for (const [name, value] of Object.entries(options.timing ?? {})) {
    if (!Number.isFinite(value) || value <= 0) {
      throw new RangeError(`Cannot start: timing.${name} is ${value}, not above 0`);
    }
  }
}

function checkHex(name: string, value: string, digits: number): void {
  if (typeof value !== "string" || value.length !== digits || !/^[0-9a-f]*$/.test(value)) {
    throw new TypeError(
      `Cannot start: ${name} must be ${digits} lower-case hex digits, not ${JSON.stringify(value)}`,
    );
  }
}

function checkLength(name: string, bytes: number, most: number): void {
  if (bytes > most) {
    throw new RangeError(`Cannot start: the ${name} has ${bytes} bytes, at most ${most}`);
  }
}
