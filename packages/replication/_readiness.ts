import type { Context } from "./_context.ts";
import { isReachable, notify } from "./_context.ts";
import type { Promises } from "./_promises.ts";

/** What a peer says of itself. */
export interface PeerStanding {
  readonly ready: boolean;
  readonly anchored: boolean;
}

/**
 * When a node is ready (rule 12): after a complete exchange with a ready member; or with every member in
 * reach if none is ready; or alone, when no seed answers for 10 s. Durable with the data.
 *
 * And when what it proves counts, so that deletes may be forgotten (rule 1): once it is *anchored*. A node whose
 * seeds are silent may be ready without the cluster that they belong to, and cannot know what that holds. So can
 * two that found each other while a seed of one is silent: each has heard all that the other has, and has proven
 * nothing. (They forgot a delete, then met the cluster that held the value: 1 of 10,000 seeds, and 1 of 250 of churn.)
 * Ready members are anchored when they have exchanged everything with one that is; or when their own seeds have all
 * answered once, and no member waits for a seed of its own. Durable as well; until then nothing is told of what
 * was seen, and the horizon waits.
 */
export class Readiness {
  readonly #context: Context;
  readonly #promises: Promises;
  /** Members that are not ready either, and with which we have exchanged everything. */
  readonly #exchanged = new Set<string>();
  /** How long nobody has answered, by timers: the wall clock may step, and a halt is no silence. */
  #silentMs = 0;
  #waiting = false;
  #skewed = false;

  constructor(context: Context, promises: Promises) {
    this.#context = context;
    this.#promises = promises;
  }

  /** Whether this node says of itself that it is ready: the copy is complete and the clock right. */
  get ready(): boolean {
    return this.#promises.ready && !this.#skewed;
  }

  get skewed(): boolean {
    return this.#skewed;
  }

  setSkewed(skewed: boolean): void {
    if (skewed === this.#skewed) return;
    this.#skewed = skewed;
    if (skewed && this.#promises.ready) {
      notify(this.#context, { type: "not-ready", reason: "skewed" });
    }
    if (!skewed && this.#promises.ready) {
      notify(this.#context, { type: "ready", alone: this.#promises.alone });
    }
  }

  /** Begins; what was promised before the restart has been read. */
  start(hasSeeds: boolean, now: number): void {
    this.#promises.hasSeeds = hasSeeds; // before it is said what this node has seen
    this.#raiseAnchor(now);
    this.#promises.persist(now);
    if (!this.#promises.ready) this.#wait();
    this.#check(now);
  }

  /** Whether there is anybody to call; nobody: this node is ready alone, at once. */
  handleSeeds(hasSeeds: boolean, now: number): void {
    this.#promises.hasSeeds = hasSeeds;
    this.#promises.seedsAnswered = false;
    this.#raiseAnchor(now);
    this.#check(now);
  }

  /** All seeds have answered once. */
  handleSeedsAnswered(now: number): void {
    this.#promises.seedsAnswered = true;
    this.#anchor(now);
  }

  /** Somebody answered. */
  handleContact(): void {
    this.#silentMs = -this.#stepMs; // part of the step under way is over
  }

  /** An exchange (or an equal digest in a ping) brought everything a member holds. */
  handleComplete(peer: string, standing: PeerStanding, now: number): void {
    const { ready, alone, anchored } = this.#promises;
    if (ready) {
      const isAnchored = anchored || standing.anchored;
      if (standing.ready && (alone || isAnchored !== anchored)) {
        this.#promises.setReady({ ready, anchored: isAnchored }, now);
      }
      return;
    }
    if (standing.ready) {
      this.#become({ alone: false, anchored: standing.anchored }, now);
      return;
    }
    this.#exchanged.add(peer);
    this.#check(now);
  }

  /** The others forgot this node: it enters through an exchange (rule 3). */
  handleForgotten(now: number): void {
    this.#exchanged.clear();
    if (!this.#promises.ready) return;
    this.#promises.setReady({ ready: false }, now);
    notify(this.#context, { type: "not-ready", reason: "forgotten" });
    this.handleContact();
    this.#wait();
  }

  handleTimer(now: number): void {
    this.#waiting = false;
    this.#silentMs += this.#stepMs;
    this.#check(now);
    if (!this.#promises.ready) this.#wait();
  }

  /** What is known of the members changed. */
  handleMembers(now: number): void {
    this.#check(now);
    this.#anchor(now);
  }

  #check(now: number): void {
    if (this.#promises.ready) return;
    const live = [...this.#context.peers.values()].filter(isReachable);
    if (live.length === 0) {
      const nobody = !this.#promises.hasSeeds && this.#context.table.others().length === 0;
      if (nobody || this.#silentMs >= this.#context.options.aloneMs)
        this.#become({ alone: true }, now);
      return;
    }
    if (live.some((peer) => peer.ready)) return;
    if (live.every((peer) => this.#exchanged.has(peer.id))) this.#become({ alone: false }, now);
  }

  #become(how: { readonly alone: boolean; readonly anchored?: boolean }, now: number): void {
    const { alone } = how;
    this.#promises.setReady({ ready: true, ...how }, now);
    this.#exchanged.clear();
    if (!this.#skewed) notify(this.#context, { type: "ready", alone });
    this.#anchor(now);
  }

  /** Nobody is left who waits for a seed, of those whose readiness this node shares: what they prove counts. */
  #anchor(now: number): void {
    const promises = this.#promises;
    const { ready, alone } = promises;
    if (!ready || promises.anchored || promises.awaitsSeeds) return;
    const { peers, table } = this.#context;
    if (table.others().some((id) => peers.get(id)?.awaitsSeeds !== false)) return;
    promises.setReady({ ready, alone, anchored: true }, now);
  }

  /** Who is alone and has seeds by now may be anchored without the cluster that they belong to. */
  #raiseAnchor(now: number): void {
    const { ready, alone, hasSeeds, anchored } = this.#promises;
    if (ready && alone && hasSeeds && anchored) this.#promises.setReady({ ready, alone }, now);
  }

  get #stepMs(): number {
    return Math.max(50, this.#context.options.aloneMs / 10);
  }

  #wait(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#context.emit({ type: "schedule", token: "ready", delayMs: this.#stepMs });
  }
}
