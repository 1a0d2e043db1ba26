import type { Context } from "./_context.ts";
import { isReachable, notify } from "./_context.ts";
import type { Promises } from "./_promises.ts";

/**
 * When a node is ready (rule 12): after a complete exchange with a ready member; or with every member in
 * reach if none is ready; or alone, when no seed answers for 10 s. Durable with the data.
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
    this.#promises.persist(now);
    if (!this.#promises.ready) this.#wait();
    this.#check(now);
  }

  /** Whether there is anybody to call; nobody: this node is ready alone, at once. */
  handleSeeds(hasSeeds: boolean, now: number): void {
    this.#promises.hasSeeds = hasSeeds;
    this.#check(now);
  }

  /** Somebody answered. */
  handleContact(): void {
    this.#silentMs = -this.#stepMs; // part of the step under way is over
  }

  /** An exchange (or an equal digest in a ping) brought everything a member holds. */
  handleComplete(peer: string, peerReady: boolean, now: number): void {
    if (this.#promises.ready) {
      if (peerReady && this.#promises.alone) this.#promises.setReady(true, false, now);
      return;
    }
    if (peerReady) {
      this.#become(false, now);
      return;
    }
    this.#exchanged.add(peer);
    this.#check(now);
  }

  /** The others forgot this node: it enters through an exchange (rule 3). */
  handleForgotten(now: number): void {
    this.#exchanged.clear();
    if (!this.#promises.ready) return;
    this.#promises.setReady(false, false, now);
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
  }

  #check(now: number): void {
    if (this.#promises.ready) return;
    const live = [...this.#context.peers.values()].filter(isReachable);
    if (live.length === 0) {
      const nobody = !this.#promises.hasSeeds && this.#context.table.others().length === 0;
      if (nobody || this.#silentMs >= this.#context.options.aloneMs) this.#become(true, now);
      return;
    }
    if (live.some((peer) => peer.ready)) return;
    if (live.every((peer) => this.#exchanged.has(peer.id))) this.#become(false, now);
  }

  #become(alone: boolean, now: number): void {
    this.#promises.setReady(true, alone, now);
    this.#exchanged.clear();
    if (!this.#skewed) notify(this.#context, { type: "ready", alone });
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
