import {
  SUMMARY_ANCHORED,
  SUMMARY_AWAITS_SEEDS,
  SUMMARY_DROPPED,
  SUMMARY_READY,
  SUMMARY_STALLED,
  type Summary,
} from "@dnd/protocol";

/**
 * What the main thread and the gossip worker share without messages (RULES 15): the main thread's
 * heartbeat, the numbers that every ping and ack carries, and the byte credits of both directions.
 *
 * The idea: a blocked main thread cannot answer a question, so the worker must be able to read what it
 * needs without asking. The summary is guarded by a sequence number (odd while it is being written);
 * the writer never waits, a reader that meets a write in progress tries again and after a few attempts
 * uses what it read last. Times are milliseconds of the process-wide monotonic clock
 * (`process.hrtime`), because `performance.now()` has another origin in each thread.
 */

/** The numbers of the host that pings and acks carry (RULES 11), as the host sets them. */
export interface LocalSummary {
  /** The hybrid clock: (ms since 2026-01-01) * 4096 + counter. */
  clock: number;
  /** Changes applied by this replica. */
  counter: number;
  /** Root digest, 8 bytes. */
  digest: Uint8Array;
  /** Number of hash algorithm and seed; 0 = none. */
  algorithm: number;
  /** What part of the key space the digest covers, at most 64 bytes; empty = everything. */
  scope: Uint8Array;
  /** Tombstones up to here were forgotten (RULES 1). */
  horizon: number;
  /** The least `heard` over all members (RULES 1). */
  seen: number;
  /** The host can serve (RULES 12). */
  ready: boolean;
  /** The host dropped rumors: exchange at once (RULES 11). The driver sets it by itself for what it drops. */
  dropped: boolean;
  /** What the host is ready with comes from a cluster that all its seeds know of (RULES 12). */
  anchored: boolean;
  /** The host has seeds of which some have never answered, and is not anchored. */
  awaitsSeeds: boolean;
}

/** A direction of the credits: bytes of updates each way, and events (counted) to the main thread. */
export type Direction = "toMain" | "toWorker" | "events";

const maxScopeBytes = 64;

// Int32 words.
const sequenceWord = 0;
const droppedWord = 1;
const creditWords: Record<Direction, number> = { toMain: 2, toWorker: 4, events: 7 }; // produced, consumed (mod 2^32)
const beatWord = 6;
// Float64 numbers, from byte 64.
const clockAt = 0;
const counterAt = 1;
const algorithmAt = 2;
const horizonAt = 3;
const seenAt = 4;
const flagsAt = 5;
const scopeLengthAt = 6;
const numbersOffset = 64;
const digestOffset = 128;
const scopeOffset = 136;
const totalBytes = scopeOffset + maxScopeBytes;

/**
 * A view of the shared memory; both threads make one over the same buffer.
 *
 * @example
 * ```ts
 * import { SharedState } from "@dnd/gossip";
 * const main = new SharedState();
 * const worker = new SharedState(main.buffer);
 * main.writeSummary({ ...worker.readSummary(), counter: 7 });
 * worker.readSummary().counter; // 7
 * ```
 */
export class SharedState {
  /** What crosses to the other thread. */
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #digest: Uint8Array;
  readonly #scope: Uint8Array;
  #last: LocalSummary = emptySummary();

