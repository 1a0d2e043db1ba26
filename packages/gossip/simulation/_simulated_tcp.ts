import type { Parcel } from "./parcel.ts";
import type { Prng } from "./prng.ts";
import type { SimulatedHost } from "./simulated_host.ts";
import { SimulatedStream, type StreamEnd } from "./simulated_stream.ts";
import type { Trace } from "./trace.ts";
import type { VirtualClock } from "./virtual_clock.ts";

type Stream = SimulatedStream<SimulatedHost>;

/** The ways between hosts, as streams need to know them. */
export interface Ways {
  host(address: string): SimulatedHost | undefined;
  connected(from: SimulatedHost, to: SimulatedHost): boolean;
  lossRate(from: SimulatedHost, to: SimulatedHost): number;

  /** Draws how long one packet takes. */
  delay(from: SimulatedHost, to: SimulatedHost): number;
}

/** What went through streams. */
export interface StreamCounters {
  streams: number;
  frames: number;
  frameBytes: number;
}

const tcpTimeoutMs = 10_000;

/** Connections between simulated hosts: attempts, segments that are sent again, timeouts, resets. */
export class SimulatedTcp {
  #clock: VirtualClock;
  #prng: Prng;
  #trace: Trace;
  #ways: Ways;
  #counters: StreamCounters;
  #streams: Set<Stream> = new Set();

  constructor(
    dependencies: { readonly clock: VirtualClock; readonly prng: Prng; readonly trace: Trace },
    ways: Ways,
    counters: StreamCounters,
  ) {
    this.#clock = dependencies.clock;
    this.#prng = dependencies.prng;
    this.#trace = dependencies.trace;
    this.#ways = ways;
    this.#counters = counters;
  }

  /** Opens a stream from a host to whoever is at an address. */
  open(from: SimulatedHost, to: string, purpose: string): Stream {
    this.#counters.streams += 1;
    const near: Stream = new SimulatedStream(from, {
      peerAddress: to,
      purpose,
      send: (frame) => this.#sendFrame(near, frame),
    });
    this.#streams.add(near);
    this.#connect(near, to, { startedAt: this.#clock.now, retryMs: 1_000 });
    return near;
  }

  /** The process of this host ended: so do its streams. */
  drop(host: SimulatedHost, end: StreamEnd): void {
    for (const stream of [...this.#streams]) {
      if (stream.host !== host) continue;
      this.#streams.delete(stream);
      const other = stream.other;
      if (other === undefined) continue;
      const delay = end === "reset" ? this.#ways.delay(host, other.host) : tcpTimeoutMs;
      this.#clock.schedule(delay, () => this.#finish(other, end));
    }
  }

  /** One attempt to connect: SYN there, answer back; a lost one is sent again after 1, 2, 4 s. */
  #connect(near: Stream, to: string, attempt: Attempt): void {
    const elapsed = this.#clock.now - attempt.startedAt;
    if (!alive(near)) return;
    if (elapsed > tcpTimeoutMs) return this.#finish(near, "timeout");
    const host = this.#ways.host(to);
    const lost =
      host === undefined ||
      host.state === "off" ||
      !this.#ways.connected(near.host, host) ||
      !this.#ways.connected(host, near.host) ||
      this.#prng.chance(2 * this.#ways.lossRate(near.host, host));
    if (lost) {
      const next = { startedAt: attempt.startedAt, retryMs: attempt.retryMs * 2 };
      this.#clock.schedule(attempt.retryMs, () => this.#connect(near, to, next));
      return;
    }
    const there = this.#ways.delay(near.host, host);
    const back = this.#ways.delay(host, near.host);
    this.#clock.schedule(there, () => this.#accept(near, host, back));
  }

  #accept(near: Stream, host: SimulatedHost, backMs: number): void {
    if (!alive(near)) return;
    if (host.state === "down" || (host.state === "running" && !host.program.stream)) {
      this.#clock.schedule(backMs, () => this.#finish(near, "refused"));
      return;
    }
    if (host.state === "off") return;
    const far: Stream = new SimulatedStream(host, {
      peerAddress: near.host.address,
      purpose: near.purpose,
      send: (frame) => this.#sendFrame(far, frame),
    });
    this.#streams.add(far);
    near.other = far;
    far.other = near;
    host.arrive(0, () => {
      if (!alive(far)) return;
      if (host.program.stream === undefined) far.close();
      else host.program.stream(far);
    });
    this.#clock.schedule(backMs, () => {
      if (alive(near)) near.host.arrive(0, () => near.onOpen?.());
    });
  }

  /** A frame, or the end of the stream (no frame), on its way: lost segments are sent again. */
  #sendFrame(stream: Stream, frame: Uint8Array | Parcel | undefined): void {
    const other = stream.other;
    if (frame === undefined) this.#streams.delete(stream);
    if (other === undefined) return;
    if (frame !== undefined) {
      this.#counters.frames += 1;
      this.#counters.frameBytes += frame.length;
      stream.bufferedBytes += frame.length;
    }
    this.#transmit(stream, other, {
      frame,
      sequence: stream.sent++,
      startedAt: this.#clock.now,
      retryMs: 200,
    });
  }

  #transmit(stream: Stream, other: Stream, segment: Segment): void {
    const now = this.#clock.now;
    const lossRate = this.#ways.lossRate(stream.host, other.host);
    let wait = this.#ways.delay(stream.host, other.host);
    let retry = segment.retryMs;
    while (this.#prng.chance(lossRate) && retry < tcpTimeoutMs) {
      wait += retry;
      retry *= 2;
    }
    if (
      !this.#ways.connected(stream.host, other.host) ||
      !this.#ways.connected(other.host, stream.host)
    ) {
      if (now - segment.startedAt > tcpTimeoutMs) {
        this.#finish(stream, "timeout");
        this.#finish(other, "timeout");
        return;
      }
      const next = { ...segment, retryMs: segment.retryMs * 2 };
      this.#clock.schedule(segment.retryMs, () => this.#transmit(stream, other, next));
      return;
    }
    const { frame, sequence } = segment;
    this.#clock.schedule(wait, () => {
      if (frame !== undefined) {
        stream.bufferedBytes -= frame.length;
        this.#trace.add(
          this.#clock.now,
          stream.host.index * 65_536 + other.host.index + 2 ** 31,
          frame,
        );
      }
      other.host.arrive(0, () => {
        if (!alive(other)) return;
        for (const next of other.inOrder(sequence, frame)) {
          if (next === undefined) this.#finish(other, "closed");
          else other.receive(next);
        }
      });
    });
  }

  #finish(stream: Stream, end: StreamEnd): void {
    this.#streams.delete(stream);
    if (stream.epoch === stream.host.epoch) stream.host.arrive(0, () => stream.finish(end));
  }
}

interface Attempt {
  readonly startedAt: number;
  readonly retryMs: number;
}

interface Segment extends Attempt {
  readonly sequence: number;
  readonly frame: Uint8Array | Parcel | undefined;
}

function alive(stream: Stream): boolean {
  return stream.ended === undefined && stream.epoch === stream.host.epoch;
}
