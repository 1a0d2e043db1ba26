import type { Entry } from "@dnd/store";
import { compareVersions, StorageError } from "@dnd/store";
import type { Backpressure } from "./_backpressure.ts";
import type { Context } from "./_context.ts";
import { withoutValue } from "./entry_frames.ts";
import { ExchangeError, expectPeer } from "./exchange_error.ts";
import { PartAssembler } from "./part_assembler.ts";
import { peekSafely } from "./replica_map.ts";
import type { Rumors } from "./_rumors.ts";
import type { PeerFrame } from "./wire.ts";
import type { Confirm } from "@dnd/protocol";

/** Entries of one push that are passed on at most: a burst went to everybody. */
const PASS_ON_ENTRIES = 16;

interface Incoming {
  readonly stream: number;
  readonly peer: string;
  readonly parts: PartAssembler;
  /** Keys that came in parts since the last push. */
  entries: Entry[];
}

/** The push streams that peers opened: merges what comes, confirms what is to be confirmed, and explains. */
export class PushServe {
  readonly #context: Context;
  readonly #rumors: Rumors;
  readonly #backpressure: Backpressure;
  readonly #isReady: () => boolean;
  readonly #incoming = new Map<number, Incoming>();

  constructor(
    context: Context,
    rumors: Rumors,
    ways: { readonly backpressure: Backpressure; readonly isReady: () => boolean },
  ) {
    this.#context = context;
    this.#rumors = rumors;
    this.#backpressure = ways.backpressure;
    this.#isReady = ways.isReady;
  }

  /** Whether a peer opened this stream. */
  has(stream: number): boolean {
    return this.#incoming.has(stream);
  }

  /** Who opened it. */
  peerOf(stream: number): string | undefined {
    return this.#incoming.get(stream)?.peer;
  }

  /** Those that this peer opened. */
  streamsOf(peer: string): number[] {
    return [...this.#incoming.values()].filter((of) => of.peer === peer).map((of) => of.stream);
  }

  /** A peer opened a stream of this purpose. */
  accept(peer: string, stream: number): void {
    this.#incoming.set(stream, { stream, peer, parts: new PartAssembler(), entries: [] });
  }

  handleClosed(stream: number): void {
    if (this.#incoming.delete(stream)) this.#backpressure.forget(stream);
  }

  /** Takes a frame of such a stream. @throws {ExchangeError} if it is not one that may come there */
  handleFrame(stream: number, frame: PeerFrame, now: number): void {
    const incoming = this.#incoming.get(stream);
    if (incoming === undefined) return;
    const { peer } = incoming;
    switch (frame.type) {
      case "entryPart": {
        const entry = incoming.parts.add(frame);
        if (entry === undefined) return;
        this.#rumors.merge(peer, [entry], { now, passOn: true, late: true });
        this.#took(stream, [entry]);
        expectPeer(incoming.entries.length < 64, "large entries without a push");
        incoming.entries.push(withoutValue(entry));
        return;
      }
      case "push": {
        this.#context.metrics.pushesServed += 1;
        const entries = [...incoming.entries, ...frame.entries];
        incoming.entries = [];
        let code = "";
        try {
          const passOn = frame.entries.length <= PASS_ON_ENTRIES;
          this.#rumors.merge(peer, frame.entries, { now, passOn, late: true });
          this.#took(stream, frame.entries);
        } catch (error) {
          if (!(error instanceof ExchangeError) || !(error.cause instanceof StorageError))
            throw error;
          code = error.cause.code;
        }
        if (frame.confirm) this.#confirm(stream, frame.sequence, entries, code);
        return;
      }
      case "explainRequest": {
        const entry = peekSafely(this.#context.map, frame.key);
        this.#context.emit({
          type: "frame",
          stream,
          frame: {
            type: "explainReply",
            sequence: frame.sequence,
            ...(entry === undefined ? {} : { entry: withoutValue(entry) }),
            size: entry?.value.length ?? 0,
          },
        });
        return;
      }
      default:
        expectPeer(false, `a ${frame.type} on a push stream`);
    }
  }

  #took(stream: number, entries: readonly Entry[]): void {
    let bytes = 0;
    for (const { key, value } of entries) bytes += key.length + value.length + 64;
    this.#backpressure.took(stream, bytes);
  }

  /** Rules 9 and 18: this version or a newer one, committed here. */
  #confirm(stream: number, sequence: number, entries: readonly Entry[], code: string): void {
    const answer = (confirm: Omit<Confirm, "extra" | "sequence">): void => {
      if (!this.#incoming.has(stream)) return;
      this.#context.emit({
        type: "frame",
        stream,
        frame: { type: "confirm", sequence, ...confirm },
      });
    };
    const none = { superseded: false, time: 0, node: "" };
    if (code !== "") {
      answer({ ...none, code });
      return;
    }
    this.#context.onCommitted(() => {
      let superseded = false;
      let newest = { time: 0, node: "" };
      for (const { key, version } of entries) {
        const held = peekSafely(this.#context.map, key);
        const order = held === undefined ? -1 : compareVersions(held.version, version);
        // Neither it nor a newer one: refused, or reaped since, which needs everybody to have had it.
        if (held === undefined || order < 0) {
          answer({ ...none, code: "refused" });
          return;
        }
        if (order > 0) superseded = true;
        newest = held.version;
      }
      answer({ superseded, code: this.#isReady() ? "" : "not-ready", ...newest });
    });
  }
}
