import type { Member, Summary } from "@dnd/protocol";
import {
  type EngineCalls,
  type EngineCounters,
  type EngineReport,
  type EngineSettings,
  heartbeatMs,
} from "./_engine_protocol.ts";
import { EffectPerformer } from "./_effect_performer.ts";
import { crossError } from "./_cross_error.ts";
import { monotonicMs } from "./_monotonic.ts";
import { PacketGate } from "./_packet_gate.ts";
import { ReportQueue } from "./_report_queue.ts";
import { GuardedTimers } from "./_guarded_timers.ts";
import { HeartbeatWatch } from "./_heartbeat_watch.ts";
import { RateLimitedLog } from "./_rate_limited_log.ts";
import { StreamCaller } from "./_stream_caller.ts";
import type { LocalHello } from "./_stream_handshake.ts";
import { StreamKeyring } from "./_stream_keyring.ts";
import { UpdateInbox } from "./_update_inbox.ts";
import type { DnsQueries } from "./seed_resolver.ts";
import { SeedResolver } from "./seed_resolver.ts";
import { type SharedState, toSummary } from "./shared_state.ts";
import { Swim } from "./swim.ts";
import type { Accusation } from "./swim_accusations.ts";
import type { SwimOptions } from "./swim_options.ts";
import type { Effect, MemberView, Source } from "./swim_types.ts";
import { UdpTransport } from "./udp_transport.ts";

/** A farewell takes at most this long. */
const farewellMs = 1_500;
/** Bytes that wait at the socket above which the host's updates wait with the host's credit. */
const maxQueuedBytes = 256 << 10;

/**
 * The thread that speaks the protocol: a UDP socket, the timers, the pure {@linkcode Swim}, sealing, and
 * the outgoing side of member exchanges and stream probes. Runs in the worker or beside the host; what it
 * has to say goes out through `report`, what it is asked comes in as {@linkcode EngineCalls}.
 */
export class GossipEngine implements EngineCalls {
  readonly #settings: EngineSettings;
  readonly #shared: SharedState;
  readonly #log: RateLimitedLog;
  readonly #gate: PacketGate;
  readonly #keyring: StreamKeyring;
  readonly #reports: ReportQueue;
  readonly #inbox: UpdateInbox;
  readonly #timers: GuardedTimers;
  readonly #performer: EffectPerformer;
  #caller: StreamCaller | undefined;
  #transport: UdpTransport | undefined;
  #swim: Swim | undefined;
  #ended: (() => void) | undefined;
  #closed = false;
  #generation = 0;
  #seen = 0;
  #stalled = false;
  #stalls = 0;
  #packetFaults = 0;

