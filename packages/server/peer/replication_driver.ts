import { encode, type FrameBody } from "@dnd/protocol";
import type { GossipNode, PeerStream } from "@dnd/gossip";
import type {
  ReplicationEffect,
  ReplicationEvent,
  ReplicationFrame,
  Replicator,
  StreamPurpose,
} from "@dnd/replication";
import { StorageError, type VersionedMap } from "@dnd/store";
import type { NodeLogger } from "../node_logger.ts";

/** What carries out the effects of replication. */
export interface ReplicationDriverParts {
  readonly replicator: Replicator;
  readonly gossip: GossipNode;
  readonly map: VersionedMap;
  readonly logger: NodeLogger;
  readonly now: () => number;
  readonly onEvent: (event: ReplicationEvent) => void;
  /** The map may have changed, or what the pings say of it. */
  readonly onChanged: () => void;
  /** Puts entries that leave the map on disk, before it returns (rule 1). */
  readonly setAside: (effect: Extract<ReplicationEffect, { type: "set-aside" }>) => void;
  /** This node was forgotten: a higher generation (rule 3). */
  readonly reenter: (generation: number) => void;
}

const purposes: readonly StreamPurpose[] = ["exchange", "push"];

/** A stream of the core: the number it goes by, and what is known of it here. */
interface OpenStream {
  /** Absent while it is being opened. */
  stream?: PeerStream;
  readonly opening: AbortController;
  /** Fulfilled when reading may go on. */
  gate: Promise<void>;
  openGate: (() => void) | undefined;
}

/**
 * Carries out the effects of the replication core on gossip, peer streams, timers and the map, in the
 * order in which they come. The core is never called from within the carrying out of its own effects:
 * answers that are there at once wait in the same queue.
 */
export class ReplicationDriver {
  readonly #parts: ReplicationDriverParts;
  readonly #streams = new Map<number, OpenStream>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #queue: ReplicationEffect[] = [];
  readonly #stopServing: (() => void)[] = [];
  #draining = false;
  #flushing: ReturnType<typeof setImmediate> | undefined;
  #closed = false;

  /** @param parts gossip has been started */
  constructor(parts: ReplicationDriverParts) {
    this.#parts = parts;
    for (const purpose of purposes) {
      this.#stopServing.push(
        parts.gossip.onStream(purpose, (stream) => this.#accept(stream, purpose)),
      );
    }
  }

