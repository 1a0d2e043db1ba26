/**
 * The queue of rumors on their way: claims about members, and opaque updates.
 *
 * Each is sent a bounded number of times, those sent least often first, the newest of these first
 * (SWIM, section 4.1; memberlist's broadcast queue). Rumors stand in buckets by how often they were
 * sent, so taking the next ones for a packet costs as many steps as are taken.
 */
import type { Member } from "@dnd/protocol";
import { memberBytes, updateBytes } from "./swim_size.ts";

interface Rumor {
  readonly id: string;
  readonly accuser: string;
  readonly member: Member | undefined;
  readonly update: Uint8Array | undefined;
  readonly bytes: number;
  sent: number;
  gone: boolean;
}

/** Bounds of a {@linkcode RumorQueue}. */
export interface RumorQueueOptions {
  /** Claims waiting at most. Default 8,192. */
  readonly maxClaims?: number;

  /** Updates waiting at most. Default 512. */
  readonly maxUpdates?: number;

  /** Told when a bound dropped one. */
  readonly onDrop?: (kind: "claim" | "update") => void;
}

/** What goes into one packet. */
export interface RumorLoad {
  readonly members: Member[];
  readonly updates: Uint8Array[];
  bytes: number;
}

const triesPerBucket = 8;

/** See the head of this file. */
export class RumorQueue {
  #buckets: Rumor[][] = [];
  #byMember: Map<string, Rumor[]> = new Map();
  #claims = 0;
  #updates = 0;
  #garbage = 0;
  #maxClaims: number;
  #maxUpdates: number;
  #onDrop: (kind: "claim" | "update") => void;

  constructor(options: RumorQueueOptions = {}) {
    this.#maxClaims = options.maxClaims ?? 8_192;
    this.#maxUpdates = options.maxUpdates ?? 512;
    this.#onDrop = options.onDrop ?? (() => undefined);
  }

  /** Rumors waiting. */
  get size(): number {
    return this.#claims + this.#updates;
  }

  /** Claims about members waiting. */
  get claims(): number {
    return this.#claims;
  }

  /** Opaque updates waiting. */
  get updates(): number {
    return this.#updates;
  }

  /** Queues a claim; it takes the place of all older ones about this member. */
  addClaim(member: Member): void {
    this.removeMember(member.id);
    this.#insertClaim(member);
  }

  /** Queues a further accusation beside the first one: each accuser counts (Lifeguard). */
  addConfirmation(member: Member): void {
    const known = this.#byMember.get(member.id);
    if (known?.some((rumor) => rumor.accuser === member.accuser) === true) return;
    this.#insertClaim(member);
  }

  /** Queues an opaque update. */
  addUpdate(update: Uint8Array): void {
    if (this.#updates >= this.#maxUpdates) this.#dropMostSent("update");
    this.#updates += 1;
    this.#put({
      id: "",
      accuser: "",
      member: undefined,
      update,
      bytes: updateBytes(update),
      sent: 0,
      gone: false,
    });
  }

  /** Whether a claim about this member waits. */
  has(id: string): boolean {
    return this.#byMember.has(id);
  }

  /** Nothing is to be said of this member any more. */
  removeMember(id: string): void {
    const known = this.#byMember.get(id);
    if (known === undefined) return;
    for (const rumor of known) rumor.gone = true;
    this.#claims -= known.length;
    this.#byMember.delete(id);
    this.#garbage += known.length;
    if (this.#garbage > 256 && this.#garbage > this.size) this.#compact();
  }

  /**
   * Takes rumors for one packet.
   *
   * @param budgetBytes what is left in the packet
   * @param limit how often each is sent; those that reach it leave the queue
   * @param load what they are added to
   */
  take(budgetBytes: number, limit: number, load: RumorLoad): void {
    if (this.size === 0) {
      this.#buckets.length = 0;
      this.#garbage = 0;
      return;
    }
    let room = budgetBytes;
    const taken: Rumor[] = [];
    for (const bucket of this.#buckets) {
      let tries = triesPerBucket;
      for (let i = bucket.length - 1; i >= 0 && tries > 0 && room > 20; i -= 1) {
        const rumor = bucket[i] as Rumor;
        if (rumor.gone) {
          bucket.splice(i, 1);
          this.#garbage -= 1;
        } else if (rumor.bytes > room) {
          tries -= 1;
        } else {
          bucket.splice(i, 1);
          room -= rumor.bytes;
          taken.push(rumor);
        }
      }
      if (room <= 20) break;
    }
    for (const rumor of taken) {
      if (rumor.member !== undefined) load.members.push(rumor.member);
      else if (rumor.update !== undefined) load.updates.push(rumor.update);
      load.bytes += rumor.bytes;
      rumor.sent += 1;
      if (rumor.sent >= limit) this.#forget(rumor);
      else this.#put(rumor);
    }
  }

  #insertClaim(member: Member): void {
    if (this.#claims >= this.#maxClaims) this.#dropMostSent("claim");
    const rumor: Rumor = {
      id: member.id,
      accuser: member.accuser,
      member,
      update: undefined,
      bytes: memberBytes(member),
      sent: 0,
      gone: false,
    };
    const known = this.#byMember.get(member.id);
    if (known === undefined) this.#byMember.set(member.id, [rumor]);
    else known.push(rumor);
    this.#claims += 1;
    this.#put(rumor);
  }

  #put(rumor: Rumor): void {
    while (this.#buckets.length <= rumor.sent) this.#buckets.push([]);
    this.#buckets[rumor.sent]?.push(rumor);
  }

  #forget(rumor: Rumor): void {
    if (rumor.gone) return;
    rumor.gone = true;
    if (rumor.member === undefined) {
      this.#updates -= 1;
      return;
    }
    this.#claims -= 1;
    const rest = (this.#byMember.get(rumor.id) ?? []).filter((other) => other !== rumor);
    if (rest.length === 0) this.#byMember.delete(rumor.id);
    else this.#byMember.set(rumor.id, rest);
  }

  #compact(): void {
    this.#buckets = this.#buckets.map((bucket) => bucket.filter((rumor) => !rumor.gone));
    this.#garbage = 0;
  }

  #dropMostSent(kind: "claim" | "update"): void {
    for (let sent = this.#buckets.length - 1; sent >= 0; sent -= 1) {
      const bucket = this.#buckets[sent] as Rumor[];
      const index = bucket.findIndex(
        (rumor) => !rumor.gone && (rumor.update === undefined) === (kind === "claim"),
      );
      const rumor = bucket[index];
      if (rumor === undefined) continue;
      bucket.splice(index, 1);
      this.#forget(rumor);
      this.#onDrop(kind);
      return;
    }
  }
}
