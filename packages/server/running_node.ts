import { resolve } from "node:path";
import {
  DndError,
  type BackupResult,
  type CallOptions,
  type ClusterInfo,
  type Explanation,
  type Outcome,
  type Readiness,
} from "@dnd/client";
import { StorageError, type Entry, type VersionedMap } from "@dnd/store";
import { ChangeFeed } from "./change_feed.ts";
import { peerFault } from "./check_peer.ts";
import { GroupCommit } from "./group_commit.ts";
import type { Followed, FollowOptions, NodeCore } from "./node_core.ts";
import { invalidArgument, toNodeError } from "./node_error.ts";
import type { NodeLogger } from "./node_logger.ts";
import type { ClusterLink } from "./peer/cluster_link.ts";
import { programVersion } from "./program_version.ts";
import { WaitingWrites } from "./waiting_writes.ts";

/** Version of the gossip protocol that this program speaks. */
const protocolVersion = 1;

/** Longest pause between two looks at what has expired. */
const maxExpiryPauseMs = 1_000;
/** Entries that expire in one go. */
const expirySlice = 1_000;

/** What a running node is made of. */
export interface RunningNodeParts {
  readonly id: string;
  readonly generation: number;
  readonly cluster: string;
  readonly name: string;
  readonly map: VersionedMap;
  readonly link: ClusterLink;
  /** Milliseconds since 1970: the wall clock as far as it is believed (rule 8). */
  readonly now: () => number;
  readonly logger: NodeLogger;
  readonly maxValueBytes: number;
  readonly durability: "sync" | "async";
  /** Makes a copy of the data in a folder; absent: nothing is on disk. */
  readonly copy?: ((folder: string) => Promise<void>) | undefined;
  /** The node has left the cluster: it must close. */
  readonly onLeft: () => void;
  /** The storage has failed for good (rule 17): the node must stop. */
  readonly onStorageFailed: (error: StorageError) => void;
}

/** One node with everything wired: what the operations work on. */
export class RunningNode implements NodeCore {
  readonly feed: ChangeFeed;
  readonly writes: WaitingWrites = new WaitingWrites();
  readonly #parts: RunningNodeParts;
  #closing = false;
  #closed = false;
  #failure: StorageError | undefined;
  #checking = false;
  #commit: Promise<void> | undefined;
  #group: GroupCommit | undefined;
  #expiryTimer: ReturnType<typeof setTimeout> | undefined;
  #expiryDue = Infinity;

  /** @param parts map and link are open already */
  constructor(parts: RunningNodeParts) {
    this.#parts = parts;
    this.feed = new ChangeFeed(parts.map, {
      id: parts.id,
      generation: parts.generation,
      onError: (error) => this.#checkFailure(error),
    });
    this.#expire();
  }

  get id(): string {
    return this.#parts.id;
  }

  get generation(): number {
    return this.#parts.generation;
  }

  get map(): VersionedMap {
    return this.#parts.map;
  }

  get maxValueBytes(): number {
    return this.#parts.maxValueBytes;
  }

  get ready(): boolean {
    return this.#parts.link.ready;
  }

  now(): number {
    return this.#parts.now();
  }

  readNow(): number | undefined {
    return this.#parts.link.readNow(this.now());
  }

