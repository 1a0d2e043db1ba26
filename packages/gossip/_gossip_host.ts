import { isIP } from "node:net";
import { reviveError } from "./_cross_error.ts";
import { type EngineClient, type EngineNews, startEngine } from "./_engine_client.ts";
import { type EngineSettings, heartbeatMs } from "./_engine_protocol.ts";
import { Listeners } from "./_event_hub.ts";
import { HostUpdates } from "./_host_updates.ts";
import { MemberMirror } from "./_member_mirror.ts";
import { monotonicMs } from "./_monotonic.ts";
import { RateLimitedLog } from "./_rate_limited_log.ts";
import type { LocalHello } from "./_stream_handshake.ts";
import { StreamHub } from "./_stream_hub.ts";
import { StreamKeyring } from "./_stream_keyring.ts";
import { unpackUpdates } from "./_update_batch.ts";
import { advertisedAddress, type CheckedOptions } from "./_validate_options.ts";
import { BindError } from "./bind_error.ts";
import type { GossipLogger } from "./gossip_options.ts";
import { parseHostPort } from "./host_port.ts";
import { SeedResolver } from "./seed_resolver.ts";
import { emptySummary, type LocalSummary, SharedState, toSummary } from "./shared_state.ts";

/** Ports that are tried for one that is free for UDP and TCP. */
const maxPortAttempts = 32;
/** How long a farewell, and then closing, may take before the thread is ended without it, ms. */
const farewellTimeoutMs = 2_000;
const closeTimeoutMs = 1_000;

/** Where a node is in its one life. */
export type HostState = "new" | "starting" | "running" | "stopping" | "stopped";

/** What is known once the sockets are bound. */
export interface Bound {
  /** `host:port` that the others call. */
  address: string;
  port: number;
  receiveBufferBytes: number;
  maxUpdateBytes: number;
}

/**
 * A node on its host's thread: its parts, and its life from start to end. `GossipNode` is the surface
 * over it.
 */
