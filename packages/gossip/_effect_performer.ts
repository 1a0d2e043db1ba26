import { monotonicMs } from "./_monotonic.ts";
import type { GuardedTimers } from "./_guarded_timers.ts";
import type { PacketGate } from "./_packet_gate.ts";
import type { RateLimitedLog } from "./_rate_limited_log.ts";
import type { ReportQueue } from "./_report_queue.ts";
import type { StreamCaller } from "./_stream_caller.ts";
import type { SeedResolver } from "./seed_resolver.ts";
import type { SharedState } from "./shared_state.ts";
import type { Swim } from "./swim.ts";
import type { Effect, ExchangeEffect, ProbeStreamEffect, SendEffect } from "./swim_types.ts";
import type { UdpTransport } from "./udp_transport.ts";

/** What effects need to be done. */
export interface PerformerParts {
  readonly gate: PacketGate;
  readonly log: RateLimitedLog;
  readonly timers: GuardedTimers;
  readonly resolver: SeedResolver;
  readonly reports: ReportQueue;
  readonly shared: SharedState;

  /** Absent before they are bound. */
  readonly transport: () => UdpTransport | undefined;
  readonly caller: () => StreamCaller | undefined;

  /** Gives an outcome to the protocol, and does what follows of it. */
  readonly input: (step: (swim: Swim, now: number) => Effect[]) => void;

  /** The farewell is out. */
  readonly onEnded: () => void;
}

/** Does what {@linkcode Swim} wants: datagrams, timers, streams, names, reports to the host. */
export class EffectPerformer {
  readonly #parts: PerformerParts;

  constructor(parts: PerformerParts) {
    this.#parts = parts;
  }

  perform(effect: Effect): void {
    const { timers, reports, input } = this.#parts;
    switch (effect.type) {
      case "send":
        return this.#send(effect);
      case "schedule": {
        const { token, delayMs } = effect;
        return timers.after(delayMs, () => input((swim, now) => swim.handleTimer(token, now)));
      }
      case "notify":
        if (effect.event.type === "ended") this.#parts.onEnded();
        reports.add(effect.event);
        return;
      case "exchange":
        return this.#exchange(effect);
      case "probe-stream":
        return this.#probe(effect);
      case "resolve":
        return this.#resolve(effect.seed);
    }
  }

  #send({ envelope, to }: SendEffect): void {
    const { gate, shared, transport } = this.#parts;
    if (transport()?.send(gate.seal(envelope, to), to.address) === true) return;
    // What was in it is for an exchange to bring (RULES 11).
    if (envelope.updates.length > 0) shared.markDropped();
  }

  #exchange({ peer }: ExchangeEffect): void {
    const { log, caller } = this.#parts;
    caller()?.exchange(peer, (error) => {
      const fields = { peer: peer.id, address: peer.address, reason: error.message };
      log.line("members", monotonicMs(), "debug", fields, "member exchange failed");
    });
  }

  #probe({ peer, token, timeoutMs }: ProbeStreamEffect): void {
    const { timers, input, caller } = this.#parts;
    void caller()
      ?.probe(peer, timeoutMs)
      .then((outcome) => {
        timers.guard(() => input((swim, now) => swim.handleStreamProbe(token, outcome, now)));
      });
  }

  #resolve(seed: string): void {
    const { log, timers, input, resolver, transport } = this.#parts;
    void resolver.resolve(seed).then(({ addresses, reason }) => {
      const usable = addresses.filter((address) => transport()?.canReach(address));
      if (usable.length === 0) {
        const why = reason ?? "no address of this node's IP version";
        log.line("seed", monotonicMs(), "warn", { seed, reason: why }, "seed not resolved");
      }
      timers.guard(() => input((swim, now) => swim.handleResolved(seed, usable, now)));
    });
  }
}