  readiness(): Readiness {
    const { link } = this.#parts;
    const reasons = [...link.reasons()];
    if (this.#closing) reasons.push("the node is stopping");
    const full = this.#storageProblem();
    if (full !== undefined) reasons.push(full);
    if (reasons.length > 0 || !link.ready) return { ready: false, reasons };
    return { ready: true, ...(link.alone ? { alone: true } : {}) };
  }

  checkOpen(): void {
    if (this.#failure !== undefined) throw toNodeError(this.#failure);
    if (this.#closing) {
      throw new DndError("not-ready", "Cannot write: the node is stopping", {
        status: 503,
        outcome: "not-applied",
        retryAfterMs: 1000,
      });
    }
  }

  checkServing(what: string, outcome?: Outcome): void {
    if (!this.#closed) return;
    const failure = this.#failure;
    const why = failure === undefined ? "" : `: its storage has failed: ${failure.message}`;
    throw new DndError("closed", `Cannot ${what}: the node is closed${why}`, {
      ...(outcome === undefined ? {} : { outcome }),
      ...(failure === undefined ? {} : { cause: failure }),
    });
  }

  written(entries: readonly Entry[]): GroupCommit | undefined {
    this.#parts.link.written(entries);
    this.changed();
    for (const { expiresAt } of entries) {
      if (expiresAt !== undefined && expiresAt < this.#expiryDue) this.#expireAt(expiresAt);
    }
    if (!this.map.engine.durable) return undefined;
    if (this.#parts.durability === "sync") return this.#committed();
    if (!this.#checking) {
      this.#checking = true;
      this.#committed().then(
        () => (this.#checking = false),
        () => (this.#checking = false),
      );
    }
    return undefined;
  }

  /** The map has changed, here or by another member's write. */
  changed(): void {
    this.feed.poke();
  }

  writeTargets(): number {
    return this.#parts.link.writeTargets();
  }

  liveTargets(): number {
    return this.#parts.link.liveTargets();
  }

  follow(entry: Entry, needed: number, options: FollowOptions): Promise<Followed> {
    return this.#parts.link.follow(entry, needed, options);
  }

  clusterInfo(): ClusterInfo {
    const { link, map, id, generation, name, cluster } = this.#parts;
    return {
      cluster,
      node: id,
      name,
      version: programVersion,
      protocol: protocolVersion,
      generation,
      counter: map.counter,
      digest: Buffer.from(map.digest()).toString("hex"),
      keys: map.statistics().live,
      ready: this.readiness().ready,
      members: link.members(),
      ...(link.copy === undefined ? {} : { copy: link.copy }),
    };
  }

  explain(key: string, options: CallOptions): Promise<Explanation> {
    return this.#parts.link.explain(key, options);
  }

  async join(peers: readonly string[]): Promise<void> {
    for (const peer of peers) {
      const fault = peerFault(peer);
      if (fault !== undefined) {
        throw invalidArgument(`Cannot join ${JSON.stringify(peer)}: ${fault}`);
      }
    }
    await this.#parts.link.join(peers);
  }

  async leave(options: CallOptions): Promise<void> {
    this.checkOpen();
    // What is written from here on would go nowhere.
    this.#closing = true;
    try {
      await this.#parts.link.leave(options);
    } catch (error) {
      this.#closing = false;
      throw error;
    }
    this.#parts.onLeft();
  }

  forget(node: string): Promise<void> {
    return this.#parts.link.forget(node);
  }

  async backup(given: string): Promise<BackupResult> {
    // The answer says where it is, whatever folder the process was started in.
    const folder = resolve(given);
    const { copy } = this.#parts;
    if (copy === undefined) {
      throw new DndError("conflict", "Cannot back up: this node keeps nothing on disk", {
        status: 409,
      });
    }
    try {
      await copy(folder);
    } catch (error) {
      if (error instanceof StorageError) throw toNodeError(error);
      const why = error instanceof Error ? error.message : String(error);
      const what = `Cannot back up into ${folder}: `;
      const message = why.startsWith(what) ? why : `${what}${why}`;
      throw new DndError("conflict", message, { status: 409, cause: error });
    }
    return { folder };
  }

  /** Refuses writes from now on, and every call of the library. */
  beginClosing(): void {
    this.#closing = true;
    this.#closed = true;
  }

  /** Ends feeds and timers. */
  close(): void {
    this.#closing = true;
    clearTimeout(this.#expiryTimer);
    this.feed.close();
  }

  /** All writes of one commit wait for one promise. */
  #committed(): GroupCommit {
    const commit = this.map.committed();
    if (this.#group === undefined || commit !== this.#commit) {
      this.#commit = commit;
      this.#group = new GroupCommit(commit, (error) => this.#checkFailure(error));
    }
    return this.#group;
  }

  #checkFailure(error: unknown): void {
    const { logger, onStorageFailed } = this.#parts;
    if (!(error instanceof StorageError) || error.code !== "storage-failed") {
      if (!this.#closing) logger.error({ err: error }, "changes could not be read");
      return;
    }
    if (this.#failure !== undefined) return;
    this.#failure = error;
    logger.error({ err: error }, "the storage has failed: this node stops");
    onStorageFailed(error);
  }

  #storageProblem(): string | undefined {
    if (this.#failure !== undefined) return `the storage has failed: ${this.#failure.message}`;
    try {
      this.map.engine.admit(1024);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #expireAt(time: number): void {
    clearTimeout(this.#expiryTimer);
    this.#expiryDue = time;
    const pauseMs = Math.min(Math.max(time - this.now(), 1), maxExpiryPauseMs);
    this.#expiryTimer = setTimeout(() => this.#expire(), pauseMs);
    this.#expiryTimer.unref();
  }

  /** The map has no timer of its own: this one tells watchers, and drops values that have expired. */
  #expire(): void {
    if (this.#closing || this.#failure !== undefined) return;
    this.#expiryDue = Infinity;
    let more = false;
    try {
      const now = this.#parts.link.expiryNow(this.now());
      const expired = this.map.expire({ now, limit: expirySlice });
      more = expired.length === expirySlice;
      this.feed.expired(expired);
    } catch (error) {
      this.#checkFailure(error);
    }
    // Due by trusted time, which may be behind this clock, or not known yet; looked at again each second.
    const now = this.now();
    const behindMs = now - this.#parts.link.expiryNow(now);
    this.#expireAt(more ? 0 : (this.map.nextExpiry ?? Infinity) + behindMs);
  }
}
