import { timingSafeEqual } from "node:crypto";
import type { Member } from "@dnd/protocol";
import type { EngineCounters } from "./_engine_protocol.ts";
import { GossipHost } from "./_gossip_host.ts";
import type { StreamCounters, StreamHandler } from "./_stream_hub.ts";
import { checkPeers } from "./_check_types.ts";
import { checkKeys, checkOptions } from "./_validate_options.ts";
import type { GossipEvent, GossipNotice } from "./gossip_events.ts";
import { encodeMetadata, type GossipNodeOptions, type Metadata } from "./gossip_options.ts";
import type { PeerStream } from "./peer_stream.ts";
import { PeerStreamError } from "./peer_stream_error.ts";
import type { LocalSummary } from "./shared_state.ts";
import type { Accusation } from "./swim_accusations.ts";
import type { MemberView, SummaryEvent } from "./swim_types.ts";

/** Everything that a {@linkcode GossipNode} counts, since its start. */
export interface GossipCounters extends EngineCounters {
  streams: StreamCounters;
  /** Updates of the host that did not fit the bytes under way to the engine. */
  hostUpdatesDropped: number;
}

/** Options of {@linkcode GossipNode.openStream}. */
export interface OpenStreamOptions {
  /** For connection, TLS and hello together, ms. Default: the node's `helloTimeoutMs`. */
  timeoutMs?: number;
  /** Gives up while it is being opened. */
  signal?: AbortSignal;
}

/**
 * Membership and failure detection for a Node.js program: SWIM with Lifeguard over UDP, in a thread of its
 * own, sealed when keys are given, with streams between the members beside it.
 *
 * Nothing that a peer or the network does makes a method throw or the process end; what is dropped is
 * counted ({@linkcode GossipNode.counters}) and logged at a bounded rate.
 *
 * @example
 * ```ts
 * import { GossipNode } from "@dnd/gossip";
 * const first = new GossipNode({ name: "first" });
 * await first.start();
 * const second = new GossipNode({ name: "second", seeds: [first.address] });
 * const events = first.events();
 * await second.start();
 * for await (const { type, member } of events) {
 *   if (member.self) continue;
 *   console.log(type, member.name); // alive second
 *   break;
 * }
 * await second.leave();
 * await first.stop();
 * ```
 */
export class GossipNode {
  /** 32 hex digits. */
  readonly id: string;
  /** 16 hex digits, of this process. */
  readonly bootId: string;
  /** Name of the cluster. */
  readonly cluster: string;
  readonly #host: GossipHost;

  /**
   * Checks the options; nothing is opened before {@linkcode GossipNode.start}.
   *
   * @throws {TypeError} or {RangeError} naming the option and what is allowed
   */
  constructor(options: GossipNodeOptions = {}) {
    const checked = checkOptions(options);
    this.id = checked.id;
    this.bootId = checked.bootId;
    this.cluster = checked.cluster;
    this.#host = new GossipHost(checked, options.logger);
  }

  /** As given, or as raised since: see {@linkcode GossipNode.raiseGeneration}. */
  get generation(): number {
    return this.#host.generation;
  }

  /** `host:port` that the others call. Empty before the start. */
  get address(): string {
    return this.#host.bound.address;
  }

  /** The port, UDP and TCP. 0 before the start. */
  get port(): number {
    return this.#host.bound.port;
  }

  /** Receive buffer that the kernel gave, bytes. */
  get receiveBufferBytes(): number {
    return this.#host.bound.receiveBufferBytes;
  }

  /** Bytes that one update may have: what fits one packet beside the rest. 0 before the start. */
  get maxUpdateBytes(): number {
    return this.#host.bound.maxUpdateBytes;
  }

  /** Whether updates were dropped at a byte bound since {@linkcode GossipNode.clearDropped}. */
  get dropped(): boolean {
    return this.#host.shared.dropped;
  }

  /** Ids of the keys, 8 hex digits each, the sealing one first. */
  get keyIds(): readonly string[] {
    return this.#host.keyring.ids;
  }

  /**
   * Binds UDP and TCP on one port and starts calling seeds and remembered members. Does not wait for
   * them: a node whose seeds are silent is a cluster of one until they answer.
   *
   * @throws {BindError} when the port is in use, not permitted, or the address not of this machine;
   * nothing is left open
   * @throws {TypeError} when the address to advertise is not clear
   */
  start(): Promise<void> {
    return this.#host.start();
  }

  /** The members as this node sees them, itself included; also the dead and those that ended, until forgotten. */
  members(): MemberView[] {
    return this.#host.mirror.all();
  }

