import { DndError } from "@dnd/client";
import type { ExplainAnswer, ReplicationEffect, ReplicationEvent } from "@dnd/replication";
import type { Followed } from "../node_core.ts";

/** An answer that comes as an event, by the number of what was asked. */
interface Question<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** What was asked: the number of the answer, and what has to be done for it. */
export interface Asked {
  readonly number: number;
  readonly effects: readonly ReplicationEffect[];
}

/** What an {@linkcode Awaited} works with. */
export interface AwaitedParts {
  /** Carries out effects; an answer may come of them at once. */
  readonly run: (effects: readonly ReplicationEffect[]) => void;
  /** `n` of rule 18 at the time of an answer. */
  readonly writeTargets: () => number;
}

/** What callers wait for from other members: followed writes, explanations, leaving. */
export class Awaited {
  readonly #receipts = new Map<number, Question<Followed>>();
  readonly #explanations = new Map<number, Question<readonly ExplainAnswer[]>>();
  readonly #parts: AwaitedParts;
  #leaving: Question<number> | undefined;

  constructor(parts: AwaitedParts) {
    this.#parts = parts;
  }

  /** Whether somebody waits for this node to leave. */
  get isLeaving(): boolean {
    return this.#leaving !== undefined;
  }

  /** Waits for a followed write. @throws what `ask` throws */
  receipt(ask: () => Asked, signal: AbortSignal | undefined): Promise<Followed> {
    return new Promise((resolve, reject) => {
      const { number, effects } = ask();
      const onAbort = (): void => {
        this.#receipts.delete(number);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#receipts.set(number, {
        resolve: (followed) => {
          signal?.removeEventListener("abort", onAbort);
          resolve(followed);
        },
        reject,
      });
      this.#parts.run(effects);
    });
  }

  /** Waits for what the members hold of a key. */
  explanation(ask: () => Asked): Promise<readonly ExplainAnswer[]> {
    return new Promise((resolve, reject) => {
      const { number, effects } = ask();
      this.#explanations.set(number, { resolve, reject });
      this.#parts.run(effects);
    });
  }

  /** Waits until this node may leave. @returns resolves to the stamp of its departure */
  departure(ask: () => readonly ReplicationEffect[]): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#leaving = { resolve, reject };
      this.#parts.run(ask());
    });
  }

  /** An event came; most are no answers. */
  hear(event: ReplicationEvent): void {
    switch (event.type) {
      case "receipt": {
        const { ok, acked, needed, superseded } = event;
        const question = this.#receipts.get(event.receipt);
        this.#receipts.delete(event.receipt);
        question?.resolve({ ok, acked, needed, superseded, members: this.#parts.writeTargets() });
        return;
      }
      case "explained": {
        const question = this.#explanations.get(event.request);
        this.#explanations.delete(event.request);
        question?.resolve(event.answers);
        return;
      }
      case "left": {
        const question = this.#leaving;
        this.#leaving = undefined;
        question?.resolve(event.departed);
        return;
      }
      case "leave-failed": {
        const question = this.#leaving;
        this.#leaving = undefined;
        const why = `Cannot leave: ${event.detail}`;
        question?.reject(new DndError("conflict", why, { status: 409 }));
        return;
      }
      default:
    }
  }

  /** Nothing will be answered any more. */
  close(): void {
    const closed = new DndError("closed", "Cannot wait for other members: the node is closed", {
      outcome: "unknown",
    });
    for (const { reject } of this.#receipts.values()) reject(closed);
    for (const { reject } of this.#explanations.values()) reject(closed);
    this.#receipts.clear();
    this.#explanations.clear();
    this.#leaving?.reject(closed);
    this.#leaving = undefined;
  }
}
