import type { Entry } from "@dnd/store";
import type { Context } from "./_context.ts";
import { isReachable, notify } from "./_context.ts";
import type { ExplainAnswer } from "./replication_event.ts";
import type { Pushes } from "./_pushes.ts";
import { peekSafely } from "./replica_map.ts";

/** A follower that has not confirmed after so long gets company. */
const HEDGE_MS = 300;
const EXPLAIN_MS = 2000;

interface Receipt {
  readonly id: number;
  readonly entry: Entry;
  readonly needed: number;
  readonly deadline: number;
  readonly acked: Set<string>;
  readonly asked: Set<string>;
  superseded: boolean;
}

interface Explanation {
  readonly key: string;
  readonly answers: Map<string, ExplainAnswer>;
  readonly waiting: Set<string>;
}

/** How a write is followed. */
export interface FollowOptions {
  /** Members that have to hold it, this node included: 1 to `writeTargets().n`. */
  readonly needed: number;

  /** After what time it is given up; the write stays. */
  readonly timeoutMs: number;
}

/**
 * Writes that somebody waits for (rule 18), and the question who holds what of a key.
 *
 * A member confirms when it holds this version or a newer one, committed. The write goes to as many
 * members as are needed at once; one that fails, or is silent for 300 ms, brings in the others.
 */
export class Receipts {
  readonly #context: Context;
  readonly #pushes: Pushes;
  readonly #open = new Map<number, Receipt>();
  readonly #explanations = new Map<number, Explanation>();
  #last = 0;

  constructor(context: Context, pushes: Pushes) {
    this.#context = context;
    this.#pushes = pushes;
  }

  /**
   * Follows a write. The answer is a `receipt` event with the number returned.
   *
   * @throws RangeError if there are too many open receipts
   */
  follow(entry: Entry, options: FollowOptions, now: number): number {
    const id = (this.#last += 1);
    const { metrics } = this.#context;
    if (this.#open.size >= this.#context.options.receipts) {
      metrics.receiptsRefused += 1;
      throw new RangeError(`Cannot follow the write: ${this.#open.size} receipts are open`);
    }
    const receipt: Receipt = {
      id,
      entry,
      needed: options.needed,
      deadline: now + options.timeoutMs,
      acked: new Set(),
      asked: new Set(),
      superseded: false,
    };
    this.#open.set(id, receipt);
    metrics.receiptsOpen = this.#open.size;
    this.#context.onCommitted((committedAt) => {
      this.#ack(receipt, this.#context.map.node, committedAt);
    });
    this.#ask(receipt, now, false);
    this.#context.emit({
      type: "schedule",
      token: `receipt:${id}`,
      delayMs: Math.min(HEDGE_MS, options.timeoutMs),
    });
    return id;
  }

  handleTimer(id: number, now: number): void {
    const receipt = this.#open.get(id);
    if (receipt === undefined) return;
    if (now >= receipt.deadline) {
      this.#finish(receipt, false);
      return;
    }
    this.#ask(receipt, now, true);
    this.#context.emit({
      type: "schedule",
      token: `receipt:${id}`,
      delayMs: Math.min(HEDGE_MS, receipt.deadline - now),
    });
  }

  /** Asks every reachable member what it holds; the answer is an `explained` event. */
  explain(key: string, now: number): number {
    const id = (this.#last += 1);
    const { map, peers } = this.#context;
    const explanation: Explanation = { key, answers: new Map(), waiting: new Set() };
    this.#explanations.set(id, explanation);
    const own = peekSafely(map, key);
    explanation.answers.set(map.node, describe(map.node, own, own?.value.length ?? 0, 0));
    for (const peer of peers.values()) {
      if (peer.state === "left" || peer.state === "forgotten") continue;
      if (isReachable(peer)) explanation.waiting.add(peer.id);
      else explanation.answers.set(peer.id, { node: peer.id, error: "unreachable" });
    }
    for (const peer of [...explanation.waiting]) {
      this.#pushes.explain(
        peer,
        key,
        (reply) => {
          if (!explanation.waiting.delete(peer)) return;
          explanation.answers.set(
            peer,
            reply === undefined
              ? { node: peer, error: "unreachable" }
              : describe(peer, reply.entry, reply.size, reply.appliedAt),
          );
          this.#explained(id, false);
        },
        now,
      );
    }
    this.#context.emit({ type: "schedule", token: `explain:${id}`, delayMs: EXPLAIN_MS });
    this.#explained(id, false);
    return id;
  }

  handleExplainTimer(id: number): void {
    this.#explained(id, true);
  }

  #explained(id: number, timeout: boolean): void {
    const explanation = this.#explanations.get(id);
    if (explanation === undefined || (explanation.waiting.size > 0 && !timeout)) return;
    this.#explanations.delete(id);
    for (const peer of explanation.waiting) {
      explanation.answers.set(peer, { node: peer, error: "timeout" });
    }
    const answers = [...explanation.answers.values()];
    notify(this.#context, { type: "explained", request: id, key: explanation.key, answers });
  }

  #ask(receipt: Receipt, now: number, everybody: boolean): void {
    const missing = receipt.needed - receipt.acked.size - receipt.asked.size;
    // This node's own commit counts as one; it is on its way.
    const own = receipt.acked.has(this.#context.map.node) ? 0 : 1;
    let wanted = everybody ? Infinity : missing - own;
    if (wanted <= 0) return;
    for (const peer of this.#context.peers.values()) {
      if (wanted <= 0) return;
      if (!isReachable(peer) || !peer.ready) continue;
      if (receipt.acked.has(peer.id) || receipt.asked.has(peer.id)) continue;
      wanted -= 1;
      receipt.asked.add(peer.id);
      this.#pushes.push(peer.id, receipt.entry, {
        now,
        done: (outcome, at) => {
          receipt.asked.delete(peer.id);
          if (!this.#open.has(receipt.id)) return;
          if (outcome.superseded) receipt.superseded = true;
          if (outcome.code === "") this.#ack(receipt, peer.id, at);
        },
      });
    }
  }

  #ack(receipt: Receipt, member: string, now: number): void {
    if (!this.#open.has(receipt.id)) return;
    receipt.acked.add(member);
    if (now >= receipt.deadline && receipt.acked.size < receipt.needed) return;
    if (receipt.acked.size >= receipt.needed) this.#finish(receipt, true);
  }

  #finish(receipt: Receipt, ok: boolean): void {
    this.#open.delete(receipt.id);
    this.#context.metrics.receiptsOpen = this.#open.size;
    notify(this.#context, {
      type: "receipt",
      receipt: receipt.id,
      acked: receipt.acked.size,
      needed: receipt.needed,
      superseded: receipt.superseded,
      ok,
    });
  }
}

function describe(
  node: string,
  entry: Entry | undefined,
  size: number,
  appliedAt: number,
): ExplainAnswer {
  if (entry === undefined) return { node };
  return {
    node,
    version: entry.version,
    size,
    ...(entry.deleted === true ? { deleted: true } : {}),
    ...(entry.expiresAt === undefined ? {} : { expiresAt: entry.expiresAt }),
    ...(entry.contentType === undefined ? {} : { contentType: entry.contentType }),
    ...(entry.hash === undefined ? {} : { contentHash: entry.hash }),
    ...(appliedAt === 0 ? {} : { appliedAt }),
  };
}