  /** One member by its id. */
  member(id: string): MemberView | undefined {
    return this.#host.mirror.get(id);
  }

  /**
   * What happens to the members from now on. Each iterator has a bounded buffer of its own; one that is
   * too slow gets one event `lost` for those it missed. Ends when the node stops.
   */
  events(): AsyncIterableIterator<GossipEvent> {
    return this.#host.mirror.events.events();
  }

  /** Calls back with each event, in the turn in which it arrived. @returns takes the callback off again */
  onEvent(listener: (event: GossipEvent) => void): () => void {
    return this.#host.mirror.events.listen(listener);
  }

  /** Calls back with refusals and with seeds that are silent or have no address. */
  onNotice(listener: (notice: GossipNotice) => void): () => void {
    return this.#host.mirror.notices.add(listener);
  }

  /** Calls back with the numbers that came with a ping or an ack (RULES 11). */
  onSummary(listener: (event: SummaryEvent) => void): () => void {
    return this.#host.mirror.summaries.add(listener);
  }

  /**
   * Calls back with each opaque update that a member sent. The bytes are a view into a buffer that holds
   * other updates too: copy what is kept.
   */
  onUpdate(listener: (from: string, bytes: Uint8Array) => void): () => void {
    return this.#host.updates.add(({ from, bytes }) => listener(from, bytes));
  }

  /**
   * Sends an opaque update at once, once, best effort. The bytes are copied by the end of this turn.
   *
   * @param memberIds ids of members; unknown ones and those that are not up are passed over
   * @param bytes at most {@linkcode GossipNode.maxUpdateBytes}
   * @returns false when it was dropped: not running, or 8 MiB are under way to the engine
   * @throws {RangeError} when it is larger, or for more than 65,535 members
   * @throws {TypeError} when these are no ids or no bytes
   */
  send(memberIds: readonly string[], bytes: Uint8Array): boolean {
    if (!Array.isArray(memberIds)) throw new TypeError("Cannot send: give an array of ids");
    checkBytes(bytes);
    if (memberIds.length > 65_535) {
      throw new RangeError(`Cannot send to ${memberIds.length} members: at most 65535`);
    }
    return memberIds.length === 0 || this.#host.sendUpdate(memberIds, bytes);
  }

  /** Sends an opaque update to everybody in packets that flow anyway, otherwise like {@linkcode GossipNode.send}. */
  broadcast(bytes: Uint8Array): boolean {
    checkBytes(bytes);
    return this.#host.sendUpdate([], bytes);
  }

  /**
   * Sets what pings and acks say of this node's data; what is left out stays. Cheap: call it on every change.
   *
   * @throws {RangeError} when a number or a length does not fit
   */
  setSummary(change: Partial<LocalSummary>): void {
    this.#host.setSummary(change);
  }

  /** Takes back the mark that updates were dropped: an exchange brought them. */
  clearDropped(): void {
    this.#host.shared.clearDropped();
  }

  /** Changes what the others read of this node, 512 bytes at most. */
  async setMetadata(metadata: Metadata): Promise<void> {
    await this.#host.engine().call("setMetadata", encodeMetadata(metadata));
  }

  /** Tells the others that this node can serve, or that its clock is beyond the drift. */
  async setFlags(flags: { ready?: boolean; skewed?: boolean }): Promise<void> {
    if (flags.ready !== undefined) this.setSummary({ ready: flags.ready });
    await this.#host.engine().call("setFlags", flags);
  }

  /** Calls further peers, `host:port`, for ever. @throws {TypeError} when one is not of this form */
  async join(peers: readonly string[]): Promise<void> {
    checkPeers(peers);
    await this.#host.engine().call("join", peers);
  }

  /**
   * Forgets a dead or stopped member (RULES 3).
   *
   * @param options `departed`: the stamp of its departure (RULES 1)
   * @throws {Error} with `code` when the member is unknown or neither
   */
  async forget(id: string, options: { departed?: number } = {}): Promise<void> {
    checkDeparted(options.departed);
    await this.#host.engine().call("forget", id, options.departed);
  }

  /** Goes on after `forgotten-self` or `exhausted`, under a higher generation that is durable already. */
  async raiseGeneration(generation: number): Promise<void> {
    await this.#host.engine().call("raiseGeneration", generation);
    this.#host.generation = Math.max(this.#host.generation, generation);
  }

  /** What to keep with the data, and to give back as the option `remembered` at the next start. */
  remembered(): Promise<Member[]> {
    return this.#host.engine().call("remembered");
  }

