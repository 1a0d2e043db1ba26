import type { Member, Summary } from "@dnd/protocol";
import type { EngineSettings } from "./_engine_protocol.ts";
import type { FrameLimits } from "./_frame_socket.ts";
import { type LocalHello, openPeerStream } from "./_stream_handshake.ts";
import type { StreamKeyring } from "./_stream_keyring.ts";
import type { PeerStream } from "./peer_stream.ts";
import { PeerStreamError } from "./peer_stream_error.ts";
import type { Peer, StreamProbeOutcome } from "./swim_types.ts";

/** Options of {@linkcode StreamCaller}. */
export interface StreamCallerOptions {
  local: LocalHello;
  keyring: StreamKeyring;
  settings: Pick<EngineSettings, "helloTimeoutMs" | "streamTimeoutMs">;
  pages: () => Member[][];
  merge: (members: readonly Member[], from: string) => void;
  summary: () => Summary;
}

/** Streams that gossip itself opens at once: probes and member exchanges, each. */
const maxCalls = 4;
/** Pages that one member exchange brings at most: more members than any cluster has. */
const maxPages = 1_024;

/** Opens the streams that gossip itself needs, from the thread of the protocol (RULES 15). */
export class StreamCaller {
  readonly #options: StreamCallerOptions;
  readonly #abort = new AbortController();
  readonly #exchanging = new Set<string>();
  #probes = 0;

  constructor(options: StreamCallerOptions) {
    this.#options = options;
  }

  /** Gives up all streams. */
  close(): void {
    this.#abort.abort();
  }

  /**
   * Asks a member over TCP whether it lives: hello with its id, then one ping.
   *
   * @returns never rejects; `failed` also when too many probes are under way
   */
  async probe(peer: Peer, timeoutMs: number): Promise<StreamProbeOutcome> {
    if (this.#probes >= 4 * maxCalls) return "failed";
    this.#probes += 1;
    let stream: PeerStream | undefined;
    const deadline = performance.now() + timeoutMs;
    try {
      stream = await this.#open(peer, "probe", timeoutMs);
      const { summary } = this.#options;
      stream.send({ body: { type: "probe", sequence: 1, target: peer.id, summary: summary() } });
      const opened = stream;
      const timer = setTimeout(() => opened.destroy(), Math.max(1, deadline - performance.now()));
      try {
        return (await stream.next())?.body?.type === "probeAck" ? "ok" : "failed";
      } finally {
        clearTimeout(timer);
      }
    } catch (error) {
      const refused = error instanceof PeerStreamError && error.code === "connection-refused";
      return refused ? "refused" : "failed";
    } finally {
      stream?.destroy();
      this.#probes -= 1;
    }
  }

  /** Exchanges member pages with a peer, unless that is going on or too much else is. */
  exchange(peer: Peer, onFailure: (error: Error) => void): void {
    if (this.#exchanging.has(peer.address) || this.#exchanging.size >= maxCalls) return;
    this.#exchanging.add(peer.address);
    this.#exchange(peer)
      .catch((error: unknown) => onFailure(error as Error))
      .finally(() => this.#exchanging.delete(peer.address));
  }

  async #exchange(peer: Peer): Promise<void> {
    const stream = await this.#open(peer, "members", this.#options.settings.helloTimeoutMs);
    try {
      await swapMemberPages(stream, this.#options.pages(), (members) =>
        this.#options.merge(members, stream.peer.id),
      );
      await stream.close();
    } finally {
      stream.destroy();
    }
  }

  #open(peer: Peer, purpose: string, timeoutMs: number): Promise<PeerStream> {
    return openPeerStream({
      address: peer.address,
      purpose,
      target: peer.id === "" ? undefined : peer.id,
      local: this.#options.local,
      keyring: this.#options.keyring,
      limits: streamLimits(this.#options.settings.streamTimeoutMs),
      timeoutMs,
      signals: [this.#abort.signal],
    });
  }
}

/** The bounds of a stream, after its one option. */
export function streamLimits(streamTimeoutMs: number): FrameLimits {
  return {
    frameTimeoutMs: streamTimeoutMs,
    writeTimeoutMs: streamTimeoutMs,
    idleTimeoutMs: 60_000,
    highWaterBytes: 256 << 10,
    maxBufferedBytes: 4 << 20,
  };
}

/**
 * Sends this side's pages and takes the other side's, both ways at once.
 *
 * @throws {PeerStreamError} when the stream ends early or something else than pages comes
 */
export async function swapMemberPages(
  stream: PeerStream,
  pages: readonly (readonly Member[])[],
  merge: (members: readonly Member[]) => void | Promise<void>,
): Promise<void> {
  const sending = (async () => {
    for (const [n, members] of pages.entries()) {
      const last = n === pages.length - 1;
      if (!stream.send({ body: { type: "memberPage", members, last } })) await stream.drained();
    }
    if (pages.length === 0) stream.send({ body: { type: "memberPage", last: true } });
  })();
  const receiving = (async () => {
    for (let n = 0; n < maxPages; n++) {
      const body = (await stream.next())?.body;
      if (body?.type !== "memberPage") {
        throw new PeerStreamError("malformed", `${stream.peer.address}: no member page`);
      }
      await merge(body.members);
      if (body.last) return;
    }
    throw new PeerStreamError("malformed", `${stream.peer.address}: more than ${maxPages} pages`);
  })();
  await Promise.all([sending, receiving]);
}