  /**
   * @param buffer the other thread's buffer; absent = a new one
   * @throws {RangeError} when the buffer has another size than this version's layout
   */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(totalBytes)) {
    if (buffer.byteLength !== totalBytes) {
      throw new RangeError(
        `Cannot share state: ${buffer.byteLength} bytes instead of ${totalBytes}`,
      );
    }
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, numbersOffset / 4);
    this.#numbers = new Float64Array(buffer, numbersOffset, (digestOffset - numbersOffset) / 8);
    this.#digest = new Uint8Array(buffer, digestOffset, 8);
    this.#scope = new Uint8Array(buffer, scopeOffset, maxScopeBytes);
  }

  /** Counts one heartbeat of the main thread. */
  beat(): void {
    Atomics.add(this.#words, beatWord, 1);
  }

  /** Heartbeats so far, modulo 2^32: the worker looks whether it moves. */
  get beats(): number {
    return Atomics.load(this.#words, beatWord);
  }

  /**
   * Writes the summary; one writer only (the main thread).
   *
   * @throws {RangeError} when the digest is not 8 bytes, the scope more than 64, or a number no safe
   * integer; nothing is written then
   */
  writeSummary(summary: LocalSummary): void {
    const { clock, counter, algorithm, horizon, seen } = summary;
    for (const value of [clock, counter, algorithm, horizon, seen]) {
      if (!Number.isSafeInteger(value) || value < 0) {
        throw new RangeError(`Cannot set the summary: ${value} is not a safe integer of 0 or more`);
      }
    }
    if (summary.digest.length !== 8) {
      throw new RangeError(
        `Cannot set the summary: a digest of ${summary.digest.length} bytes, not 8`,
      );
    }
    if (summary.scope.length > maxScopeBytes) {
      throw new RangeError(
        `Cannot set the summary: a scope of ${summary.scope.length} bytes, at most 64`,
      );
    }
    Atomics.add(this.#words, sequenceWord, 1);
    this.#numbers[clockAt] = clock;
    this.#numbers[counterAt] = counter;
    this.#numbers[algorithmAt] = algorithm;
    this.#numbers[horizonAt] = horizon;
    this.#numbers[seenAt] = seen;
    this.#numbers[flagsAt] = flagsOf(summary);
    this.#numbers[scopeLengthAt] = summary.scope.length;
    this.#digest.set(summary.digest);
    this.#scope.set(summary.scope);
    Atomics.add(this.#words, sequenceWord, 1);
  }

  /** The summary as last written in full; `dropped` is also true while this driver's own mark is set. */
  readSummary(): LocalSummary {
    for (let attempt = 0; attempt < 8; attempt++) {
      const before = Atomics.load(this.#words, sequenceWord);
      if ((before & 1) === 1) continue;
      const read = this.#read();
      if (Atomics.load(this.#words, sequenceWord) === before) {
        this.#last = read;
        break;
      }
    }
    return { ...this.#last, dropped: this.#last.dropped || this.dropped };
  }

  /** Whether this driver dropped updates since {@linkcode clearDropped}. Either thread may set it. */
  get dropped(): boolean {
    return Atomics.load(this.#words, droppedWord) !== 0;
  }

  /** Marks that updates were dropped at a byte bound. */
  markDropped(): void {
    Atomics.store(this.#words, droppedWord, 1);
  }

  /** Takes the mark away: an exchange brought what was dropped. */
  clearDropped(): void {
    Atomics.store(this.#words, droppedWord, 0);
  }

  /**
   * Takes credit for bytes (or events) about to cross, if no more than `limit` are under way with them.
   *
   * @returns false when the bound is reached; nothing is taken then
   */
  takeCredit(direction: Direction, amount: number, limit: number): boolean {
    if (this.underWay(direction) + amount > limit) return false;
    Atomics.add(this.#words, creditWords[direction], amount);
    return true;
  }

  /** Gives credit back: the receiver is done with it. */
  giveCredit(direction: Direction, amount: number): void {
    Atomics.add(this.#words, creditWords[direction] + 1, amount);
  }

  /** What crossed, or is about to, and was not given back yet. */
  underWay(direction: Direction): number {
    const word = creditWords[direction];
    return (Atomics.load(this.#words, word) - Atomics.load(this.#words, word + 1)) >>> 0;
  }

  #read(): LocalSummary {
    const flags = this.#numbers[flagsAt] ?? 0;
    return {
      clock: this.#numbers[clockAt] ?? 0,
      counter: this.#numbers[counterAt] ?? 0,
      algorithm: this.#numbers[algorithmAt] ?? 0,
      horizon: this.#numbers[horizonAt] ?? 0,
      seen: this.#numbers[seenAt] ?? 0,
      ready: (flags & SUMMARY_READY) !== 0,
      dropped: (flags & SUMMARY_DROPPED) !== 0,
      anchored: (flags & SUMMARY_ANCHORED) !== 0,
      awaitsSeeds: (flags & SUMMARY_AWAITS_SEEDS) !== 0,
      digest: this.#digest.slice(),
      scope: this.#scope.slice(0, this.#numbers[scopeLengthAt] ?? 0),
    };
  }
}

/** The local numbers as they travel. */
export function toSummary(local: LocalSummary, generation: number, stalled: boolean): Summary {
  const { clock, counter, algorithm, scope, horizon, seen } = local;
  const flags = flagsOf(local) | (stalled ? SUMMARY_STALLED : 0);
  const digest = algorithm === 0 ? new Uint8Array(0) : local.digest;
  return { clock, generation, counter, digest, algorithm, scope, horizon, flags, seen };
}

function flagsOf({ ready, dropped, anchored, awaitsSeeds }: LocalSummary): number {
  return (
    (ready ? SUMMARY_READY : 0) |
    (dropped ? SUMMARY_DROPPED : 0) |
    (anchored ? SUMMARY_ANCHORED : 0) |
    (awaitsSeeds ? SUMMARY_AWAITS_SEEDS : 0)
  );
}

/** A summary that says nothing: what a host without data leaves as it is. */
export function emptySummary(): LocalSummary {
  return {
    clock: 0,
    counter: 0,
    digest: new Uint8Array(8),
    algorithm: 0,
    scope: new Uint8Array(0),
    horizon: 0,
    seen: 0,
    ready: false,
    dropped: false,
    anchored: false,
    awaitsSeeds: false,
  };
}