  /**
   * Asks the core, and carries out the effects and those that follow from them.
   *
   * @param ask not called when the driver is closed: what the core works on may be closed too
   */
  run(ask: () => readonly ReplicationEffect[]): void {
    if (this.#closed) return;
    for (const effect of ask()) this.#queue.push(effect);
    if (this.#draining) return;
    this.#draining = true;
    let done = 0;
    try {
      // The queue grows while it is worked off.
      for (; done < this.#queue.length; done += 1) {
        const effect = this.#queue[done];
        if (effect !== undefined) this.#carryOut(effect);
      }
    } finally {
      this.#queue.splice(0, done + 1);
      this.#draining = false;
    }
    this.#parts.onChanged();
  }

  /** The outbox goes out at the end of this turn of the event loop, which coalesces a burst. */
  flushSoon(): void {
    this.#flushing ??= setImmediate(() => this.flush());
  }

  /** The outbox goes out now. */
  flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    this.run(() => this.#parts.replicator.flush(this.#parts.now()));
  }

  /** Ends streams and timers; nothing is carried out any more. */
  close(): void {
    this.#closed = true;
    clearImmediate(this.#flushing);
    for (const stop of this.#stopServing) stop();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const { stream, opening } of this.#streams.values()) {
      opening.abort();
      stream?.destroy();
    }
    this.#streams.clear();
  }

  #carryOut(effect: ReplicationEffect): void {
    const { gossip, replicator, now } = this.#parts;
    switch (effect.type) {
      case "rumor":
        gossip.send(effect.to, encode(effect.update, "Update"));
        return;
      case "open-stream":
        this.#open(effect.stream, effect.peer, effect.purpose);
        return;
      case "frame":
        this.#send(effect.stream, effect.frame);
        return;
      case "pause":
        this.#pause(effect.stream);
        return;
      case "resume":
        this.#resume(effect.stream);
        return;
      case "close-stream":
        this.#close(effect.stream, effect.error);
        return;
      case "schedule": {
        const { token, delayMs } = effect;
        if (delayMs === 0) {
          // The next turn; a timer would come a millisecond later at the earliest.
          setImmediate(() => {
            if (!this.#closed) this.run(() => replicator.handleTimer(token, now()));
          });
          return;
        }
        const timer = setTimeout(() => {
          this.#timers.delete(timer);
          this.run(() => replicator.handleTimer(token, now()));
        }, delayMs);
        this.#timers.add(timer);
        return;
      }
      case "commit": {
        this.#commit(effect.mark);
        return;
      }
      case "set-aside":
        this.#parts.setAside(effect);
        return;
      case "members":
        gossip.mergeMembers(effect.members, effect.from).catch((error: unknown) => {
          if (!this.#closed) this.#parts.logger.warn({ err: error }, "members were not merged");
        });
        return;
      case "re-enter":
        this.#parts.reenter(effect.generation);
        return;
      case "notify":
        this.#parts.onEvent(effect.event);
        return;
    }
  }

  #commit(mark: number): void {
    const { map, replicator, now } = this.#parts;
    map.committed().then(
      () => this.run(() => replicator.handleCommitted(mark, now())),
      (error: unknown) => {
        if (this.#closed) return;
        // A disk that is full takes it later, and all that is promised waits until then. Any other failure
        // is final: nothing is promised any more (rule 17); whoever writes next says why.
        if (error instanceof StorageError && error.code === "storage-full") this.#commit(mark);
        else this.run(() => replicator.handleStorageFailed(now()));
      },
    );
  }

  #register(number: number): OpenStream {
    const open: OpenStream = {
      opening: new AbortController(),
      gate: Promise.resolve(),
      openGate: undefined,
    };
    this.#streams.set(number, open);
    return open;
  }

  #open(number: number, peer: string, purpose: StreamPurpose): void {
    const { gossip, replicator, now } = this.#parts;
    const open = this.#register(number);
    gossip.openStream(peer, purpose, { signal: open.opening.signal }).then(
      (stream) => {
        if (this.#closed || open.opening.signal.aborted) {
          stream.destroy();
          return;
        }
        open.stream = stream;
        this.run(() => replicator.handleStreamOpened(number, now()));
        void this.#read(number, open, stream);
      },
      (error: unknown) => this.#ended(number, reasonOf(error)),
    );
  }

  #accept(stream: PeerStream, purpose: StreamPurpose): void {
    const { replicator, now } = this.#parts;
    const { stream: number, effects } = replicator.acceptStream(stream.peer.id, purpose, now());
    const open = this.#register(number);
    open.stream = stream;
    this.run(() => effects);
    void this.#read(number, open, stream);
  }

  async #read(number: number, open: OpenStream, stream: PeerStream): Promise<void> {
    const { replicator, now } = this.#parts;
    // A push stream is kept for the next write; the core closes what it does not need.
    stream.setIdleTimeout(0);
    try {
      for (;;) {
        await open.gate;
        const frame = await stream.next();
        if (frame === undefined) break;
        const { body } = frame;
        if (body === undefined) continue;
        this.run(() => replicator.handleFrame(number, body, now()));
        // A turn of its own for each bulk frame: a socket that has more gives it at once, dozens of frames
        // in one turn, and meanwhile no commit would begin or be seen to have ended.
        if (isBulk(body)) await new Promise((wake) => setImmediate(wake));
      }
      this.#ended(number, "closed");
      await stream.close();
    } catch (error) {
      this.#ended(number, reasonOf(error));
    }
  }

  /** The answer to a bulk frame comes in a turn of its own: others have theirs in between. */
  #send(number: number, frame: ReplicationFrame): void {
    const stream = this.#streams.get(number)?.stream;
    if (stream === undefined || !stream.isOpen) return;
    const { replicator, now } = this.#parts;
    const sent = (): void => {
      if (!this.#closed) this.run(() => replicator.handleSent(number, now()));
    };
    if (!stream.send({ body: frame })) stream.drained().then(sent, () => undefined);
    else if (frame.type === "entries" || frame.type === "entryPart") setImmediate(sent);
    else sent();
  }

  #pause(number: number): void {
    const open = this.#streams.get(number);
    if (open === undefined || open.openGate !== undefined) return;
    open.gate = new Promise((resolve) => (open.openGate = resolve));
  }

  #resume(number: number): void {
    const open = this.#streams.get(number);
    open?.openGate?.();
    if (open !== undefined) open.openGate = undefined;
  }

  #close(number: number, error: string | undefined): void {
    const open = this.#streams.get(number);
    if (open === undefined) return;
    const { stream, opening } = open;
    opening.abort();
    if (error !== undefined) {
      this.#parts.logger.debug(
        { peer: stream?.peer.id, purpose: stream?.purpose, error },
        "a peer stream was cut",
      );
      stream?.destroy();
    } else stream?.close().catch(() => undefined);
    this.#ended(number, error ?? "closed");
  }

  #ended(number: number, reason: string): void {
    const open = this.#streams.get(number);
    if (open === undefined) return;
    this.#streams.delete(number);
    open.openGate?.();
    const { replicator, now } = this.#parts;
    this.run(() => replicator.handleStreamClosed(number, now(), reason));
  }
}

/** Entries in a frame from which on merging them takes about as long as anything else that waits. */
const bulkEntries = 64;

function isBulk(frame: FrameBody): boolean {
  if (frame.type === "entries" || frame.type === "push") return frame.entries.length >= bulkEntries;
  return frame.type === "entryPart";
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  return error instanceof Error ? error.message : String(error);
}