  /**
   * @param report must not throw
   * @param dns asked for seeds; absent = `dns.Resolver`
   */
  constructor(
    settings: EngineSettings,
    shared: SharedState,
    options: { report: (report: EngineReport, transfer?: ArrayBuffer[]) => void; dns?: DnsQueries },
  ) {
    this.#settings = settings;
    this.#shared = shared;
    this.#reports = new ReportQueue(shared, options.report);
    this.#timers = new GuardedTimers((error) =>
      options.report({ type: "fault", error: crossError(error) }),
    );
    this.#log = new RateLimitedLog((level, fields, message) =>
      options.report({ type: "log", level, fields, message }),
    );
    this.#gate = new PacketGate(settings, (code, from, detail) => {
      const fields = { code, from, detail };
      this.#log.line(`packet-${code}`, monotonicMs(), "warn", fields, `packet dropped: ${code}`);
    });
    this.#keyring = new StreamKeyring([], false);
    this.setKeys(settings.keys, settings.permissive);
    this.#inbox = new UpdateInbox({
      shared,
      hasRoom: () => (this.#transport?.queuedBytes ?? 0) < maxQueuedBytes,
      send: ({ ids, bytes }) =>
        this.#input((swim, now) =>
          ids.length === 0 ? swim.broadcast(bytes, now) : swim.send(ids, bytes, now),
        ),
      guard: (action) => this.#timers.guard(action),
    });
    this.#performer = new EffectPerformer({
      gate: this.#gate,
      log: this.#log,
      timers: this.#timers,
      resolver: new SeedResolver(options.dns === undefined ? {} : { dns: options.dns }),
      reports: this.#reports,
      shared,
      transport: () => this.#transport,
      caller: () => this.#caller,
      input: (step) => this.#input(step),
      onEnded: () => this.#ended?.(),
    });
  }

  async bind(port: number): Promise<{ port: number; address: string; receiveBufferBytes: number }> {
    this.#transport = await UdpTransport.bind({
      address: this.#settings.bindAddress,
      port,
      onDatagram: (bytes, from) => this.#receive(bytes, from),
      onError: (error, during) => this.#transportError(error, during),
    });
    const { address, receiveBufferBytes } = this.#transport;
    return { port: this.#transport.port, address, receiveBufferBytes };
  }

  begin(options: SwimOptions): { members: MemberView[]; maxUpdateBytes: number } {
    this.#generation = options.generation;
    const swim = new Swim(options, {
      prng: Math.random,
      wall: Date.now,
      summary: () => this.#summary(),
    });
    this.#swim = swim;
    this.#caller = new StreamCaller({
      local: () => ({ ...this.#helloFields(), address: options.address }),
      keyring: this.#keyring,
      settings: this.#settings,
      pages: () => swim.memberPages(),
      merge: (members, from) =>
        this.#apply(swim.mergeMembers(members, { id: from }, monotonicMs())),
      summary: () => this.#summary(),
    });
    const { watchHost, stalledAfterMs } = this.#settings;
    const watch = watchHost
      ? new HeartbeatWatch(stalledAfterMs, this.#shared.beats, monotonicMs())
      : undefined;
    this.#timers.every(heartbeatMs, () => this.#tick(watch));
    this.#apply(swim.start(monotonicMs()));
    return { members: swim.members(), maxUpdateBytes: swim.maxUpdateBytes };
  }

  join(seeds: readonly string[]): void {
    this.#input((swim, now) => swim.join(seeds, now));
  }

  leave(departed: number | undefined): Promise<void> {
    return this.#farewell((swim, now) =>
      swim.leave(now, departed === undefined ? {} : { departed }),
    );
  }

  stop(): Promise<void> {
    return this.#farewell((swim, now) => swim.stop(now));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timers.close();
    this.#caller?.close();
    await this.#transport?.close();
    this.#reports.flush();
  }

  forget(id: string, departed: number | undefined): void {
    this.#input((swim, now) => swim.forget(id, now, departed === undefined ? {} : { departed }));
  }

  setFlags(flags: { ready?: boolean; skewed?: boolean }): void {
    const { ready, skewed } = flags;
    if (ready !== undefined) this.#input((swim, now) => swim.setReady(ready, now));
    if (skewed !== undefined) this.#input((swim, now) => swim.setSkewed(skewed, now));
  }

  setMetadata(metadata: Uint8Array): void {
    this.#input((swim, now) => swim.setMetadata(metadata, now));
  }

  raiseGeneration(generation: number): void {
    this.#generation = Math.max(this.#generation, generation);
    this.#input((swim, now) => swim.raiseGeneration(generation, now));
  }

  setKeys(keys: readonly Uint8Array[], permissive: boolean): void {
    this.#gate.setKeys(keys, permissive);
    this.#keyring.set(keys, permissive);
  }

  memberPages(): Member[][] {
    return this.#running().memberPages();
  }

  mergeMembers(members: readonly Member[], from: string): void {
    this.#input((swim, now) => swim.mergeMembers(members, { id: from }, now));
  }

  remembered(): Member[] {
    return this.#running().remembered();
  }

  accusations(): Accusation[] {
    return this.#running().accusations();
  }

  counters(): EngineCounters {
    const swim = this.#running();
    if (this.#transport === undefined) throw new Error("Cannot count: the socket is not bound");
    return {
      swim: { ...swim.counters },
      udp: this.#transport.counters,
      packets: this.#gate.counters,
      localHealth: swim.localHealth,
      updatesDropped: this.#reports.updatesDropped,
      eventsDropped: this.#reports.eventsDropped,
      stalls: this.#stalls,
      packetFaults: this.#packetFaults,
    };
  }

  /** Updates from the host: each sent at once to the members named, or broadcast. */
  handleUpdates(buffer: ArrayBuffer): void {
    this.#timers.guard(() => this.#inbox.add(buffer));
  }

  #helloFields(): Omit<ReturnType<LocalHello>, "address"> {
    const { clock, algorithm, scope } = this.#shared.readSummary();
    const { cluster, id, bootId, partitionLevel } = this.#settings;
    const generation = this.#generation;
    return {
      cluster,
      id,
      generation,
      bootId,
      algorithm,
      scope,
      partitionLevel,
      clock,
      wall: Date.now(),
    };
  }

  #running(): Swim {
    if (this.#swim === undefined) throw new Error("Cannot ask: the node has not been started");
    return this.#swim;
  }

  #input(step: (swim: Swim, now: number) => Effect[]): void {
    if (!this.#closed) this.#apply(step(this.#running(), monotonicMs()));
  }

  /** @returns when the farewell is out, or after a while without it */
  async #farewell(step: (swim: Swim, now: number) => Effect[]): Promise<void> {
    if (this.#closed || this.#swim === undefined) return;
    const ended = new Promise<void>((resolve) => {
      this.#ended = resolve;
      this.#timers.after(farewellMs, resolve);
    });
    this.#input(step);
    await ended;
    this.#transport?.flush();
  }

  #receive(bytes: Uint8Array, from: string): void {
    const swim = this.#swim;
    if (swim === undefined || this.#closed) return;
    const packet = this.#gate.open(bytes, from);
    if (packet === undefined) return;
    const source: Source = { address: from, bootId: packet.bootId, directed: packet.directed };
    try {
      this.#apply(swim.handleMessage(packet.envelope, source, monotonicMs()));
    } catch (error) {
      // Nothing that arrives may end a node.
      this.#packetFaults += 1;
      const fields = { from, error: (error as Error).stack };
      this.#log.line(
        "packet-fault",
        monotonicMs(),
        "error",
        fields,
        "a packet made the protocol throw",
      );
    }
  }

  #apply(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (this.#closed) return;
      this.#performer.perform(effect);
    }
  }

  #summary(): Summary {
    return toSummary(this.#shared.readSummary(), this.#generation, this.#stalled);
  }

  #tick(watch: HeartbeatWatch | undefined): void {
    const now = monotonicMs();
    const swim = this.#running();
    this.#reports.recover(() => swim.members());
    const { seen } = this.#shared.readSummary();
    if (seen !== this.#seen) swim.setSeen(seen);
    this.#seen = seen;
    const stalled = watch?.look(this.#shared.beats, now) ?? false;
    if (stalled === this.#stalled) return;
    this.#stalled = stalled;
    if (stalled) this.#stalls += 1;
    this.#input(() => swim.setStalled(stalled, now));
  }

  #transportError(error: NodeJS.ErrnoException, during: "send" | "receive"): void {
    const fields = { code: error.code, during };
    this.#log.line(`udp-${error.code ?? ""}`, monotonicMs(), "warn", fields, "UDP socket error");
    // Too large a datagram or a bad address is not a sign of our own bad health.
    if (error.code === "EMSGSIZE" || error.code === "EINVAL") return;
    if (this.#swim === undefined) return;
    this.#timers.guard(() => this.#input((swim, now) => swim.handleTransportError(now)));
  }
}