  /** The member table in pages of at most 64 KiB, for an exchange. */
  memberPages(): Promise<Member[][]> {
    return this.#host.engine().call("memberPages");
  }

  /** Takes over records of members that came with an exchange. @param from who sent them */
  async mergeMembers(members: readonly Member[], from: string): Promise<void> {
    await this.#host.engine().call("mergeMembers", members, from);
  }

  /** Who accused whom, with which evidence, oldest first. */
  accusations(): Promise<Accusation[]> {
    return this.#host.engine().call("accusations");
  }

  /** Everything that was counted since the start. */
  async counters(): Promise<GossipCounters> {
    const engine = await this.#host.engine().call("counters");
    return {
      ...engine,
      streams: this.#host.streams.counters,
      hostUpdatesDropped: this.#host.outgoing.dropped,
    };
  }

  /** Adds a key that opens, but does not seal yet. First step of a rotation, on all nodes. */
  acceptKey(key: Uint8Array): Promise<void> {
    return this.setKeys([...this.#host.keys.filter((known) => !equal(known, key)), key]);
  }

  /** Seals with this key from now on; the others still open. Second step, on all nodes. */
  useKey(key: Uint8Array): Promise<void> {
    return this.setKeys([key, ...this.#host.keys.filter((known) => !equal(known, key))]);
  }

  /** Takes a key away and closes its streams. Last step, on all nodes. @throws {RangeError} for the last key */
  async retireKey(key: Uint8Array): Promise<void> {
    const rest = this.#host.keys.filter((known) => !equal(known, key));
    if (rest.length === 0)
      throw new RangeError("Cannot retire the last key: the node would be open");
    await this.setKeys(rest);
  }

  /**
   * Replaces all keys: the first seals, all open (RULES 13). Streams of keys that are gone are closed.
   *
   * @throws {TypeError} when a key is not 32 bytes; nothing is changed then
   */
  async setKeys(
    keys: readonly Uint8Array[],
    options: { sealing?: "required" | "permissive" } = {},
  ): Promise<void> {
    checkKeys(keys);
    const { sealing } = options;
    await this.#host.setKeys(keys, sealing === undefined ? undefined : sealing === "permissive");
  }

  /** Serves streams of a purpose. @returns takes the handler off again @throws {TypeError} if it is taken */
  onStream(purpose: string, handler: StreamHandler): () => void {
    return this.#host.streams.handle(purpose, handler);
  }

  /**
   * Opens a stream to a member.
   *
   * @param to id of a member, or `host:port` with an IP literal for whoever is there
   * @throws {PeerStreamError} with the reason; nothing is left open
   */
  async openStream(
    to: string,
    purpose: string,
    options: OpenStreamOptions = {},
  ): Promise<PeerStream> {
    if (this.#host.state !== "running")
      throw new PeerStreamError("not-running", "the node is not running");
    if (!idPattern.test(to)) return this.#host.streams.open(to, purpose, options);
    const member = this.#host.mirror.get(to);
    if (member === undefined)
      throw new PeerStreamError("unknown-member", `${to} is no known member`);
    return this.#host.streams.open(member.address, purpose, { ...options, target: to });
  }

  /**
   * Stops: tells the others "stopped", so that nobody suspects anything, and closes everything. The node
   * keeps its place; it comes back with the same id and a higher generation.
   */
  stop(): Promise<void> {
    return this.#host.end("stop");
  }

  /** Same as {@linkcode GossipNode.stop}. */
  close(): Promise<void> {
    return this.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * Leaves for good: tells the others, gives up its place, and closes everything.
   *
   * @param options `departed`: the stamp of the departure (RULES 1)
   */
  async leave(options: { departed?: number } = {}): Promise<void> {
    checkDeparted(options.departed);
    return this.#host.end("leave", options.departed);
  }
}

const idPattern = /^[0-9a-f]{32}$/;

/** What is no bytes would only be found to be none by the engine's thread. */
function checkBytes(bytes: unknown): void {
  if (!(bytes instanceof Uint8Array)) throw new TypeError("Cannot send: give a Uint8Array");
}

/** A stamp of the hybrid clock. */
function checkDeparted(departed: unknown): void {
  if (departed !== undefined && !(Number.isSafeInteger(departed) && Number(departed) >= 0)) {
    const given = typeof departed === "number" ? String(departed) : `of type ${typeof departed}`;
    throw new RangeError(`Cannot take departed ${given}: it must be a stamp of the clock`);
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