export class GossipHost {
  readonly options: CheckedOptions;
  readonly shared: SharedState = new SharedState();
  readonly keyring: StreamKeyring;
  readonly streams: StreamHub;
  readonly mirror: MemberMirror;
  readonly updates: Listeners<{ from: string; bytes: Uint8Array }>;
  readonly outgoing: HostUpdates;
  state: HostState = "new";
  generation: number;
  bound: Bound = { address: "", port: 0, receiveBufferBytes: 0, maxUpdateBytes: 0 };
  readonly #log: RateLimitedLog;
  #keys: readonly Uint8Array[];
  #permissive: boolean;
  #summary: LocalSummary = emptySummary();
  #client: EngineClient | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: CheckedOptions, logger: GossipLogger | undefined) {
    this.options = options;
    this.generation = options.generation;
    this.#keys = options.keys;
    this.#permissive = options.sealing === "permissive";
    this.#log = new RateLimitedLog((level, fields, message) => {
      try {
        logger?.[level](fields, message);
      } catch {
        // A log that cannot be written is no reason to stop.
      }
    });
    const threw = (error: unknown): void =>
      this.#warn("callback", { error: String(error) }, "a callback threw");
    this.keyring = new StreamKeyring(this.#keys, this.#permissive);
    this.mirror = new MemberMirror(options.eventBuffer, options.id, threw);
    this.updates = new Listeners(threw);
    this.outgoing = new HostUpdates(this.shared, (buffer) => this.#client?.sendUpdates(buffer));
    this.streams = new StreamHub({
      ...options,
      keyring: this.keyring,
      local: () => this.#helloFields(),
      pages: () => this.engine().call("memberPages"),
      merge: (members, from) => this.engine().call("mergeMembers", members, from),
      summary: () => toSummary(this.shared.readSummary(), this.generation, false),
      onRejected: (code, from, detail) =>
        this.#warn(`stream-${code}`, { code, from, detail }, `stream turned away: ${code}`),
      onCut: (code, { purpose, peer }, detail) => {
        const fields = { code, purpose, peer: peer.id, from: peer.address, detail };
        this.#warn(`stream-cut-${code}`, fields, `stream cut: ${code}`);
      },
      onHandlerError: (error, { purpose, peer }) => {
        const fields = { purpose, peer: peer.id, error: String(error) };
        this.#warn(`handler-${purpose}`, fields, "a stream handler threw");
      },
    });
  }

  get keys(): readonly Uint8Array[] {
    return this.#keys;
  }

  /** @throws {Error} before the start and after the end */
  engine(): EngineClient {
    if (this.#client === undefined || this.state === "stopped") {
      throw new Error(`Cannot do this: the node is ${this.state}`);
    }
    return this.#client;
  }

  async start(): Promise<void> {
    if (this.state !== "new") throw new Error(`Cannot start: the node is ${this.state}`);
    this.state = "starting";
    try {
      await this.#open();
    } catch (error) {
      this.state = "stopped";
      await this.#shutDown();
      throw error;
    }
    // Stopped while it was starting: end() has shut it down.
    if (this.#stopped === undefined) this.state = "running";
  }

  end(how: "stop" | "leave", departed?: number): Promise<void> {
    this.#stopped ??= this.#end(how, departed);
    return this.#stopped;
  }

  setSummary(change: Partial<LocalSummary>): void {
    const summary = { ...this.#summary, ...change };
    this.shared.writeSummary(summary);
    this.#summary = summary;
    this.shared.beat();
  }

  async setKeys(keys: readonly Uint8Array[], permissive: boolean | undefined): Promise<void> {
    if (keys.length === 0 && this.#keys.length > 0) {
      throw new RangeError("Cannot take the last key away: the node would be open");
    }
    this.#permissive = permissive ?? this.#permissive;
    this.#keys = keys.map((key) => Uint8Array.from(key));
    this.keyring.set(this.#keys, this.#permissive);
    await this.#client?.call("setKeys", this.#keys, this.#permissive);
    this.streams.closeRetired();
  }

  sendUpdate(ids: readonly string[], bytes: Uint8Array): boolean {
    if (this.state !== "running") return false;
    const { maxUpdateBytes } = this.bound;
    if (bytes.length > maxUpdateBytes) {
      throw new RangeError(`Cannot send ${bytes.length} bytes: at most ${maxUpdateBytes}`);
    }
    // What is no id is no member: the bytes between the threads have room for ids alone.
    const known = ids.filter((id) => /^[0-9a-f]{32}$/.test(id));
    return (ids.length > 0 && known.length === 0) || this.outgoing.add({ ids: known, bytes });
  }

  async #end(how: "stop" | "leave", departed: number | undefined): Promise<void> {
    const wasRunning = this.state === "running";
    this.state = "stopping";
    if (wasRunning) {
      const engine = this.engine();
      const farewell = how === "stop" ? engine.call("stop") : engine.call("leave", departed);
      await atMost(farewell, farewellTimeoutMs);
    }
    this.state = "stopped";
    await this.#shutDown();
  }

  async #open(): Promise<void> {
    const { thread, address, advertise, dns } = this.options;
    const engine = startEngine(thread, {
      settings: this.#engineSettings(),
      shared: this.shared,
      onNews: (news) => this.#hear(news),
      onFailure: (error) => this.#fail(error),
      dns,
    });
    this.#client = engine;
    this.#heartbeat = setInterval(() => this.shared.beat(), heartbeatMs);
    const { port, receiveBufferBytes } = await this.#bind(engine);
    const told = await resolveName(advertisedAddress({ host: address, port }, advertise), address);
    this.bound = { address: told, port, receiveBufferBytes, maxUpdateBytes: 0 };
    const { id, bootId, cluster, name, metadata, seeds, remembered, profile } = this.options;
    const { volatile, timing = {}, forgetAfterMs } = this.options;
    const { members, maxUpdateBytes } = await engine.call("begin", {
      ...{ id, bootId, cluster, name, metadata, seeds, remembered, profile, volatile, timing },
      generation: this.generation,
      address: told,
      ...(forgetAfterMs === undefined ? {} : { forgetAfterMs }),
    });
    this.bound = { ...this.bound, maxUpdateBytes };
    this.mirror.begin(members);
  }

  /** One port number for both sockets: with port 0, a port that only one of them gets is given back. */
  async #bind(engine: EngineClient): Promise<{ port: number; receiveBufferBytes: number }> {
    const { address, port: wanted } = this.options;
    for (let attempt = 1; ; attempt++) {
      const port = await this.streams.listen(address, wanted);
      try {
        const { receiveBufferBytes } = await engine.call("bind", port);
        return { port, receiveBufferBytes };
      } catch (error) {
        await this.streams.unlisten();
        const taken = error instanceof BindError && error.code === "address-in-use";
        if (!taken || wanted !== 0 || attempt === maxPortAttempts) throw error;
      }
    }
  }

  async #shutDown(): Promise<void> {
    clearInterval(this.#heartbeat);
    await this.streams.close();
    if (this.#client !== undefined) {
      await atMost(this.#client.call("close"), closeTimeoutMs);
      await this.#client.terminate();
    }
    this.mirror.events.close();
  }

  #hear(news: EngineNews): void {
    switch (news.type) {
      case "events":
        for (const event of news.events) this.mirror.apply(event);
        this.shared.giveCredit("events", news.events.length);
        break;
      case "table":
        this.mirror.recover(news.members, news.lost);
        break;
      case "updates":
        for (const { ids, bytes } of unpackUpdates(news.buffer)) {
          this.updates.emit({ from: ids[0] ?? "", bytes });
        }
        this.shared.giveCredit("toMain", news.buffer.byteLength);
        break;
      case "fault":
        this.#fail(reviveError(news.error));
        break;
      case "log": {
        const { level, fields, message } = news;
        this.#log.line(`engine-${message}`, monotonicMs(), level, fields, message);
        break;
      }
    }
  }

  #fail(error: Error): void {
    if (this.state === "stopping" || this.state === "stopped") return;
    this.#log.line("failed", monotonicMs(), "error", { error: error.stack }, "gossip failed");
    this.mirror.fail(error);
    void this.end("stop");
  }

  #engineSettings(): EngineSettings {
    const { id, bootId, cluster, address, thread } = this.options;
    const { stalledAfterMs, helloTimeoutMs, streamTimeoutMs, partitionLevel } = this.options;
    const { packetsPerSecond } = this.options;
    return {
      ...{ id, bootId, cluster, stalledAfterMs, helloTimeoutMs, streamTimeoutMs, partitionLevel },
      packetsPerSecond,
      bindAddress: address,
      keys: this.#keys,
      permissive: this.#permissive,
      watchHost: thread === "worker",
    };
  }

  #helloFields(): ReturnType<LocalHello> {
    const { id, bootId, cluster, partitionLevel } = this.options;
    const { clock, algorithm, scope } = this.#summary;
    return {
      ...{ id, bootId, cluster, partitionLevel, clock, algorithm, scope },
      generation: this.generation,
      address: this.bound.address,
      wall: Date.now(),
    };
  }

  #warn(kind: string, fields: object, message: string): void {
    this.#log.line(kind, monotonicMs(), "warn", fields, message);
  }
}

/** An advertised name as the address that it has now: the others send to addresses only. */
async function resolveName(address: string, bound: string): Promise<string> {
  if (isIP(parseHostPort(address).host) !== 0) return address;
  const { addresses, reason } = await new SeedResolver().resolve(address);
  const found = addresses.find((ip) => isIP(parseHostPort(ip).host) === isIP(bound));
  if (found !== undefined) return found;
  throw new TypeError(`Cannot advertise ${address}: ${reason ?? "no address of the bound family"}`);
}

/** Waits for a promise, but not for ever, and not for its outcome. */
async function atMost(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([promise.catch(() => undefined), timeout]);
  clearTimeout(timer);
}
